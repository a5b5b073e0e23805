"""Regressing covariates out: scanpy's residuals on all cells, least squares on control or training cells."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import scpertbias as spb
from scpertbias import _moments
from scpertbias.pp._regress import fit_cells, regress_profiles

BOTH = ["stress", "depth"]


def least_squares(values, covariates, rows):
    """Slopes of a fit with intercept on some rows."""
    design = np.column_stack([np.ones(rows.sum()), covariates[rows]])
    return np.linalg.lstsq(design, values[rows], rcond=None)[0][1:]


def centered(values):
    values = np.asarray(values, dtype=np.float64)
    return values - values.mean(0)


@pytest.mark.parametrize("kind", ["csr", "csc", "dense"])
@pytest.mark.parametrize("covariates", [["stress"], BOTH])
def test_all_cells_equal_scanpy(make_cells, dense, kind, covariates):
    adata = make_cells(kind=kind)
    adata.obs.loc[adata.obs_names[:7], "perturbation"] = np.nan  # cells without a label are cells too
    spb.pp.regress_mt_ribo(adata, covariates=covariates, fit_on="all")
    other = adata.copy()
    other.X = dense(adata.X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's, about scanpy's own arrays
        sc.pp.regress_out(other, covariates)
    difference = centered(adata.layers["regressed"]) - centered(other.X)
    assert np.abs(difference).max() < 1e-5
    assert np.abs(centered(adata.layers["regressed"]) - centered(dense(adata.X))).max() > 0.1


@pytest.mark.parametrize("fit_on", ["control", "train", "all"])
def test_equals_least_squares(cells, dense, fit_on):
    cells.obs["split"] = np.where(cells.obs["perturbation"].isin(["STAT1", "MYC"]), "test", "train")
    control = (cells.obs["perturbation"] == "control").to_numpy()
    rows = {
        "control": control,
        "train": (cells.obs["split"] == "train").to_numpy(),
        "all": np.ones(cells.n_obs, dtype=bool),
    }[fit_on]
    values, covariates = dense(cells.X), cells.obs[BOTH].to_numpy()
    slopes = least_squares(values, covariates, rows)
    if fit_on == "train":  # within perturbations
        within = [values[rows].copy(), covariates[rows].copy()]
        for part in within:
            for name in set(cells.obs["perturbation"][rows]):
                mine = (cells.obs["perturbation"][rows] == name).to_numpy()
                part[mine] -= part[mine].mean(axis=0)
        slopes = least_squares(*within, np.ones(rows.sum(), dtype=bool))
    kept = values - (covariates - covariates[rows].mean(0)) @ slopes
    spb.pp.regress_mt_ribo(cells, covariates=BOTH, fit_on=fit_on)
    np.testing.assert_allclose(cells.layers["regressed"], kept, atol=1e-5)
    spb.pp.regress_mt_ribo(cells, covariates=BOTH, fit_on=fit_on, add_intercept=False, key_added="bare")
    np.testing.assert_allclose(cells.layers["bare"], kept - values[rows].mean(0), atol=1e-5)
    np.testing.assert_allclose(cells.layers["regressed"][rows].mean(0), values[rows].mean(0), atol=1e-5)
    np.testing.assert_array_equal(dense(cells.X), values.astype(np.float32))


def test_held_out_cells_do_not_move_the_slopes(make_cells):
    one = make_cells(kind="dense")
    one.obs["split"] = np.where(one.obs["perturbation"] == "STAT1", "test", "train")
    other, test = one.copy(), (one.obs["split"] == "test").to_numpy()
    other.X[test] += 4 * np.abs(one.obs["stress"].to_numpy()[test, None])
    for adata in (one, other):
        spb.pp.regress_mt_ribo(adata, covariates=["stress"], fit_on="train")
    np.testing.assert_array_equal(one.layers["regressed"][~test], other.layers["regressed"][~test])


def test_batches_fit_within_batches(cells, dense):
    """A covariate that differs between batches does not take the batches's difference with it."""
    cells.obs["stress"] += 5 * (cells.obs["run"] == "b")
    control = (cells.obs["perturbation"] == "control").to_numpy()
    values, stress = dense(cells.X), cells.obs[["stress"]].to_numpy()
    design = np.column_stack([pd.get_dummies(cells.obs["run"]).to_numpy(float), stress])[control]
    slopes = np.linalg.lstsq(design, values[control], rcond=None)[0][2:]
    spb.pp.regress_mt_ribo(cells, covariates=["stress"], batch_key="run")
    expected = values - (stress - stress[control].mean()) @ slopes
    np.testing.assert_allclose(cells.layers["regressed"], expected, atol=1e-5)


