import numpy as np
import pandas as pd
import pytest
from pandas.api.types import is_string_dtype

import scpertbias as spb


@pytest.fixture(scope="module")
def cells():
    adata = spb.ds.simulate(1500, 60, 12, rng=0)
    spb.pp.split(adata)
    return adata


@pytest.fixture(scope="module")
def profiles(cells):
    made = spb.pp.profiles(cells)
    spb.tl.fit_no_change(made)
    spb.tl.fit_ridge(made)
    spb.tl.score(made)
    spb.pp.check(made)
    return made


@pytest.fixture(scope="module")
def mdata(cells):
    return spb.tl.audit(cells, models=("no_change", "ridge"))


def test_predictions_are_the_layer(profiles):
    table = spb.get.predictions(profiles, "ridge")
    assert list(table.columns) == list(profiles.var_names)
    by_name = pd.DataFrame(profiles.layers["ridge"], index=profiles.obs["perturbation"].astype(str))
    np.testing.assert_array_equal(table.to_numpy(), by_name.loc[table.index].to_numpy())


def test_attributions_are_the_varm(profiles):
    table = spb.get.attributions(profiles, "ridge")
    np.testing.assert_array_equal(table.to_numpy(), profiles.varm["ridge"])
    assert list(table.columns) == list(spb.get.predictions(profiles, "ridge").index)
    assert list(table.index) == list(profiles.var_names)
    with pytest.raises(KeyError, match="'no_change' has no attributions"):
        spb.get.attributions(profiles, "no_change")


def test_of_an_audit_a_regime(mdata):
    full, none = spb.get.predictions(mdata, "ridge"), spb.get.predictions(mdata, "ridge", regime="no_mt")
    assert full.shape[1] == 60
    assert not any(g.startswith("MT-") for g in none.columns)
    pd.testing.assert_frame_equal(none, spb.get.predictions(mdata["no_mt"], "ridge"))
    assert spb.get.attributions(mdata, "ridge", regime="no_mt").shape == none.T.shape
    with pytest.raises(KeyError, match="'nothing' not available; choose from .'full'"):
        spb.get.predictions(mdata, "ridge", regime="nothing")


def test_a_regime_of_what_is_no_audit(profiles):
    with pytest.raises(ValueError, match="not an audit"):
        spb.get.predictions(profiles, "ridge", regime="full")


@pytest.mark.parametrize("name", ["scores", "summary", "check"])
def test_tables_hold_text_and_can_be_changed(profiles, name):
    table = getattr(spb.get, name)(profiles)
    text = [c for c in table if is_string_dtype(table[c])]
    assert text
    assert all(isinstance(v, str) for c in text for v in table[c])
    assert isinstance(table.index, pd.RangeIndex)
    assert not any(isinstance(d, pd.CategoricalDtype) for d in table.dtypes)
    table.iloc[:, 0] = "changed"
    assert "changed" not in set(getattr(spb.get, name)(profiles).iloc[:, 0])


@pytest.mark.parametrize(("name", "made_by"), [("scores", "tl.score"), ("summary", "tl.score"), ("check", "pp.check")])
def test_nothing_there_yet(cells, name, made_by):
    with pytest.raises(KeyError, match=made_by):
        getattr(spb.get, name)(cells)


def test_regimes_are_of_audits(mdata, profiles):
    table = spb.get.retraining(mdata)
    assert table.columns.tolist()[:4] == ["model", "regime", "metric", "n"]
    with pytest.raises(KeyError, match="tl.audit"):
        spb.get.retraining(profiles)


def test_models(mdata, profiles):
    table = spb.get.models(profiles)
    assert table["model"].tolist() == ["no_change", "ridge"]
    assert table["n_unpredicted"].tolist() == [0, 0]
    assert list(spb.get.models(mdata).columns) == ["model", "regime", "kind", "n_unpredicted", "note"]


def test_no_model(cells):
    with pytest.raises(KeyError, match="No model is stored"):
        spb.get.models(cells)


def test_history_of_a_model_without_one(profiles):
    with pytest.raises(KeyError, match="'ridge' has no training history"):
        spb.get.history(profiles, "ridge")


TARGETS = ["ATF2", "STAT1", "STAT2", "IRF1"]


@pytest.fixture
def profiles_cell_eval():
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, test=TARGETS)
    profiles_cell_eval = spb.pp.profiles(adata, batch_key="bio_rep")
    spb.tl.fit_ridge(profiles_cell_eval)
    return profiles_cell_eval


def test_the_pair(profiles_cell_eval):
    before = profiles_cell_eval.copy()
    real, predicted = spb.get.cell_eval(profiles_cell_eval, "ridge")
    for made in (real, predicted):
        assert made.obs["perturbation"].tolist() == ["non-targeting", *sorted(TARGETS)]
        assert made.var_names.equals(profiles_cell_eval.var_names)
    rows = real.obs_names
    np.testing.assert_allclose(real.X, profiles_cell_eval[rows].X)
    np.testing.assert_allclose(predicted.X[1:], spb.get.predictions(profiles_cell_eval, "ridge").loc[rows[1:]])
    np.testing.assert_array_equal(predicted.X[0], real.X[0])
    np.testing.assert_array_equal(before.X, profiles_cell_eval.X)


def test_a_perturbation_that_cannot_be_predicted_is_left_out(profiles_cell_eval):
    spb.tl.fit_bilinear(profiles_cell_eval)
    real, predicted = spb.get.cell_eval(profiles_cell_eval, "bilinear")
    assert real.obs_names.tolist() == ["non-targeting", "STAT1", "STAT2"]  # the others are not measured
    assert np.isfinite(predicted.X).all()


def test_cells_and_profiles_agree():
    adata = spb.ds.simulate(700, 40, 6, rng=1)
    spb.pp.split(adata, n_folds=None)
    profiles_cell_eval = spb.pp.profiles(adata)
    for data in (adata, profiles_cell_eval):
        spb.tl.fit_mean(data)
    for one, two in zip(spb.get.cell_eval(adata, "mean"), spb.get.cell_eval(profiles_cell_eval, "mean"), strict=True):
        np.testing.assert_allclose(one.to_df(), two.to_df().loc[one.obs_names], rtol=1e-6)


def test_of_an_audit_every_perturbation_was_held_out():
    adata = spb.ds.simulate(900, 60, 6, rng=1)
    mdata = spb.tl.audit(adata, models=("mean",), regimes=("full", "no_mt"), n_random=0)
    real, predicted = spb.get.cell_eval(mdata, "mean", regime="no_mt")
    assert real.shape == predicted.shape == (7, mdata["no_mt"].n_vars)
    assert np.ptp(predicted.X[1:], axis=0).max() > 0  # each is the prediction of another fit


def test_nothing_held_out(profiles_cell_eval):
    profiles_cell_eval.obs["split"] = "train"
    spb.tl.fit_mean(profiles_cell_eval)
    with pytest.raises(ValueError, match="'mean' predicts only perturbations of its training data. Call spb.pp.split"):
        spb.get.cell_eval(profiles_cell_eval, "mean")
    with pytest.raises(KeyError, match=r"`models`: \['gears'\] are not stored"):
        spb.get.cell_eval(profiles_cell_eval, "gears")
