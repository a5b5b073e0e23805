"""The card of a screen: its numbers are those of the audit."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._report.screen_card import as_croissant, card_of


@pytest.fixture(scope="module")
def mdata():
    adata = spb.ds.simulate(1_500, 150, 10, measured_targets=True, keep_counts=False, rng=1)
    ribosomal = next(gene for gene in adata.var_names if gene.startswith("RPS"))
    names = sorted(set(adata.obs["perturbation"]) - {"non-targeting"})
    adata.obs["perturbation"] = adata.obs["perturbation"].cat.rename_categories({names[0]: ribosomal})
    return spb.tl.audit(adata, models=())


@pytest.fixture(scope="module")
def card(mdata):
    files = pd.DataFrame(
        [["full", "full.h5ad", 9, 8, 7, "abc"]], columns=["regime", "file", "n_cells", "n_genes", "bytes", "sha256"]
    )
    return card_of(mdata, title="A screen", files=files)


def test_numbers_are_those_of_the_audit(mdata, card):
    shares = spb.get.confounding(mdata, regime="full", level="screen").set_index("axis")
    for row in card["gene_sets"]:
        for column in ("share", "ci_low", "ci_high", "null", "p", "n_genes"):
            expected = shares.loc[row["axis"], column]
            assert (
                row[column] is None if pd.isna(expected) else row[column] == pytest.approx(float(expected), rel=1e-12)
            )
    assert {"mt", "ribo"} <= {row["axis"] for row in card["gene_sets"]}
    assert card["shared_axis"][0]["share"] == pytest.approx(shares.loc["systematic", "share"], nan_ok=True)
    perturbations = spb.get.perturbations(mdata)
    assert card["perturbations"] == perturbations["kind"].value_counts().to_dict()
    balance = spb.get.balance(mdata)
    assert [row["column"] for row in card["balance"]] == balance["column"].tolist()


def test_what_each_regime_removes(mdata, card):
    shares = spb.get.confounding(mdata, regime="full", level="screen").set_index("axis")["share"]
    regimes = {regime["regime"]: regime for regime in card["regimes"]}
    assert list(regimes) == ["no_mt", "no_mt_ribo", "regressed"]
    full = set(mdata["full"].var_names)
    for name in ("no_mt", "no_mt_ribo"):
        assert set(regimes[name]["removed"]) == full - set(mdata[name].var_names)
        assert regimes[name]["n_genes"] + regimes[name]["n_removed"] == len(full)
    assert regimes["no_mt"]["share"] == pytest.approx(shares["mt"])
    assert regimes["no_mt_ribo"]["share"] == pytest.approx(shares["mt"] + shares["ribo"])
    lost = regimes["no_mt_ribo"]["perturbations_of_removed_genes"]
    assert len(lost) == 1
    assert lost[0].startswith("RPS")
    assert regimes["no_mt"]["perturbations_of_removed_genes"] == []
    removed = set(regimes["no_mt_ribo"]["removed"])
    effects = mdata["full"].to_df().set_index(mdata["full"].obs["perturbation"].astype(str))
    assert lost[0] in removed & set(effects.index)


def test_files(mdata, tmp_path):
    spb.data_card(mdata, tmp_path / "new", title="A | screen")
    text = (tmp_path / "new" / "DATACARD.md").read_text(encoding="utf-8")
    assert text.startswith("# Data card: A | screen")
    assert not re.search(r"\bnan\b", text)
    assert "None" not in text.replace("None.", "")
    widths = [line.count("|") - line.count("\\|") for line in text.splitlines() if line.startswith("|")]
    assert widths
    machine = json.loads((tmp_path / "new" / "datacard.json").read_text(encoding="utf-8"))
    assert machine["@type"] == "sc:Dataset"
    assert machine["scpertbias"]["title"] == machine["name"] == "A | screen"


def test_terms_of_croissant(card):
    (file,) = as_croissant(card)["distribution"]
    assert file["sha256"] == "abc"
    assert file["@type"] == "cr:FileObject"


def test_a_model_changes_nothing(mdata, card):
    assert {answer["question"] for answer in card["answers"]} == {
        "Did the perturbations work?",
        "Do the perturbations share one response?",
        "Is the response technical?",
    }
    assert np.isfinite(card["screen"]["n_cells"])