@pytest.mark.parametrize("batch_key", [None, "run"])
@pytest.mark.parametrize("fit_on", ["control", "train", "all"])
@pytest.mark.parametrize("add_intercept", [True, False])
def test_cells_and_profiles_agree(cells, same_profiles, batch_key, fit_on, add_intercept):
    cells.obs["split"] = np.where(cells.obs["perturbation"].isin(["STAT1", "MYC"]), "test", "train")
    cells.obs["stress"] += 2 * (cells.obs["run"] == "b")
    profiles = spb.pp.profiles(cells, batch_key=batch_key, covariates=BOTH)
    asked = {"covariates": BOTH, "fit_on": fit_on, "add_intercept": add_intercept}
    spb.pp.regress_mt_ribo(profiles, **asked)
    spb.pp.regress_mt_ribo(cells, batch_key=batch_key, **asked)
    expected = spb.pp.profiles(cells, layer="regressed", batch_key=batch_key)
    same_profiles(profiles, "regressed", expected, variance=batch_key is None)


def settings(**changes):
    """What labels, batches and values of cells are read by."""
    data = dict.fromkeys(["reference", "combination_sep", "label_map", "batch_key", "layer", "gene_symbols"])
    return {**data, "groupby": "perturbation", "min_cells": 20, "split_key": "split", **changes}


@pytest.mark.parametrize("kind", ["csr", "csc", "dense"])
@pytest.mark.parametrize("batch_key", [None, "run"])
@pytest.mark.parametrize("fit_on", ["control", "train", "all"])
def test_cells_have_the_slopes_of_their_moments(make_cells, kind, batch_key, fit_on):
    cells = make_cells(kind=kind)
    labels = cells.obs["perturbation"].astype(object)
    cells.obs["split"] = np.where(labels.isin(["STAT1", "MYC"]), "test", "train")
    cells.obs["stress"] += 2 * (cells.obs["run"] == "b")
    if batch_key is not None:  # cells without a label, and cells of a batch with few controls, have no part in it
        labels.iloc[:7] = None
        cells.obs["perturbation"], cells.obs["run"] = labels, cells.obs["run"].where(np.arange(cells.n_obs) > 20, "c")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*are left out, because their batch has fewer than 10 control cells")
        moments = _moments.of(cells, covariates=BOTH, batch_key=batch_key)
        fit = fit_cells(cells, BOTH, fit_on, settings(batch_key=batch_key), add_intercept=False)
    expected = regress_profiles(moments, BOTH, fit_on=fit_on, add_intercept=False)[1]
    assert fit.covariates == expected.covariates
    np.testing.assert_allclose(fit.slopes.slopes, expected.slopes.slopes, rtol=1e-10)
    np.testing.assert_allclose(fit.slopes.center, expected.slopes.center, rtol=1e-10)
    np.testing.assert_allclose(fit.slopes.shift, expected.slopes.shift, rtol=1e-10)


def few_controls_in_a_batch(cells):
    cells.obs["run"] = np.where(np.arange(cells.n_obs) < 20, "c", cells.obs["run"])
    return {"batch_key": "run"}


def ids_for_names(cells):
    cells.var_names = [f"ENSG{i:011d}" for i in range(cells.n_vars)]
    return {}


def likely_batches(cells):
    cells.obs["batch"] = cells.obs["run"]
    return {}


def one_row_per_guide(cells):
    cells.obs_names = [f"cell{i // 2}" for i in range(cells.n_obs)]
    return {}


def negative(cells):
    cells.X = cells.X.copy()
    cells.X.data[5] = -2
    return {}


def missing_value(cells):
    cells.X = cells.X.copy()
    cells.X.data[-5] = np.nan
    return {}


@pytest.mark.parametrize("fit_on", ["control", "train"])
@pytest.mark.parametrize(
    "case",
    [
        few_controls_in_a_batch,
        ids_for_names,
        likely_batches,
        one_row_per_guide,
        negative,
        missing_value,
        lambda cells: {"batch_key": "perturbation"},
        lambda cells: {"groupby": "run"},
        lambda cells: {"reference": "none"},
        lambda cells: {"min_cells": 1000},
        lambda cells: {"layer": "counts"},
        lambda cells: {"layer": "nope"},
        lambda cells: {"gene_symbols": "nope"},
    ],
)
def test_cells_are_checked_as_for_their_moments(cells, case, fit_on):
    """Whatever is refused or warned of before moments are made is refused or warned of here, in the same words."""
    arguments = case(cells)

    def messages(function):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                function(cells.copy(), covariates=BOTH, **arguments)
            except (ValueError, KeyError, TypeError) as error:
                return [str(w.message) for w in caught], repr(error)
        return [str(w.message) for w in caught], ""

    expected = messages(_moments.of)
    assert any(expected)
    assert messages(lambda cells, **how: spb.pp.regress_mt_ribo(cells, fit_on=fit_on, **how)) == expected


def test_profiles_take_some_of_their_covariates(cells, same_profiles):
    profiles = spb.pp.profiles(cells, covariates=BOTH)
    spb.pp.regress_mt_ribo(profiles, covariates="depth")
    spb.pp.regress_mt_ribo(cells, covariates="depth")
    same_profiles(profiles, "regressed", spb.pp.profiles(cells, layer="regressed"))
    with pytest.raises(ValueError, match=r"have the covariates \['stress', 'depth'\], but not \['other'\].*profiles"):
        spb.pp.regress_mt_ribo(profiles, covariates=["other"])
    with pytest.raises(ValueError, match=r"have the covariates \[\].*profiles"):
        spb.pp.regress_mt_ribo(spb.pp.profiles(cells), covariates=BOTH)


