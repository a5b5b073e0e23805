"""An audit of the command line with null screens."""

import json

import pytest

import scpertbias as spb
from scpertbias._cli.main import main
from scpertbias._report import schema


@pytest.mark.filterwarnings("ignore:From 0.4 .update")  # mudata 0.3 announces it whenever a MuData is written
def test_null_screens_stand_beside_the_verdicts(tmp_path, capsys):
    spb.ds.papalexi_2021().write_h5ad(tmp_path / "screen.h5ad")
    options = ["--batch", "bio_rep", "--models", "none", "--regimes", "full", "--n-random", "0", "--calibrate", "2"]
    out = tmp_path / "audit"
    assert main(["audit", str(tmp_path / "screen.h5ad"), *options, "--out", str(out), "--quiet"]) == 0
    printed = capsys.readouterr().out
    page = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    verdicts = {one["name"]: one for one in page["answer"]}
    assert verdicts["shared"]["verdict"] == "yes"
    sentence = verdicts["shared"]["calibration"]
    assert "repeated on 2 screens without effects" in sentence
    assert sentence in printed
    assert all(one["calibration"] is None for one in page["answer"] if one["verdict"] in ("no", "inconclusive"))
    assert {row["n"] for row in page["tables"]["calibration"]} == {2}
    assert "calibrate = 2" in (out / "config.toml").read_text(encoding="utf-8")
    assert (out / "tables" / "calibration.csv").exists()
    assert "calibration" in json.loads(schema())["properties"]["answer"]["items"]["properties"]
