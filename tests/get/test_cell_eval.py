"""The pair holds held-out perturbations and the control, and cell-eval gives on it what `tl.score` gives."""

import numpy as np
import pytest

import scpertbias as spb

TARGETS = ["ATF2", "STAT1", "STAT2", "IRF1"]


@pytest.fixture
def profiles():
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, test=TARGETS)
    profiles = spb.pp.pseudobulk(adata, strata="bio_rep")
    spb.tl.fit_ridge(profiles)
    return profiles


def test_the_pair(profiles):
    before = profiles.copy()
    real, predicted = spb.get.cell_eval(profiles, "ridge")
    for made in (real, predicted):
        assert made.obs["perturbation"].tolist() == ["non-targeting", *sorted(TARGETS)]
        assert made.var_names.equals(profiles.var_names)
    rows = real.obs_names
    np.testing.assert_allclose(real.X, profiles[rows].X)
    np.testing.assert_allclose(predicted.X[1:], spb.get.predictions(profiles, "ridge").loc[rows[1:]])
    np.testing.assert_array_equal(predicted.X[0], real.X[0])
    np.testing.assert_array_equal(before.X, profiles.X)


def test_a_perturbation_that_cannot_be_predicted_is_left_out(profiles):
    spb.tl.fit_bilinear(profiles)
    real, predicted = spb.get.cell_eval(profiles, "bilinear")
    assert real.obs_names.tolist() == ["non-targeting", "STAT1", "STAT2"]  # the others are not measured
    assert np.isfinite(predicted.X).all()


def test_cells_and_profiles_agree():
    adata = spb.ds.simulate(700, 40, 6, rng=1)
    spb.pp.split(adata, n_folds=None)
    profiles = spb.pp.pseudobulk(adata)
    for data in (adata, profiles):
        spb.tl.fit_mean(data)
    for one, two in zip(spb.get.cell_eval(adata, "mean"), spb.get.cell_eval(profiles, "mean"), strict=True):
        np.testing.assert_allclose(one.to_df(), two.to_df().loc[one.obs_names], rtol=1e-6)


def test_of_an_audit_every_perturbation_was_held_out():
    adata = spb.ds.simulate(900, 60, 6, rng=1)
    mdata = spb.tl.audit(adata, models=("mean",), regimes=("full", "no_mt"), n_boot=10, n_random=0)
    real, predicted = spb.get.cell_eval(mdata, "mean", regime="no_mt")
    assert real.shape == predicted.shape == (7, mdata["no_mt"].n_vars)
    assert np.ptp(predicted.X[1:], axis=0).max() > 0  # each is the prediction of another fit


def test_nothing_held_out(profiles):
    profiles.obs["split"] = "train"
    spb.tl.fit_mean(profiles)
    with pytest.raises(ValueError, match="'mean' predicts no perturbation that it has not seen. Call spb.pp.split"):
        spb.get.cell_eval(profiles, "mean")
    with pytest.raises(KeyError, match=r"`models`: \['gears'\] are not stored"):
        spb.get.cell_eval(profiles, "gears")