def test_missing_fractions_name_scanpys_call(cells):
    with pytest.raises(KeyError) as error:
        spb.pp.regress_mt_ribo(cells)
    text = str(error.value)
    assert "pct_counts_mt" in text
    assert "sc.pp.calculate_qc_metrics(adata, qc_vars=['mt', 'ribo'], layer='counts'" in text
    assert "not from log values" in text
    # and the call is one that works
    spb.pp.annotate_confounders(cells)
    sc.pp.calculate_qc_metrics(cells, qc_vars=["mt", "ribo"], layer="counts", percent_top=None, inplace=True)
    spb.pp.regress_mt_ribo(cells)
    assert "regressed" in cells.layers


@pytest.mark.parametrize("useless", ["constant", "constant in control", "repeats"])
@pytest.mark.parametrize("on", ["cells", "profiles"])
def test_a_useless_covariate_is_dropped_with_a_warning(cells, useless, on):
    control = cells.obs["perturbation"] == "control"
    cells.obs["extra"] = {
        "constant": 0.1,
        "constant in control": np.where(control, 0.1, cells.obs["depth"]),
        "repeats": 100 - 3 * cells.obs["stress"],
    }[useless]
    data = cells if on == "cells" else spb.pp.profiles(cells, covariates=["stress", "extra"])
    with pytest.warns(UserWarning, match=r"left out: \['extra'\]") as caught:
        spb.pp.regress_mt_ribo(data, covariates=["stress", "extra"])
    assert len(caught) == 1
    spb.pp.regress_mt_ribo(data, covariates=["stress"], key_added="alone")
    np.testing.assert_allclose(data.layers["regressed"], data.layers["alone"], atol=1e-6)
    with pytest.raises(ValueError, match="none of .*varies") if useless != "repeats" else warnings.catch_warnings():
        spb.pp.regress_mt_ribo(data, covariates=["extra"], key_added="gone")


def test_a_covariate_that_varies_between_perturbations_only(cells, dense):
    cells.obs["level"] = cells.obs["perturbation"].astype(str).map(len).astype(float)
    rows = np.ones(cells.n_obs, dtype=bool)
    slopes = least_squares(dense(cells.X), cells.obs[["level"]].to_numpy(), rows)
    profiles = spb.pp.profiles(cells, covariates=["level"])
    with pytest.raises(ValueError, match="none of .'level'. varies"):
        spb.pp.regress_mt_ribo(profiles, covariates=["level"], fit_on="train")
    spb.pp.regress_mt_ribo(profiles, covariates=["level"], fit_on="all")
    level = profiles.obs["perturbation"].astype(str).map(len).to_numpy(float)[:, None]
    expected = profiles.X - (level - cells.obs["level"].mean()) @ slopes
    np.testing.assert_allclose(profiles.layers["regressed"], expected, atol=1e-6)


def test_tiny_and_large_units_do_not_matter(cells):
    spb.pp.regress_mt_ribo(cells, covariates=BOTH)
    cells.obs["stress"] *= 1e-9
    cells.obs["depth"] = 1e6 * cells.obs["depth"] + 1e7
    spb.pp.regress_mt_ribo(cells, covariates=BOTH, key_added="rescaled")
    np.testing.assert_allclose(cells.layers["rescaled"], cells.layers["regressed"], atol=1e-5)


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"covariates": ["run"]}, TypeError, r"obs\['run'\].*numeric"),
        ({"covariates": ["gaps"]}, ValueError, r"obs\['gaps'\] is missing or infinite in 3 cells"),
        ({"covariates": ["nope"]}, KeyError, r"obs has no column 'nope'"),
        ({"covariates": []}, ValueError, "`covariates` is empty"),
        ({"covariates": ["stress"], "fit_on": "test"}, ValueError, "`fit_on` is 'test'"),
        ({"covariates": ["stress"], "key_added": "half_1"}, ValueError, "`key_added"),
        ({"covariates": ["stress"], "layer": "counts"}, ValueError, "raw counts"),
        ({"covariates": ["stress"], "layer": "counts", "fit_on": "all"}, ValueError, "raw counts"),
    ],
)
def test_wrong_input_changes_nothing(cells, kwargs, error, words):
    cells.obs["gaps"] = np.where(np.arange(cells.n_obs) < 3, np.nan, 1.0)
    with pytest.raises(error, match=words):
        spb.pp.regress_mt_ribo(cells, **kwargs)
    assert set(filter(None, cells.layers)) == {"counts"}
    assert "scpertbias" not in cells.uns


def test_above_the_memory_limit_profiles_are_named(cells):
    sc.settings.max_memory = 1e-9
    with pytest.raises(ValueError, match="max_memory.*profiles"):
        spb.pp.regress_mt_ribo(cells, covariates=["stress"])
