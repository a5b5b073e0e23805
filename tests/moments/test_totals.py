import dask.array as da
import numpy as np
import pytest
from scipy import sparse

from scpertbias import _scale
from scpertbias._moments.totals import read_totals

N, G = 300, 12


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(0).poisson(1.5, (N, G)).astype(np.float32)


FORMS = {
    "dense": np.asarray,
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "dask of cells": lambda x: da.from_array(x, chunks=(70, -1)).map_blocks(sparse.csr_matrix),
    "dask of genes": lambda x: da.from_array(x, chunks=(-1, 5)),
}


@pytest.mark.parametrize("form", FORMS)
def test_everything_is_that_of_the_whole(counts, form):
    rng = np.random.default_rng(1)
    sets = {"a": np.arange(G) < 3, "b": np.arange(G) % 2 == 0, "none": np.zeros(G, bool)}
    control, sample = rng.random(N) < 0.3, np.sort(rng.choice(N, 40, replace=False))
    check = _scale.Scale(layer=None, normalize=True)
    found = read_totals(FORMS[form](counts), sets=sets, control=control, sample=sample, check=check, chunk_memory=1e-5)
    np.testing.assert_allclose(found.totals, counts.sum(axis=1))
    for name, genes in sets.items():
        np.testing.assert_allclose(found.within[name], counts[:, genes].sum(axis=1))
    np.testing.assert_allclose(found.mean, counts[control].mean(axis=0), rtol=1e-6)
    values = found.sample.toarray() if sparse.issparse(found.sample) else found.sample
    np.testing.assert_array_equal(values, counts[sample])
    np.testing.assert_array_equal(found.at, sample)


def test_values_are_looked_at(counts):
    check = _scale.Scale(layer="x", normalize=False)
    with pytest.raises(ValueError, match=r"layers\['x'\] seems to contain raw counts"):
        read_totals(counts, sets={}, control=np.ones(N, bool), sample=np.arange(0), check=check, chunk_memory=1.0)
