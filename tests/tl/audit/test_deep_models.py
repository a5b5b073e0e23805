"""Models that are trained from cells, in the audit; a stand-in that takes no time shows what each of them is given."""

import inspect
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._models import _base, _fit
from scpertbias._models._base import Solution

CALLS = []


def fit_toy(
    adata,
    net=None,
    *,
    shift=0.5,
    checkpoint_dir=None,
    resume=False,
    groupby="perturbation",
    reference=None,
    combination_sep=None,
    label_map=None,
    batch_key=None,
    min_cells=20,
    layer=None,
    split_key="split",
    gene_symbols=None,
    key_added="toy",
    rng=0,
    copy=False,
):
    """Predict for every perturbation the control mean, shifted where its name says; refuse to be trained without MT genes."""
    data = {
        "groupby": groupby,
        "reference": reference,
        "combination_sep": combination_sep,
        "label_map": label_map,
        "batch_key": batch_key,
        "min_cells": min_cells,
        "layer": layer,
        "split_key": split_key,
        "gene_symbols": gene_symbols,
    }
    CALLS.append(
        {
            "genes": adata.n_vars,
            "layer": layer,
            "net": net,
            "dir": checkpoint_dir,
            "resume": resume,
            "rng": rng,
            "adata": adata,
        }
    )
    screen = _moments.of(adata, **data)
    own = (shift + rng / 10) * np.eye(len(screen.names), len(screen.genes))
    attributions = own + np.arange(len(screen.genes)) / 100
    attributions[0] = np.nan
    predictions = screen.moments.control + own
    predictions[3] = np.nan
    _fit.store(
        adata, screen, Solution(predictions, coef=attributions), kind="toy", params={"shift": shift}, key=key_added
    )


SPEC = _base.ModelSpec(
    "toy", fit_toy, "", {}, ("cells", "net"), "made up", "", None, lambda **_: None, lambda name, **_: name
)


@pytest.fixture(scope="module", autouse=True)
def _toy():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_base._REGISTRY, "toy", SPEC)
        yield


@pytest.fixture(scope="module")
def cells():
    adata = spb.ds.simulate(2500, 80, 24, cell_axis_sd=0.3, rng=2, keep_counts=False)
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    return adata


def run(cells, **kwargs):
    CALLS.clear()
    asked = {"models": ("mean", "ridge", "toy"), "n_folds": 4, "n_random": 0}
    return spb.tl.audit(cells, **{**asked, **kwargs})


@pytest.fixture(scope="module")
def audited(cells):
    return run(cells), list(CALLS)


@pytest.fixture
def mdata(audited):
    return audited[0]


def held_out(cells):
    return sorted(set(cells.obs.loc[cells.obs["split"] == "test", "perturbation"].astype(str)))


def test_it_is_trained_once_in_every_regime_on_its_own_genes_and_values(audited):
    mdata, calls = audited
    regimes = list(mdata.mod)
    assert [call["genes"] for call in calls] == [mdata[r].n_vars for r in ("full", *regimes)]
    assert [call["layer"] for call in calls] == [None, *("regressed" if r == "regressed" else None for r in regimes)]
    assert [call["rng"] for call in calls] == [0, 1, *[0] * (len(regimes) - 1)]  # full once more, from another seed


def test_it_is_scored_on_what_it_has_not_seen_beside_the_cross_fitted(mdata, cells):
    scores = spb.get.scores(mdata)
    toy = scores[(scores["model"] == "toy") & (scores["split"] == "test")]
    assert sorted(toy.loc[toy["regime"] == "full", "perturbation"]) == held_out(cells)
    pairs = toy[["regime", "trained_on"]].drop_duplicates().to_numpy().tolist()
    assert sorted(pairs) == sorted([["full", "full"], *([r, t] for r in list(mdata.mod)[1:] for t in ("full", r))])
    ridge = scores[(scores["model"] == "ridge") & (scores["split"] == "test") & (scores["regime"] == "full")]
    assert len(ridge) == 24
    summary = spb.get.summary(mdata)
    assert {"toy"} < set(summary.loc[summary["regime"] == "no_mt", "model"])


def test_every_question_hears_of_it(mdata):
    missing = mdata["full"].uns["scpertbias"]["models"]["toy"]["unpredicted"].tolist()
    assert len(missing) == 1
    for name in ("recurrence", "variance_ratio"):
        table = getattr(spb.get, name)(mdata)
        assert set(table.loc[table["model"] == "toy", "regime"]) == set(mdata.mod), name
    for name in ("specificity", "target_response", "attribution_check", "coupling"):
        assert "toy" in set(getattr(spb.get, name)(mdata)["model"]), name
    agreement = spb.get.attribution_agreement(mdata)
    assert ["ridge", "toy"] in agreement[["model_a", "model_b"]].to_numpy().tolist()
    models = spb.get.models(mdata).query("model == 'toy'")
    assert models["regime"].tolist() == list(mdata.mod)
    assert (models["kind"] == "toy").all()
    coupling = spb.get.coupling(mdata).query("model == 'toy' and regime == 'no_mt'")
    assert np.isfinite(coupling["shift"]).all()


