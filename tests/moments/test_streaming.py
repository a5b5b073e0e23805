"""Wherever the cells are, the profiles are the same, and no more of them is held than asked for."""

import warnings

import anndata as ad
import dask.array as da
import h5py
import numpy as np
import pytest
from scipy import sparse
from tqdm.auto import tqdm

import scpertbias as spb
from scpertbias._moments import streaming

COVARIATES = ["pct_counts_mt", "pct_counts_ribo"]


@pytest.fixture(scope="module")
def cells():
    adata = spb.ds.simulate(2500, 60, 8, n_batches=2, rng=3)
    rng = np.random.default_rng(0)
    adata.obs["lot"] = rng.choice(["a", "b", "c"], adata.n_obs)
    adata.obs["lane"] = rng.integers(0, 4, adata.n_obs)
    adata.layers["columns"] = adata.X.tocsc()
    adata.layers["dense"] = adata.X.toarray()
    return adata


@pytest.fixture(scope="module")
def stored(cells, tmp_path_factory):
    """The same cells in files, by format."""
    folder = tmp_path_factory.mktemp("stored")
    for name, x in {
        "csr": cells.X,
        "csc": cells.X.tocsc(),
        "dense": cells.X.toarray(),
        "counts": cells.layers["counts"],
    }.items():
        made = ad.AnnData(x, obs=cells.obs, var=cells.var)
        made.write_h5ad(folder / f"{name}.h5ad")
        made.write_zarr(folder / f"{name}.zarr")
    made = ad.AnnData(cells.layers["counts"].tocsc(), obs=cells.obs, var=cells.var)
    made.write_h5ad(folder / "counts_csc.h5ad")
    return folder


def pseudobulk(adata, **kwargs):
    return spb.pp.profiles(adata, batch_key="gem_group", **kwargs)


