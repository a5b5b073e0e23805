"""The spread of predictions of known spread, and what has collapsed."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments, _store
from scpertbias._tables import columns
from scpertbias.tl._variance_ratio import variance_ratio, variance_ratio_table


@pytest.fixture(scope="module")
def profiles():
    cells = spb.ds.simulate(6_000, 300, 60, control_fraction=0.2, keep_counts=False, rng=2)
    spb.pp.split(cells, fractions=(0.5, 0.0, 0.5))
    return spb.pp.profiles(cells), cells.uns["scpertbias_truth"]


def oracle(truth, factor: float, noise: float = 0.0) -> pd.DataFrame:
    """The planted effects about their mean, times some factor, with noise."""
    delta = truth["expected_delta"].astype(float)
    middle = delta.mean(axis=0)
    values = truth["expected_control"] + middle + factor * (delta - middle)
    values = values + noise * np.random.default_rng(0).normal(size=delta.shape)
    return pd.DataFrame(values, index=truth["perturbations"], columns=truth["genes"])


def screen_rows(data) -> pd.DataFrame:
    table = _store.table(data, "variance_ratio", made_by="")
    return table[table["level"] == "screen"].set_index("model")


def test_planted_spread_is_found(profiles):
    adata, truth = profiles[0].copy(), profiles[1]
    test = sorted(set(adata.obs["perturbation"][adata.obs["split"] == "test"]))
    for name, factor in (("truth", 1.0), ("half", 0.5)):
        spb.tl.add_predictions(adata, oracle(truth, factor).loc[test], key_added=name, test=test)
    spb.tl.add_predictions(adata, oracle(truth, 1.0, noise=0.02).loc[test], key_added="noisy", test=test)
    for fit in (spb.tl.fit_no_change, spb.tl.fit_mean, spb.tl.fit_ridge):
        fit(adata)
    variance_ratio(adata)
    found = screen_rows(adata)
    assert found["n_perturbations"].unique().tolist() == [30]
    for name, expected in (("truth", 1.0), ("half", 0.5)):
        assert found.loc[name, "ci_low"] < expected < found.loc[name, "ci_high"]
        assert found.loc[name, "ratio"] == pytest.approx(expected, rel=0.15)
    assert found.loc["half", "ratio"] == pytest.approx(found.loc["truth", "ratio"] / 2, rel=1e-3)
    assert found["collapsed_to"].to_dict() == {
        "truth": "", "half": "", "noisy": "", "no_change": "no_change", "mean": "mean", "ridge": "mean",
    }  # fmt: skip
    for name in ("no_change", "mean", "ridge"):
        assert found.loc[name, ["ratio", "sd_predicted"]].tolist() == [0, 0]
        assert found.loc[name, "note"] == "same prediction for every unseen perturbation"
    table = _store.table(adata, "variance_ratio", made_by="")
    genes = table[(table["level"] == "gene") & (table["model"] == "half")]
    assert genes["gene"].tolist() == adata.var_names.tolist()
    known = genes["ratio"].notna()
    assert 20 < known.sum() < 300
    assert genes["ratio"].median() == pytest.approx(0.5, abs=0.15)
    np.testing.assert_allclose(genes["sd_predicted"][known] / genes["sd_observed"][known], genes["ratio"][known])
    assert table.columns.tolist() == columns("variance_ratio")


@pytest.mark.parametrize("n_folds", [5, 30])
def test_cross_fitted_constants_do_not_vary(n_folds):
    cells = spb.ds.simulate(3_000, 150, 30, keep_counts=False, rng=4)
    audit = spb.tl.audit(cells, models=("mean", "ridge"), regimes=("full",), n_folds=n_folds)["full"]
    variance_ratio(audit)
    found = screen_rows(audit)
    assert found["ratio"].tolist() == [0, 0]
    assert found["collapsed_to"].tolist() == ["mean", "mean"]
    # The means of folds differ, by more the fewer there are; that is not what a model says of perturbations.
    assert spb.get.predictions(audit, "mean").iloc[1:].std().max() > 1e-3


def test_same_rows_whatever_else_is_compared(profiles):
    adata = profiles[0].copy()
    spb.tl.fit_mean(adata)
    test = sorted(set(adata.obs["perturbation"][adata.obs["split"] == "test"]))
    spb.tl.add_predictions(adata, oracle(profiles[1], 0.5).loc[test], key_added="half", test=test)
    variance_ratio(adata)
    both = screen_rows(adata).loc["half"]
    copied = variance_ratio(adata, "half", copy=True)
    pd.testing.assert_series_equal(screen_rows(copied).loc["half"], both)
    assert set(screen_rows(adata).index) == {"mean", "half"}


def test_no_models_no_rows(profiles):
    table = variance_ratio_table(_moments.of(profiles[0]), {})
    assert table.empty
    assert table.columns.tolist() == columns("variance_ratio")
