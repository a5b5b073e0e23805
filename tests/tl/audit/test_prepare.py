import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scpertbias as spb
from scpertbias.tl._audit import prepare as preparation
from scpertbias.tl._audit.cross_fit import Variant
from scpertbias.tl._audit.prepare import prepare
from scpertbias.tl._audit.settings import AuditSettings


def run(adata, *, with_net=True, deep=(), **settings):
    models = [Variant(name, "gears", {}) for name in deep] + [Variant("graph", "grn_linear", {})] * with_net
    return prepare(adata, models, None, AuditSettings(**settings))


@pytest.fixture(scope="module")
def adata():
    return spb.ds.simulate(1200, 60, 6, cell_axis_sd=0.4, rng=0)


def test_profiles_and_net_are_those_of_pp(adata):
    ready = run(adata)
    profiles, net = ready.profiles, ready.net
    expected = spb.pp.profiles(adata, covariates=["pct_counts_mt", "pct_counts_ribo"])
    np.testing.assert_array_equal(profiles.X, expected.X)
    pd.testing.assert_frame_equal(net, spb.pp.coexpression_net(adata))
    assert len(net)
    assert ready.notes == []
    assert ready.cells is None
    assert run(adata, with_net=False).net is None
    assert prepare(adata, [], net, AuditSettings()).net is net


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_matrix, np.asarray])
def test_raw_counts(adata, make):
    raw = adata.copy()
    counts = raw.layers["counts"]
    raw.X = counts.toarray() if make is np.asarray else make(counts)
    own = raw.copy()
    total = np.asarray(counts.sum(axis=1)).ravel()
    own.X = np.log1p(counts.toarray().astype(float) * (1e4 / total)[:, None])
    raw.obs = raw.obs.drop(columns=["pct_counts_mt", "pct_counts_ribo"])
    ready, expected = run(raw, normalize=True, deep=("deep",)), run(own)
    profiles = ready.profiles
    np.testing.assert_allclose(profiles.X, expected.profiles.X, atol=1e-9)
    pd.testing.assert_frame_equal(ready.net, expected.net, rtol=1e-6)
    logged = ready.cells.X.toarray() if sparse.issparse(ready.cells.X) else ready.cells.X
    assert logged.dtype == np.float32
    np.testing.assert_allclose(logged, own.X, rtol=1e-6)
    assert "normalized automatically" in ready.notes[1]
    assert ready.notes[0] == "pct_counts_mt, pct_counts_ribo were computed from the raw counts"
    mt = raw.var_names.str.startswith("MT-")
    share = 100 * np.asarray(counts[:, mt].sum(axis=1)).ravel() / total
    control = (raw.obs["perturbation"] == "non-targeting").to_numpy()
    row = profiles.obs["is_reference"].to_numpy()
    assert profiles.obsm["covariates"][row, 0] == pytest.approx(share[control].mean())


def test_covariates_that_are_missing(adata):
    bare = adata.copy()
    bare.obs = bare.obs.drop(columns="pct_counts_mt")
    assert list(run(bare).profiles.uns["scpertbias"]["profiles"]["covariates"]) == ["pct_counts_ribo"]
    with pytest.raises(KeyError, match="percent"):
        run(bare, covariates=["percent"])


def test_many_genes_are_reduced(adata, monkeypatch):
    monkeypatch.setattr(preparation, "MAX_GENES", 20)
    ready = run(adata)
    profiles, notes = ready.profiles, ready.notes
    expected = spb.pp.select_genes(adata, n_top_genes=20, copy=True)
    assert list(profiles.var_names) == list(expected.var_names)
    assert f"{expected.n_vars} of 60 genes were kept" in notes[0]
    assert profiles.var_names.str.startswith("MT-").sum() == adata.var_names.str.startswith("MT-").sum()


def test_a_layer_that_may_be_negative(adata):
    made = spb.pp.standardize(adata, copy=True)
    profiles = run(made, layer="standardized").profiles
    assert profiles.X.min() < 0
    np.testing.assert_allclose(profiles.X, spb.pp.profiles(made, layer="standardized").X)
    assert profiles.uns["scpertbias"]["profiles"]["layer"] == "standardized"


def test_profiles_are_taken_as_they_are(adata):
    given = (
        spb.pp.profiles(adata, batch_key="gem_group")
        if adata.obs["gem_group"].nunique() > 1
        else spb.pp.profiles(adata)
    )
    ready = run(given)
    profiles = ready.profiles
    assert profiles is not given
    assert ready.net is None
    np.testing.assert_array_equal(profiles.X, given.X)
    with pytest.raises(ValueError, match="min_cells"):
        run(given, min_cells=50)
    with pytest.raises(ValueError, match="`layer`"):
        run(given, layer="regressed")
    with pytest.raises(ValueError, match="normalize"):
        run(given, normalize=True)


def test_the_input_is_left_alone(adata):
    before = adata.copy()
    run(adata)
    raw = adata.copy()
    raw.X = raw.layers["counts"].copy()
    kept = raw.copy()
    run(raw, normalize=True)
    pd.testing.assert_frame_equal(raw.obs, kept.obs)
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    assert (raw.X != kept.X).nnz == 0
    assert list(adata.layers) == list(before.layers)
    assert adata.uns.keys() == before.uns.keys()


def test_cells_for_models_that_are_trained_from_them(adata):
    ready = run(adata, deep=("deep", "deeper"))
    assert set(ready.cells.obs["split"]) == {"train", "val", "test"}
    assert ready.notes[-1].startswith("deep, deeper: trained on one split of the perturbations (80 / 10 / 10%")
    assert "split" not in adata.obs
    assert ready.data == AuditSettings().data
    given = adata.copy()
    spb.pp.split(given, fractions=(0.5, 0.0, 0.5), rng=3)
    again = run(given, deep=("deep",))
    assert again.cells.obs["split"].astype(str).tolist() == given.obs["split"].astype(str).tolist()
    assert again.notes == []
    with pytest.raises(ValueError, match="'deep'.*trained on cells, but `adata` contains profiles"):
        run(spb.pp.profiles(adata), deep=("deep",))


def test_an_error_lists_the_columns_of_the_caller_only(adata):
    counts = adata.copy()
    counts.X = counts.layers["counts"]
    counts.obs = counts.obs[["perturbation"]]
    with pytest.raises(KeyError, match=r"obs has no column 'batch'. Its columns are \['perturbation'\]\."):
        run(counts, batch_key="batch", normalize=True)
