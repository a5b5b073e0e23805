"""A model of anyone, trained by the audit: as an object, as a command, and by files."""

import importlib.util
import shlex
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._cli.main import main
from scpertbias.pp._regimes import plan_regimes
from scpertbias.tl._audit.cell_source import CellSource
from scpertbias.tl._audit.cross_fit import make_folds
from scpertbias.tl._audit.jobs import Cache
from scpertbias.tl._audit.regimes import make_screens
from scpertbias.tl._audit.settings import AuditSettings
from scpertbias.tl._audit.train_external import train_external

SCRIPT = Path(__file__).parents[2] / "data" / "nearest.py"
FILES = "--cells {cells} --predict {perturbations} --out {predictions} --seed {seed} --regime {regime}"
COMMAND = f"{shlex.quote(sys.executable)} {shlex.quote(str(SCRIPT))} {FILES}"
TABLES = ("scores", "summary", "retraining", "ranking", "coupling", "random_removals", "recurrence", "variance_ratio")
COVARIATES = ["pct_counts_mt", "pct_counts_ribo"]


def nearest():
    spec = importlib.util.spec_from_file_location("nearest", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Nearest()


def fitted(path, seed=0):
    model = nearest()
    model.fit(ad.read_h5ad(path), seed=seed)
    return model


@pytest.fixture(scope="module")
def cells():
    adata = spb.ds.simulate(800, 80, 8, measured_targets=True, keep_counts=False, rng=3)
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    return adata


@pytest.fixture(scope="module")
def setting(cells):
    """What an audit knows when it comes to train."""
    settings = AuditSettings(batch_key=None, n_folds=4, n_random=0)
    profiles = spb.pp.profiles(cells, covariates=COVARIATES)
    plan = plan_regimes(profiles, ["no_mt_ribo", "regressed"], fit_on="control")
    mdata, screens = make_screens(profiles, plan, [], settings, retrained=True)
    reading = {"normalize": False, "size_factors": None, "target_sum": 1e4, "chunk_memory": 0.5}
    source = CellSource(cells, settings.data, reading)
    return source, mdata, plan, make_folds(screens["full"], 4, 0), settings


def train(setting, cache=None, **options):
    *inputs, folds, settings = setting
    model = spb.tl.external_model("mine", **options)
    cache = None if cache is None else Cache(cache)
    return train_external(*inputs, [model], folds, replace(settings, cache=cache))["mine"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trainings(folder):
    path = folder / "trainings.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [line.split()[0] for line in lines]


def test_a_command_is_given_the_regressed_cells_of_the_files(cells, setting, folder):
    trained = train(setting, command=COMMAND, second_seed=False)
    assert trainings(folder) == ["full", "no_mt_ribo", "regressed"]
    spb.pp.write_regimes(cells, "files", ["full", "regressed"], train_only=True, covariates=COVARIATES)
    names = pd.read_csv("files/perturbations_to_predict.csv")["perturbation"]
    for regime, table in {"full": trained.full, "regressed": trained.retrained.regimes["regressed"]}.items():
        expected = fitted(f"files/{regime}.h5ad").predict(names)
        pd.testing.assert_frame_equal(table["predictions"], expected, check_exact=False, atol=1e-9, check_names=False)


@pytest.mark.slow
def test_all_three_give_the_same_audit(cells, folder):
    options = {"regimes": ["full", "no_mt_ribo"], "n_random": 0}
    ways = ({"model": nearest()}, {"command": COMMAND})
    audits = [
        spb.tl.audit(cells, models=("mean", spb.tl.external_model("mine", n_random=1, **way)), **options)
        for way in ways
    ]
    spb.pp.write_regimes(cells, "files", ["full", "no_mt_ribo"], n_random=1, train_only=True)
    names = pd.read_csv("files/perturbations_to_predict.csv")["perturbation"]
    files = []
    for training, regime, seed in (
        ("full", "full", 0),
        ("full#2", "full", 1),
        ("no_mt_ribo",) * 2 + (0,),
        ("random_1",) * 2 + (0,),
    ):
        fitted(f"files/{regime}.h5ad", seed).predict(names).to_csv(f"{training}.csv")
        files += ["--predictions", f"mine@{training}={training}.csv"]
    cells.write_h5ad("screen.h5ad")
    argv = ["audit", "screen.h5ad", "--models", "mean", "--regimes", "no_mt_ribo", "--n-random", "0", "--quiet", *files]
    assert main([*argv, "--out", "out"]) == 0
    for name in TABLES:
        first, second = (getattr(spb.get, name)(mdata) for mdata in audits)
        pd.testing.assert_frame_equal(first, second, rtol=1e-6, atol=1e-6)
        third = pd.read_csv(f"out/tables/{name}.csv", keep_default_na=False, na_values=[""])
        for column in first.select_dtypes("number"):
            values = (table[column].to_numpy(float, na_value=np.nan) for table in (first, third))
            np.testing.assert_allclose(*values, rtol=1e-6, atol=1e-6)
    mine = spb.get.coupling(audits[0]).query("model == 'mine'")
    assert (mine["shift_seed"] >= 0).all()
    assert (spb.get.retraining(audits[0]).query("model == 'mine'")["n"] == 4).all()


def test_over_folds_no_training_sees_what_it_predicts(cells):
    seen = []

    class Spy:
        def fit(self, adata):
            self.model = nearest()
            self.model.fit(adata)
            self.names = set(adata.obs["perturbation"])

        def predict(self, perturbations):
            assert not self.names & set(perturbations)
            seen.extend(perturbations)
            return self.model.predict(perturbations)

    model = spb.tl.external_model("mine", model=Spy(), folds=True)
    mdata = spb.tl.audit(cells, models=("mean", model), regimes=["full", "no_mt_ribo"], n_folds=3, n_random=0)
    names = sorted(set(cells.obs["perturbation"]) - {"non-targeting"})
    assert sorted(seen) == sorted(names * 2)
    summary = spb.get.summary(mdata, regime="full", metric="l2_ratio").query("subset == 'all'").set_index("model")
    assert summary.loc["mine", "n"] == summary.loc["mean", "n"] == 8
    assert set(spb.get.retraining(mdata)["model"]) == {"mean", "mine"}
    assert set(spb.get.scores(mdata, models="mine")["split"]) == {"test"}
    own, folds = spb.get.predictions(mdata, "mine"), mdata["full"].obs.drop_duplicates("perturbation")
    folds = folds.set_index("perturbation")["fold"]
    first = folds.index[folds == 0].astype(str)
    model = nearest()
    model.fit(cells[~cells.obs["perturbation"].isin(first).to_numpy()])
    np.testing.assert_allclose(own.loc[first], model.predict(first).loc[first, own.columns], atol=1e-6)
    note = spb.get.coupling(mdata).query("model == 'mine' and rows == 'training'")["note"].item()
    assert "every fit of this model leaves out one fold" in note


def test_a_failure_on_all_genes_is_an_error_with_its_last_lines(setting, folder):
    (folder / "spoil.txt").write_text("full fail")
    message = r"mine@full: the command exited with code 1.*training \| no such thing as a free lunch"
    with pytest.raises(ValueError, match=message):
        train(setting, command=COMMAND)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("fail", "exited with code 1"),
        ("half", r"was killed by SIGKILL \(out of memory\?\)"),
        ("genes", r"`predictions` lacks 5 of the \d+ genes"),
    ],
)
def test_a_failure_costs_one_training_and_the_next_audit_goes_on(setting, folder, how, message):
    (folder / "spoil.txt").write_text(f"no_mt_ribo {how}")
    options = {"command": COMMAND, "second_seed": False, "cache": folder / "cache"}
    *inputs, folds, settings = setting
    plan = replace(inputs[2], genes={key: inputs[2].genes[key] for key in ("full", "no_mt_ribo")})
    setting = (*inputs[:2], plan, folds, settings)
    with pytest.warns(UserWarning, match=f"mine@no_mt_ribo: .*{message}"):
        trained = train(setting, **options)
    assert trainings(folder) == ["full", "no_mt_ribo"]
    assert [training for training, _ in trained.failures] == ["no_mt_ribo"]
    assert not trained.retrained.regimes
    assert not list((folder / "cache").rglob("*.h5ad"))
    (folder / "spoil.txt").unlink()
    again = train(setting, **options)
    assert trainings(folder) == ["no_mt_ribo"]
    assert not again.failures
    table = train(setting, **options).retrained.regimes["no_mt_ribo"]["predictions"]
    assert trainings(folder) == []
    pd.testing.assert_frame_equal(table, again.retrained.regimes["no_mt_ribo"]["predictions"])
    assert not [path for path in (folder / "cache").iterdir() if path.is_dir()]


