"""z-scores by the training cells, against numpy; test cells are never looked at."""

import numpy as np
import pytest

import scpertbias as spb


def with_split(adata, **parts):
    adata.obs["split"] = adata.obs["perturbation"].astype(str).map(lambda p: parts.get(p, "train"))
    return adata


@pytest.mark.parametrize("kind", ["csr", "csc", "dense"])
def test_equals_manual_z_scores(make_cells, dense, kind):
    adata = with_split(make_cells(kind=kind), STAT1="test", MYC="val")
    values = dense(adata.X)
    spb.pp.standardize(adata)
    train = (adata.obs["split"] == "train").to_numpy()
    expected = (values - values[train].mean(0)) / values[train].std(0, ddof=1)
    np.testing.assert_allclose(adata.layers["standardized"], expected, atol=1e-5)
    assert adata.layers["standardized"].dtype == np.float32
    np.testing.assert_array_equal(dense(adata.X), values)


def test_held_out_cells_are_never_looked_at(make_cells):
    one, other = with_split(make_cells(kind="dense"), STAT1="test", MYC="val"), None
    other = one.copy()
    held_out = (one.obs["split"] != "train").to_numpy()
    other.X[held_out] += 3.0
    for adata in (one, other):
        spb.pp.standardize(adata)
    np.testing.assert_array_equal(one.layers["standardized"][~held_out], other.layers["standardized"][~held_out])
    assert (other.layers["standardized"][held_out] > one.layers["standardized"][held_out]).all()


def test_few_cells_do_not_count(make_cells, dense):
    adata = make_cells()
    few = np.flatnonzero(adata.obs["perturbation"] == "MYC")[:35]
    adata = adata[np.setdiff1d(np.arange(adata.n_obs), few)].copy()
    spb.pp.standardize(adata)
    values, used = dense(adata.X), (adata.obs["perturbation"] != "MYC").to_numpy()
    expected = (values - values[used].mean(0)) / values[used].std(0, ddof=1)
    np.testing.assert_allclose(adata.layers["standardized"], expected, atol=1e-5)


@pytest.mark.parametrize("constant", [0.0, 1 / 3])
def test_a_constant_gene_is_centered(make_cells, constant):
    adata = make_cells(kind="dense")
    adata.X[:, 3] = constant
    spb.pp.standardize(adata)
    np.testing.assert_allclose(adata.layers["standardized"][:, 3], 0, atol=1e-6)


@pytest.mark.parametrize("batch_key", [None, "run"])
def test_cells_and_profiles_agree(cells, same_profiles, batch_key):
    with_split(cells, STAT1="test", MYC="val")
    profiles = spb.pp.profiles(cells, batch_key=batch_key)
    spb.pp.standardize(profiles)
    spb.pp.standardize(cells, batch_key=batch_key)
    same_profiles(profiles, "standardized", spb.pp.profiles(cells, layer="standardized", batch_key=batch_key))


def test_raw_counts_are_refused(cells):
    with pytest.raises(ValueError, match="raw counts"):
        spb.pp.standardize(cells, layer="counts")
    assert set(filter(None, cells.layers)) == {"counts"}


def test_foreign_layers_are_not_overwritten(cells):
    with pytest.raises(ValueError, match="did not write"):
        spb.pp.standardize(cells, key_added="counts")
