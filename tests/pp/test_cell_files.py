"""Cells are written in parts as they would be written at once."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scpertbias._moments.batch import Normalization
from scpertbias.pp._cell_files import CellFile, CellValues, Residual, write_cell_files

N, G = 40, 9


@pytest.fixture(params=["csr", "csc", "dense"])
def x(request):
    values = sparse.random(N, G, density=0.4, format="csr", rng=0, dtype=np.float64)
    values.data = np.ceil(values.data * 9)
    return values.toarray() if request.param == "dense" else values.asformat(request.param)


def tables():
    cells, genes = (
        pd.DataFrame({"a": np.arange(n)}, index=[f"{s}{i}" for i in range(n)]) for s, n in (("c", N), ("g", G))
    )
    return cells, genes


@pytest.mark.parametrize("chunk_memory", [1e-7, 1.0])
def test_any_parts_give_the_same(x, chunk_memory, tmp_path):
    dense = np.asarray(x.todense()) if sparse.issparse(x) else x
    size = np.maximum(dense.sum(axis=1), 1.0)
    rows, genes = np.arange(N) % 3 > 0, np.array([0, 4, 7])
    obs, var = tables()
    residual = Residual(np.arange(N, dtype=float)[:, None], np.ones((1, 3)))
    files = [
        CellFile(tmp_path / "some.h5ad", obs, var, rows, genes),
        CellFile(tmp_path / "all.h5ad", obs, var, np.ones(N, dtype=bool), np.arange(G)),
        CellFile(tmp_path / "dense.h5ad", obs, var, rows, genes, residual),
    ]
    values = CellValues(x, np.arange(G), Normalization(10.0, size, "size"), chunk_memory=chunk_memory)
    write_cell_files(values, files)
    some, everything, regressed = (ad.read_h5ad(file.path) for file in files)
    logged = np.log1p(10 * dense / size[:, None])
    np.testing.assert_allclose(everything.X.toarray(), logged, rtol=1e-6)
    np.testing.assert_array_equal(everything.layers["counts"].toarray(), dense)
    np.testing.assert_allclose(some.X.toarray(), logged[rows][:, genes], rtol=1e-6)
    np.testing.assert_array_equal(some.layers["counts"].toarray(), dense[rows][:, genes])
    assert some.obs_names.equals(obs.index[rows])
    assert some.var_names.equals(var.index[genes])
    np.testing.assert_allclose(regressed.X, logged[rows][:, genes] - np.flatnonzero(rows)[:, None], rtol=1e-5)
    assert not list(regressed.layers)
    assert files[2].dense_bytes == regressed.X.nbytes


def test_columns_that_are_no_genes_are_left_out(x, tmp_path):
    obs, var = tables()
    genes = np.array([1, 2, 5])
    file = CellFile(tmp_path / "x.h5ad", obs, var.iloc[genes], np.ones(N, dtype=bool), np.arange(3))
    write_cell_files(CellValues(x, genes, None, counts=x), [file])
    dense = np.asarray(x.todense()) if sparse.issparse(x) else x
    again = ad.read_h5ad(file.path)
    for values in (again.X, again.layers["counts"]):
        np.testing.assert_array_equal(values.toarray(), dense[:, genes])