def test_a_failed_training_is_left_out_of_the_audit(cells, folder):
    class Fails:
        def fit(self, adata):
            if adata.n_vars < cells.n_vars:
                msg = "too few"
                raise RuntimeError(msg)
            self.model = nearest()
            self.model.fit(adata)

        def predict(self, perturbations):
            return self.model.predict(perturbations)

    model = spb.tl.external_model("mine", model=Fails())
    with pytest.warns(
        UserWarning, match="mine@no_mt_ribo: Fails raised RuntimeError: too few. The model is left out of this regime"
    ):
        mdata = spb.tl.audit(cells, models=("mean", model), regimes=["full", "no_mt_ribo"], n_random=0)
    assert spb.get.models_left_out(mdata)[["model", "regime"]].to_numpy().tolist() == [["mine", "no_mt_ribo"]]
    assert set(spb.get.scores(mdata, models="mine")["trained_on"]) == {"full"}


def test_what_edits_a_script_trains_anew(setting, folder):
    script = folder / "model.py"
    script.write_text(SCRIPT.read_text())
    command = f"{shlex.quote(sys.executable)} model.py {FILES}"
    for text, expected in (("", 3), ("", 0), ("\n# changed", 3)):
        script.write_text(script.read_text() + text)
        train(setting, command=command, second_seed=False, cache=folder / "cache")
        assert len(trainings(folder)) == expected


