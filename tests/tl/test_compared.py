"""Which rows the questions look at: held out, predicted by all, centered fold by fold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias.tl._compared import common, read_inputs, training


@pytest.fixture(scope="module")
def cells():
    return spb.ds.simulate(3_000, 120, 30, keep_counts=False, rng=1)


@pytest.fixture
def profiles(cells):
    adata = cells.copy()
    spb.pp.split(adata, fractions=(0.6, 0.0, 0.4))
    return spb.pp.profiles(adata)


def brought(profiles, perturbations):
    """Somebody's predictions, the observed means with noise, for some perturbations."""
    rng = np.random.default_rng(0)
    rows = profiles[profiles.obs["perturbation"].isin(perturbations)]
    values = rows.X + 0.01 * rng.normal(size=rows.shape)
    return pd.DataFrame(values, index=rows.obs["perturbation"].astype(str).to_numpy(), columns=rows.var_names)


def test_rows_that_a_model_has_seen_are_gone(profiles):
    spb.tl.fit_ridge(profiles)
    inputs = read_inputs(profiles, None, need_models=True)
    test = set(profiles.obs["perturbation"][profiles.obs["split"] == "test"])
    predicted = np.isfinite(inputs.predictions["ridge"]).all(axis=1)
    assert {name for name, ok in zip(inputs.screen.names, predicted, strict=True) if ok} == test
    assert inputs.constant == ("ridge",)
    shared = common(inputs.screen, inputs.predictions, inputs.folds, inputs.constant)
    assert {inputs.screen.names[p] for p in shared.rows} == test
    assert shared.constant == ("ridge",)
    assert not shared.centered("ridge").any()
    train = profiles.X[(profiles.obs["split"] == "train") & ~profiles.obs["is_reference"]]
    np.testing.assert_allclose(shared.mean, np.tile(train.mean(axis=0), (len(test), 1)))


def test_only_what_all_predict_is_compared(profiles):
    spb.tl.fit_mean(profiles)
    test = sorted(set(profiles.obs["perturbation"][profiles.obs["split"] == "test"]))
    spb.tl.add_predictions(profiles, brought(profiles, test[:5]), key_added="other", test=test[:5])
    inputs = read_inputs(profiles, None, need_models=True)
    shared = common(inputs.screen, inputs.predictions, inputs.folds, inputs.constant)
    assert [inputs.screen.names[p] for p in shared.rows] == test[:5]
    assert shared.constant == ("mean",)
    alone = read_inputs(profiles, "mean", need_models=True)
    assert len(common(alone.screen, alone.predictions, alone.folds).rows) == len(test)


def test_a_model_that_predicts_nothing_unseen_is_left_out(profiles):
    spb.tl.fit_mean(profiles)
    inputs = read_inputs(profiles, None, need_models=True)
    gaps = {**inputs.predictions, "gaps": np.full_like(inputs.predictions["mean"], np.nan)}
    shared = common(inputs.screen, gaps, inputs.folds)
    assert list(shared.predictions) == ["mean"]
    assert len(shared.rows) == 12


