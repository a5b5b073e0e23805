from pathlib import Path

import pytest

import scpertbias as spb
from scpertbias.tl._audit.jobs import Cache
from scpertbias.tl._audit.one_training import CELLS, TrainingRun, content, fit_object, run_once, takes_seed, work_folder

COMMAND = "train --cells {cells} --out {predictions}"


def model(**options):
    return spb.tl.external_model("mine", **options)


class Plain:
    def __init__(self, k=1):
        self.k = k

    def fit(self, adata):
        """Nothing to learn."""

    def predict(self, perturbations):
        return None


class Seeded(Plain):
    def fit(self, adata, seed):
        """Nothing to learn."""


def test_seeds():
    assert not takes_seed(model(model=Plain()))
    assert takes_seed(model(model=Seeded()))
    assert not takes_seed(model(command=COMMAND))
    assert takes_seed(model(command=f"{COMMAND} --seed={{seed}}"))


def test_content_is_that_of_parameters_and_scripts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = (content(model(model=Plain(k))) for k in (1, 2))
    assert one != other
    assert one == content(model(model=Plain(1)))
    script = model(command=f"python a.py {COMMAND}")
    without = content(script)
    Path("a.py").write_text("1")
    assert content(script) != without


def test_a_folder_stays_without_cells_where_a_training_fails(tmp_path):
    cache = Cache(tmp_path)

    def fail():
        with work_folder(cache, "my/model", "abc") as folder:
            (folder / CELLS).touch()
            (folder / "log.txt").touch()
            msg = "no more memory"
            raise ValueError(msg)

    with pytest.raises(ValueError, match="no more memory"):
        fail()
    assert [path.name for path in (tmp_path / "my_model-abc").iterdir()] == ["log.txt"]
    with work_folder(cache, "my/model", "abc") as folder:
        assert (folder / "log.txt").exists()
    assert not folder.exists()


def test_a_command_that_writes_nothing(tmp_path):
    table = spb.ds.confounder_sets().head(2)
    (tmp_path / "predictions.csv").touch()  # of an earlier training
    quiet = model(command=["true", "{cells}", "{predictions}"])
    with pytest.raises(
        ValueError, match=r"ended without an error, but did not write predictions.csv \(its output is in .*log.txt\)"
    ):
        run_once(quiet, TrainingRun("full", "full", 0), None, tmp_path, table)


def test_an_object_returns_a_table(tmp_path):
    spb.ds.papalexi_2021()[:5].write_h5ad(tmp_path / CELLS)
    with pytest.raises(ValueError, match="Plain.predict returned a NoneType; it must return a DataFrame"):
        fit_object(model(model=Plain()), TrainingRun("full", "full", 0), tmp_path / CELLS, ["STAT1"])