def test_an_object_that_fails(setting):
    class Broken:
        def fit(self, adata):
            msg = "no such column"
            raise KeyError(msg)

        def predict(self, perturbations):
            return None

    with pytest.raises(ValueError, match="mine@full: Broken raised KeyError: 'no such column'"):
        train(setting, model=Broken())
    Broken.fit = lambda self, adata: None
    with pytest.raises(ValueError, match=r"Broken.predict returned a NoneType"):
        train(setting, model=Broken())


def test_names_and_profiles(cells):
    mine = spb.tl.external_model("mean", model=nearest())
    with pytest.raises(ValueError, match=r"\['mean'\] are also names of models that the audit fits"):
        spb.tl.audit(cells, models=("mean", mine))
    with pytest.raises(ValueError, match=r"\['mean'\] are trained on cells, but `adata` contains profiles"):
        spb.tl.audit(spb.pp.profiles(cells), models=(mine,))


def test_changes_from_a_predicted_control(setting):
    class Shifted:
        def fit(self, adata):
            self.model = nearest()
            self.model.fit(adata)

        def predict(self, perturbations):
            table = self.model.predict(perturbations)
            return pd.concat([table, self.model.control * pd.DataFrame(1.0, ["ctrl"], table.columns)]) + 0.2

    plain = train(setting, model=nearest()).full["predictions"]
    shifted = train(setting, model=Shifted(), control="predicted")
    assert shifted.full["kind"] == "delta"
    of_control = cells_of_control(setting)
    np.testing.assert_allclose(shifted.full["predictions"].loc[plain.index] + of_control, plain, atol=1e-6)


def cells_of_control(setting):
    cells = setting[0].cells
    return np.asarray(cells[cells.obs["perturbation"] == "non-targeting"].X.mean(axis=0)).ravel()