def test_cross_fitted_rows_are_centered_fold_by_fold(cells):
    audit = spb.tl.audit(cells, models=("mean",), regimes=("full",), n_folds=5)
    inputs = read_inputs(audit["full"], None, need_models=True)
    varying = inputs.predictions["mean"] + np.random.default_rng(0).normal(size=inputs.predictions["mean"].shape)
    shared = common(inputs.screen, {**inputs.predictions, "varying": varying}, inputs.folds, inputs.constant)
    assert len(shared.rows) == min(30, audit["full"].obs["used"].sum() - 1)
    assert len(np.unique(shared.groups)) == 5
    assert not shared.several_fits
    for fold in np.unique(shared.groups):
        mine = shared.groups == fold
        others = [p for p in shared.rows if inputs.folds[inputs.screen.names[p]] != fold]
        means = inputs.screen.merged.moments.mean[others]
        np.testing.assert_allclose(shared.mean[mine], np.tile(means.mean(axis=0), (mine.sum(), 1)))
        np.testing.assert_allclose(shared.centered("varying")[mine].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(shared.predictions["mean"], shared.mean)
    assert shared.constant == ("mean",)


def test_with_one_fold_each_the_fits_own_means_are_taken_out(cells):
    audit = spb.tl.audit(cells, models=("mean", "ridge"), regimes=("full",), n_folds=30)
    inputs = read_inputs(audit["full"], None, need_models=True)
    shared = common(inputs.screen, inputs.predictions, inputs.folds, inputs.constant)
    assert shared.several_fits
    assert set(shared.constant) == {"mean", "ridge"}
    unnamed = common(inputs.screen, inputs.predictions, inputs.folds)
    assert unnamed.constant == ()
    # Also unnamed, the mean is no more than what differs between fits.
    assert not unnamed.centered("mean").any()


def test_data_alone_before_and_beside_models(cells, profiles):
    inputs = read_inputs(cells, None, need_models=False)
    assert inputs.predictions == {}
    assert len(common(inputs.screen, {}, None).rows) == 30
    spb.tl.fit_mean(profiles)
    assert read_inputs(profiles, (), need_models=False).predictions == {}
    assert list(read_inputs(profiles, None, need_models=False).predictions) == ["mean"]
    with pytest.raises(KeyError, match="No model is stored"):
        read_inputs(cells, None, need_models=True)
    with pytest.raises(KeyError, match=r"\['gears'\] are not stored; choose from \['mean'\]"):
        read_inputs(profiles, "gears", need_models=False)


def test_models_say_how_the_data_are_read(cells):
    adata = cells.copy()
    spb.pp.split(adata)
    spb.tl.fit_mean(adata, reference="non-targeting", min_cells=10)
    assert read_inputs(adata, None, need_models=True).screen.record["min_cells"] == 10
    for data in ({"min_cells": 10}, {"reference": "non-*"}, {"reference": ["non-targeting"]}):
        assert read_inputs(adata, None, data, need_models=False).predictions
    with pytest.raises(ValueError, match=r"`batch_key='gem_group'`, but the stored models were fitted with None"):
        read_inputs(adata, None, {"batch_key": "gem_group"}, need_models=False)


def test_nothing_held_out(cells):
    adata = cells.copy()
    spb.tl.fit_mean(adata)
    with pytest.raises(ValueError, match="No perturbation is held out"):
        read_inputs(adata, None, need_models=True)


def test_what_keeps_one_split_has_its_own_training_mean(cells):
    """Beside cross-fitted models nothing of their folds enters: the perturbations outside `test` are what it has seen."""
    audit = spb.tl.audit(cells, models=("mean",), regimes=("full",), n_folds=15)
    profiles = audit["full"]
    names = profiles.obs.loc[profiles.obs["used"] & ~profiles.obs["is_reference"], "perturbation"].astype(str).tolist()
    spb.tl.add_predictions(profiles, brought(profiles, names[:12]), key_added="other", test=names[:12])
    inputs = read_inputs(profiles, None, need_models=True)
    assert inputs.one_split == {"other": names[:12]}
    screen, m = inputs.screen, inputs.screen.merged.moments
    seen = [screen.names.index(name) for name in names[12:]]
    shared = common(screen, inputs.predictions, inputs.folds, one_split=inputs.one_split)
    assert shared.several_fits
    np.testing.assert_allclose(shared.mean_of("other"), np.tile(m.mean[seen].mean(axis=0), (12, 1)))
    values = shared.predictions["other"]
    np.testing.assert_allclose(shared.centered("other"), values - values.mean(axis=0))
    assert not common(screen, inputs.predictions, inputs.folds).own_mean


@pytest.mark.parametrize("test", [None, "all"])
def test_training_where_nothing_says_what_was_seen(profiles, test):
    """It is then all that is not predicted, or all."""
    screen = _moments.of(profiles)
    rows = np.arange(1, 6) if test is None else np.arange(1, len(screen.names))
    split = np.where(screen.split == "train", "val", screen.split)
    trained = training(replace(screen, split=split), rows, None, None if test is None else list(screen.names))
    expected = set(range(6, len(screen.names))) if test is None else set(range(1, len(screen.names)))
    codes = trained.screen.perturbation[trained.rows[0]]
    assert set(codes) == {p for p in expected if screen.merged.used[p]}
    assert set(trained.fit) == {0}