def lazily(path, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # read_lazy announces what it is
        return ad.experimental.read_lazy(path, **kwargs)


def same(found, expected, tol=1e-9):
    assert found.obs_names.tolist() == expected.obs_names.tolist()
    assert found.var_names.tolist() == expected.var_names.tolist()
    np.testing.assert_allclose(found.X, expected.X, rtol=tol, atol=tol)
    for slot in ("layers", "varm", "obsm"):
        ours, theirs = getattr(found, slot), getattr(expected, slot)
        assert set(ours) == set(theirs)
        for key in theirs:
            np.testing.assert_allclose(ours[key], theirs[key], rtol=tol, atol=tol, err_msg=f"{slot} {key}")
    assert found.obs["n_cells"].tolist() == expected.obs["n_cells"].tolist()
    ours, theirs = (a.uns["scpertbias"]["profiles"] for a in (found, expected))
    assert ours.keys() == theirs.keys()
    assert list(theirs["obs_columns"]) == ["guide", "lot", "lane"]
    for key in ("obs_columns", "obs_columns_status"):
        assert list(ours[key]) == list(theirs[key])
    for key in theirs:
        if key.startswith(("levels_", "quality_", "covariates_")):
            np.testing.assert_allclose(ours[key], theirs[key], rtol=tol, atol=tol, err_msg=key)


def opened(path, how):
    if how == "backed":
        return ad.read_h5ad(path.with_suffix(".h5ad"), backed="r")
    return lazily(path.with_suffix(f".{how}"))


@pytest.fixture(scope="module")
def expected(cells):
    return pseudobulk(cells, covariates=COVARIATES)


@pytest.mark.parametrize("how", ["backed", "h5ad", "zarr"])
@pytest.mark.parametrize("name", ["csr", "csc", "dense"])
def test_profiles_are_those_of_cells_in_memory(stored, expected, name, how):
    adata = opened(stored / name, how)
    for chunk_memory in (0.5, 2e-5):
        found = pseudobulk(adata, covariates=COVARIATES, chunk_memory=chunk_memory)
        same(found, expected)


def test_levels_and_depth_are_kept(expected):
    assert expected.obsm["levels"].shape == (9, 14)  # three lots and four lanes in two batches
    assert expected.varm["control_by_level"].shape == (60, 14)
    assert expected.varm["mt_percent_slopes"].shape == expected.varm["depth_slopes"].shape == (60, 2)
    assert expected.obsm["quality"].shape == (9, 2)


@pytest.mark.parametrize("name", ["counts", "counts_csc"])
@pytest.mark.parametrize("size_factors", [None, "total_counts"])
def test_raw_counts_are_normalized_on_the_way(cells, stored, name, size_factors):
    asked = {"normalize": True, "size_factors": size_factors}
    expected = pseudobulk(cells, layer="counts", **asked)
    found = pseudobulk(opened(stored / name, "backed"), **asked, chunk_memory=2e-5)
    del expected.uns["scpertbias"]["profiles"]["layer"], found.uns["scpertbias"]["profiles"]["layer"]
    same(found, expected)


def test_a_dask_array_of_any_blocks(cells, expected):
    for blocks in ((400, -1), ((1, 1999, 500), (25, 35)), (-1, 9)):
        x = da.from_array(cells.layers["dense"], chunks=blocks)
        found = pseudobulk(ad.AnnData(x, obs=cells.obs, var=cells.var), covariates=COVARIATES, chunk_memory=1e-5)
        same(found, expected)


@pytest.mark.parametrize("name", ["columns", "dense"])
def test_a_layer_that_is_lazy(cells, stored, expected, name, tmp_path):
    cells.write_h5ad(tmp_path / "all.h5ad")
    found = pseudobulk(lazily(tmp_path / "all.h5ad"), layer=name, covariates=COVARIATES, chunk_memory=1e-5)
    same(found, expected)
    with h5py.File(stored / "csr.h5ad") as file:
        x = ad.io.sparse_dataset(file["X"])
        adata = ad.AnnData(obs=cells.obs, var=cells.var, layers={"on_disk": x})
        same(pseudobulk(adata, layer="on_disk", covariates=COVARIATES), expected)


def test_no_more_cells_are_held_than_asked_for(stored, monkeypatch):
    adata = opened(stored / "csr", "backed")
    held = []
    real = streaming.chunks

    def watched(x, *, n_bytes):
        for chunk in real(x, n_bytes=n_bytes):
            held.append(chunk.x.data.nbytes + chunk.x.indices.nbytes)
            yield chunk

    monkeypatch.setattr(streaming, "chunks", watched)
    pseudobulk(adata, chunk_memory=1e-4)
    assert len(held) > 5
    assert max(held) <= 1e-4 * 1e9 / 2


def test_a_wrong_value_is_found_wherever_it_is(cells, tmp_path):
    x = cells.X.copy()
    x.data[-1] = np.nan
    ad.AnnData(x, obs=cells.obs, var=cells.var).write_h5ad(tmp_path / "nan.h5ad")
    with pytest.raises(ValueError, match="contains NaN"):
        pseudobulk(ad.read_h5ad(tmp_path / "nan.h5ad", backed="r"), chunk_memory=1e-5)


@pytest.mark.parametrize(
    ("name", "kwargs", "match"),
    [
        ("counts", {}, "seems to contain raw counts"),
        ("csr", {"normalize": True}, "expects raw counts"),
        ("csr", {"chunk_memory": 0}, "`chunk_memory` is 0"),
    ],
)
def test_what_is_wrong_is_said(stored, name, kwargs, match):
    with pytest.raises(ValueError, match=match):
        pseudobulk(opened(stored / name, "backed"), **{"chunk_memory": 1e-5, **kwargs})


def test_a_view_of_a_file_is_refused(stored):
    adata = opened(stored / "csr", "backed")
    with pytest.raises(ValueError, match="view of cells in a file.*NaN"):
        pseudobulk(adata[::2])


def test_cells_without_a_label_are_left_out_as_the_error_says(cells, stored):
    adata = opened(stored / "csr", "backed")
    keep = np.arange(adata.n_obs) % 3 > 0
    adata.obs["perturbation"] = adata.obs["perturbation"].astype(object).where(keep)
    expected = pseudobulk(cells[keep].copy())
    np.testing.assert_allclose(pseudobulk(adata).X, expected.X, rtol=1e-9)


def test_a_lazy_view_is_read(cells, stored):
    adata = lazily(stored / "csr.h5ad")[::2]
    np.testing.assert_allclose(pseudobulk(adata).X, pseudobulk(cells[::2].copy()).X, rtol=1e-9)


def test_the_input_is_left_as_it_was(stored):
    adata = opened(stored / "csr", "backed")
    before = adata.obs.copy()
    pseudobulk(adata)
    assert adata.isbacked
    assert adata.obs.equals(before)
    assert not adata.uns


@pytest.mark.parametrize(("verbosity", "shown"), [(0, False), (1, True)])
def test_a_bar_shows_progress(stored, monkeypatch, verbosity, shown):
    import scanpy as sc

    sc.settings.verbosity = verbosity
    bars = []

    class Bar(tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            if not self.disable:
                bars.append(self)

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    pseudobulk(opened(stored / "csr", "backed"), chunk_memory=1e-4)
    assert [bar.n for bar in bars] == [2500] * shown
    assert all(bar.total == 2500 for bar in bars)


def test_what_needs_cells_in_memory_says_so(stored):
    for adata in (opened(stored / "csr", "backed"), opened(stored / "csr", "zarr")):
        with pytest.raises(ValueError, match=r"2500 cells × 60 genes.*pp.profiles"):
            spb.tl.fit_mean(adata)


def test_is_sparse_of_every_kind(cells, expected):
    for form in (sparse.csr_array, sparse.csc_array, sparse.csr_matrix, sparse.csc_matrix):
        made = ad.AnnData(form(cells.X), obs=cells.obs, var=cells.var)
        same(pseudobulk(made, covariates=COVARIATES), expected)