@pytest.mark.slow
def test_the_command_line_trains(cells, folder):
    cells.write_h5ad("screen.h5ad")
    argv = ["audit", "screen.h5ad", "--models", "mean", "--regimes", "no_mt_ribo", "--n-random", "0", "--quiet"]
    assert main([*argv, "--train", f"mine={COMMAND}", "--out", "out"]) == 0
    assert trainings(folder) == ["full", "no_mt_ribo", "full"]
    assert "mine" in set(pd.read_csv("out/tables/retraining.csv")["model"])
    (folder / "spoil.txt").write_text("full fail")
    assert main(["audit", "screen.h5ad", "--config", "out/config.toml", "--out", "again", "--quiet"]) == 1
    assert trainings(folder) == ["full"]


OURS = """
import sys
import anndata as ad
import pandas as pd
import scpertbias as spb

cells, name, seed, out = sys.argv[1:]
adata = ad.read_h5ad(cells)
if name == "gears":
    import torch

    torch.set_num_threads(1)  # as tests run: over threads, sums differ in their last digit, and Adam makes steps of it
    small = {"epochs": 1, "hidden_size": 6, "batch_size": 16, "device": "cpu"}
    spb.tl.fit_gears(adata, pd.read_csv("net.csv"), **small, rng=int(seed))
elif name == "bilinear":
    spb.tl.fit_bilinear(adata, n_components=4)
else:
    spb.tl.fit_ridge(adata)
spb.get.predictions(adata, name).to_csv(out)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "ridge",
        pytest.param("bilinear", marks=pytest.mark.nightly),
        pytest.param("gears", marks=[pytest.mark.gears, pytest.mark.nightly]),
    ],
)
def test_our_own_models_as_commands_predict_the_same(name, cells, setting, folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(spb.__file__).parents[1]))
    (folder / "ours.py").write_text(OURS)
    targets = sorted(set(cells.obs["perturbation"]) - {"non-targeting"})
    net = pd.DataFrame({"source": targets, "target": targets[1:] + targets[:1], "weight": 0.5})
    net.to_csv("net.csv", index=False)
    command = f"{shlex.quote(sys.executable)} ours.py {{cells}} {name} {{seed}} {{predictions}}"
    options = {"command": command, "train_only": False, "second_seed": False}
    source, mdata, plan, folds, settings = setting
    plan = replace(
        plan,
        genes={key: plan.genes[key] for key in ("full", "no_mt_ribo")}
        if name == "bilinear"
        else {"full": plan.genes["full"]},
    )
    trained = train((source, mdata, plan, folds, settings), **options)
    for regime, found in {"full": trained.full, **trained.retrained.regimes}.items():
        data = cells.copy() if name == "gears" else mdata[regime].copy()
        if name == "gears":
            spb.tl.fit_gears(data, net, epochs=1, hidden_size=6, batch_size=16, device="cpu", rng=0)
        else:
            spb.tl.fit_bilinear(data, n_components=4) if name == "bilinear" else spb.tl.fit_ridge(data)
        table = found["predictions"]
        np.testing.assert_allclose(table, spb.get.predictions(data, name).loc[table.index, table.columns], atol=1e-5)


def test_an_audit_that_is_stopped_ends_the_command(setting, folder):
    """As by Ctrl-C: what was trained before is kept."""
    (folder / "spoil.txt").write_text("no_mt_ribo hang")
    options = {"command": COMMAND, "second_seed": False, "cache": folder / "cache"}

    def interrupt():
        log = folder / "trainings.txt"
        while not (log.exists() and "no_mt_ribo" in log.read_text()):
            time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    # A browser that an earlier test started in this process may have left its own handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            train(setting, **options)
    finally:
        signal.signal(signal.SIGINT, before)
    thread.join()
    (folder / "spoil.txt").unlink()
    trainings(folder)
    train(setting, **options)
    assert trainings(folder) == ["no_mt_ribo", "regressed"]
