"""Profiles against numpy: means, halves, variances, control blocks, batches, labels."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import scpertbias as spb


def group(adata, name):
    return (adata.obs["perturbation"] == name).to_numpy()


@pytest.mark.parametrize("kind", ["csr", "csc", "dense"])
def test_means_and_variances(make_cells, dense, kind):
    adata = make_cells(kind=kind)
    profiles = spb.pp.profiles(adata)
    assert profiles.obs_names.tolist() == ["control", "JAK2", "MYC", "SPI1", "STAT1", "STAT2", "STAT3"]
    values = dense(adata.X)
    for name in profiles.obs_names:
        row = profiles[name]
        np.testing.assert_allclose(np.ravel(row.X), values[group(adata, name)].mean(0), rtol=1e-6)
        np.testing.assert_allclose(np.ravel(row.layers["var"]), values[group(adata, name)].var(0, ddof=1), rtol=1e-5)
    assert profiles.X.dtype == np.float64
    assert profiles.obs["n_cells"].tolist() == [90, 40, 40, 40, 40, 40, 40]
    assert profiles.obs["is_reference"].tolist() == [True] + [False] * 6
    assert profiles.obs["target_measured"].tolist() == [False, True, True, False, True, False, False]
    assert profiles.obs["used"].all()


def test_halves_and_blocks_add_up(cells):
    profiles = spb.pp.profiles(cells)
    one, two = profiles.layers["half_1"], profiles.layers["half_2"]
    np.testing.assert_allclose((one + two) / 2, profiles.X)
    assert np.abs(one - two).max() > 0.05
    blocks = profiles.varm["control_blocks"]
    assert blocks.shape == (cells.n_vars, 20)
    n = np.asarray(profiles.uns["scpertbias"]["profiles"]["n_blocks"])
    assert n.sum() == 90
    np.testing.assert_allclose(blocks[:, :10] @ n[:10], 0, atol=1e-9)  # about the mean of their own half
    np.testing.assert_allclose(blocks[:, 10:] @ n[10:], 0, atol=1e-9)


def test_each_batch_is_centered_by_its_own_control(cells, dense):
    values, run = dense(cells.X), cells.obs["run"].to_numpy()
    control = group(cells, "control")
    shifted = values.copy()
    for level in ("a", "b"):
        shifted[run == level] += values[control].mean(0) - values[control & (run == level)].mean(0)
    profiles = spb.pp.profiles(cells, batch_key="run")
    for name in profiles.obs_names:
        np.testing.assert_allclose(profiles[name].X[0], shifted[group(cells, name)].mean(0), rtol=1e-6)
    for half in ("half_1", "half_2"):  # each by its own half of the control, so that the two share no cell
        assert np.abs(profiles.to_df(half).loc["control"] - profiles["control"].X[0]).max() > 1e-3


def test_order_of_cells_does_not_matter(cells):
    order = np.random.default_rng(0).permutation(cells.n_obs)
    one, other = spb.pp.profiles(cells, batch_key="run"), spb.pp.profiles(cells[order], batch_key="run")
    for layer in (None, "half_1", "half_2", "var"):
        np.testing.assert_allclose(one.to_df(layer), other.to_df(layer), atol=1e-12)
    different = spb.pp.profiles(cells, batch_key="run", rng=1)
    assert np.abs(different.layers["half_1"] - one.layers["half_1"]).max() > 0.01


def test_counts_are_normalized_on_the_way(cells, dense):
    counts = cells.copy()
    counts.X = cells.layers["counts"].copy()
    sc.pp.normalize_total(counts, target_sum=1e4)
    sc.pp.log1p(counts)
    cells.obs["size"] = dense(cells.layers["counts"]).sum(1)
    expected = spb.pp.profiles(counts)
    for size in (None, "size"):
        profiles = spb.pp.profiles(cells, layer="counts", normalize=True, size_factors=size)
        np.testing.assert_allclose(profiles.X, expected.X, rtol=1e-5)
        np.testing.assert_allclose(profiles.layers["var"], expected.layers["var"], rtol=1e-4)


def test_rows_for_each_split(cells):
    spb.pp.split(cells, unit="cell", fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(cells)
    assert profiles.obs_names.tolist()[:3] == ["control_train", "JAK2_train", "JAK2_test"]
    assert profiles.n_obs == 13
    cells_of = group(cells, "JAK2") & (cells.obs["split"] == "test").to_numpy()
    np.testing.assert_allclose(profiles["JAK2_test"].X[0], cells.X.toarray()[cells_of].mean(0), rtol=1e-6)


def test_guides_are_halved_besides(cells):
    cells.obs["guide"] = [f"{p}_g{i % 2}" for i, p in enumerate(cells.obs["perturbation"].astype(str))]
    profiles = spb.pp.profiles(cells, guide_key="guide")
    for i in (0, 1):
        mine = cells.X.toarray()[(cells.obs["guide"] == f"STAT1_g{i}").to_numpy()].mean(0)
        np.testing.assert_allclose(profiles["STAT1"].layers[f"guide_half_{i + 1}"][0], mine, rtol=1e-6)
    expected = spb.pp.profiles(cells)
    np.testing.assert_allclose(profiles.layers["half_1"], expected.layers["half_1"], rtol=1e-9)


def test_cells_left_out_are_counted(make_cells):
    cells = make_cells()
    labels = cells.obs["perturbation"].astype(object)
    mine = np.flatnonzero(labels == "MYC")
    labels.iloc[mine[:25]] = "unassigned"
    labels.iloc[np.flatnonzero(labels == "STAT2")[:4]] = np.nan
    cells.obs["perturbation"] = labels
    profiles = spb.pp.profiles(cells)
    record = profiles.uns["scpertbias"]["profiles"]
    counts = dict(zip(record["left_out_reason"], record["left_out_cells"], strict=True))
    assert counts == {"no label": 4, "unassigned": 25}
    assert not profiles.obs.loc["MYC", "used"]
    assert profiles.obs.loc["MYC", "reason"] == "15 cells, fewer than min_cells=20"
    assert profiles.obs.loc["STAT2", "n_cells"] == 36


def test_covariates_by_one_name(cells):
    profiles = spb.pp.profiles(cells, covariates="stress")
    assert list(profiles.uns["scpertbias"]["profiles"]["covariates"]) == ["stress"]
    means = cells.obs.groupby("perturbation", observed=True)["stress"].mean()
    np.testing.assert_allclose(profiles.obsm["covariates"][:, 0], means[profiles.obs_names])


def test_var_is_carried_over_and_cells_are_untouched(cells):
    cells.var["mt"] = cells.var_names.str.startswith("MT-")
    before = cells.copy()
    profiles = spb.pp.profiles(cells, batch_key="run")
    pd.testing.assert_frame_equal(profiles.var, before.var)
    profiles.var["mt"] = False
    pd.testing.assert_frame_equal(cells.var, before.var)
    pd.testing.assert_frame_equal(cells.obs, before.obs)
    assert "scpertbias" not in cells.uns


def test_round_trip(cells, tmp_path):
    profiles = spb.pp.profiles(cells, batch_key="run", covariates=["stress"])
    profiles.write_h5ad(tmp_path / "profiles.h5ad")
    back = ad.read_h5ad(tmp_path / "profiles.h5ad")
    for adata in (profiles, back):
        spb.pp.regress_mt_ribo(adata, covariates=["stress"])
    np.testing.assert_array_equal(back.layers["regressed"], profiles.layers["regressed"])


def test_profiles_are_refused(cells):
    with pytest.raises(ValueError, match="already contains profiles; pass the cells"):
        spb.pp.profiles(spb.pp.profiles(cells))


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"layer": "counts"}, ValueError, "raw counts.*normalize=True"),
        ({"normalize": True}, ValueError, "`normalize=True` expects raw counts"),
        ({"reference": "none"}, ValueError, "`reference`"),
        ({"groupby": "guide"}, KeyError, "control-like label"),
        ({"batch_key": "nope"}, KeyError, "`batch_key`"),
        ({"min_cells": 50}, ValueError, "min_cells=50"),
        ({"covariates": ["nope"]}, KeyError, "`covariates`"),
        ({"size_factors": "depth"}, ValueError, "normalize=True was not passed"),
    ],
)
def test_wrong_input(cells, kwargs, error, words):
    with pytest.raises(error, match=words):
        spb.pp.profiles(cells, **kwargs)