def test_what_the_seed_alone_changes_is_measured(mdata):
    stored = mdata["full"].uns["scpertbias"]["models"]["toy"]
    first = spb.get.predictions(mdata["full"], "toy")
    unseen = [name for name in stored["test"] if name not in stored["unpredicted"]]
    control = first.loc["non-targeting"].to_numpy()
    again = pd.DataFrame(stored["other_seed"], index=first.index, columns=first.columns)
    kept = mdata["no_mt"].var_names
    size = np.linalg.norm((first.loc[unseen] - control)[kept])
    expected = np.linalg.norm((again - first).loc[unseen, kept]) / size
    spb.tl.coupling(mdata)
    table = spb.get.coupling(mdata).query("model == 'toy'").set_index(["regime", "rows"])
    assert table.loc[("no_mt", "unseen"), "shift_seed"] == pytest.approx(expected, rel=1e-4)
    assert expected > 0
    assert table["note"].loc["no_mt"].tolist() == ["", ""]


def test_what_it_predicts_is_stored_with_how_it_was_trained(mdata, cells):
    for regime, profiles in mdata.mod.items():
        record = profiles.uns["scpertbias"]["models"]["toy"]
        assert record["regime"] == regime
        assert sorted(record["test"]) == held_out(cells)
        made = spb.get.predictions(profiles, "toy")
        control = made.loc["non-targeting"].to_numpy()
        np.testing.assert_allclose(np.nan_to_num(made.iloc[1].to_numpy() - control)[1], 0.5, atol=1e-5)
        assert spb.get.attributions(profiles, "toy").shape == (profiles.n_vars, 25)


def test_its_parameters_its_net_and_a_folder_for_each_regime(cells, tmp_path):
    net = pd.DataFrame({"source": [cells.var_names[0]], "target": [cells.var_names[1]]})
    params = {"toy": {"shift": 2.0, "checkpoint_dir": tmp_path / "toy"}}
    mdata = run(cells, net=net, models=("toy",), model_params=params, regimes=("no_mt",))
    assert [call["dir"] for call in CALLS] == [
        f"{tmp_path}/toy/{part}" for part in ("full", "full_other_seed", "no_mt")
    ]
    assert all(call["net"] is net for call in CALLS)
    assert mdata["full"].uns["scpertbias"]["models"]["toy"]["params"]["shift"] == 2.0
    with pytest.raises(ValueError, match="'toy' has no parameters"):
        run(cells, model_params={"toy": {"depth": 3}})


def test_with_a_cache_it_goes_on_from_where_it_stopped(cells, tmp_path):
    def folders(**kwargs):
        run(cells, models=("toy",), regimes=("no_mt",), cache=tmp_path, **kwargs)
        assert all(call["resume"] for call in CALLS)
        assert all(call["dir"].parent == tmp_path for call in CALLS)
        return [call["dir"] for call in CALLS]

    first = folders()
    assert len(set(first)) == 3  # full, full from another seed, no_mt
    assert folders() == first
    assert not set(folders(rng=5)) & set(first)
    assert not set(folders(model_params={"toy": {"shift": 1.0}})) & set(first)


def test_a_regime_that_it_cannot_be_trained_in_is_named(cells, monkeypatch):
    def picky(adata, *args, **kwargs):
        if adata.n_vars < cells.n_vars:
            msg = "this model needs mitochondrial genes"
            raise ValueError(msg)
        return fit_toy(adata, *args, **kwargs)

    picky.__signature__ = inspect.signature(fit_toy)
    monkeypatch.setitem(_base._REGISTRY, "toy", replace(SPEC, fit=picky))
    mdata = run(cells, regimes=("no_mt",))
    left_out = mdata.uns["scpertbias"]["models_left_out"]
    assert left_out.astype(str).to_numpy().tolist() == [["toy", "no_mt", "this model needs mitochondrial genes"]]
    assert "toy" in mdata["full"].layers
    assert "toy" not in mdata["no_mt"].layers


def test_without_a_split_one_is_made_and_said(cells):
    bare = cells.copy()
    del bare.obs["split"]
    before = bare.copy()
    mdata = run(bare, regimes=("no_mt",))
    assert list(bare.obs) == list(before.obs)
    notes = mdata.uns["scpertbias"]["audit"]["notes"].tolist()
    assert any("toy" in note and "80 / 10 / 10" in note for note in notes)
    assert len(mdata["full"].uns["scpertbias"]["models"]["toy"]["test"]) == 2


def test_raw_counts_are_normalized_for_it():
    counts = spb.ds.simulate(2500, 80, 24, rng=2)
    raw = counts.copy()
    raw.X = counts.layers["counts"].copy()
    spb.pp.split(raw, fractions=(0.5, 0.0, 0.5))
    run(raw, normalize=True, regimes=("full",), models=("toy",))
    seen = CALLS[-1]["adata"]
    assert seen.X.dtype == np.float32
    total = np.asarray(raw.X.sum(axis=1)).ravel()
    expected = np.log1p(raw.X.toarray() * (1e4 / total)[:, None])
    np.testing.assert_allclose(seen.X.toarray(), expected, rtol=1e-5)


def test_profiles_have_no_cells_to_train_on(cells):
    with pytest.raises(ValueError, match="'toy'.*cells"):
        run(spb.pp.profiles(cells))


def test_tables_only(cells):
    mdata = run(cells, keep_predictions=False, regimes=("no_mt",))
    assert "toy" not in mdata["full"].layers
    assert "toy" in set(spb.get.scores(mdata)["model"])
