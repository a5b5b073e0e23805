"""Cells that come in parts, and genes that go elsewhere or nowhere, give the moments of all at once."""

import numpy as np
import pytest
from scipy import sparse

from scpertbias._core import kernels
from scpertbias._core.accumulators import GroupSums

N, G, L = 300, 11, 7
FORMS = {"dense": np.ascontiguousarray, "csr": sparse.csr_array, "csc": sparse.csc_array}


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    x = rng.poisson(0.7, (N, G)) + 1e3 * (np.arange(G) == 4)
    return x, rng.integers(-1, L, N), 1 / (1 + rng.random(N)), rng.normal(size=(N, 2))


def whole(x, group, **kwargs):
    sums = GroupSums.empty(L, x.shape[1], 2)
    sums.add(x, group, **kwargs)
    return sums


def check(found, expected, rtol=1e-12):
    for name in ("n", "mean", "m2", "cross"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=rtol, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cuts", [[150], [1, 2, 3, 250], list(range(1, N))], ids=["halves", "uneven", "one by one"])
def test_cells_in_parts(cells, form, cuts):
    x, group, scale, deviations = cells
    found = GroupSums.empty(L, G, 2)
    for part in np.split(np.arange(N), cuts):
        found.add(FORMS[form](x[part]), group[part], scale=scale[part], deviations=deviations[part])
    check(found, whole(x, group, scale=scale, deviations=deviations))


@pytest.mark.parametrize("form", FORMS)
def test_genes_go_where_they_are_sent(cells, form):
    x, group, scale, deviations = cells
    keep = np.arange(G) % 3 > 0
    columns = np.where(keep, np.cumsum(keep) - 1, -1)
    expected = whole(x[:, keep], group, scale=scale, deviations=deviations)
    found = GroupSums.empty(L, keep.sum(), 2)
    for part in (slice(0, 90), slice(90, N)):
        found.add(FORMS[form](x[part]), group[part], scale=scale[part], deviations=deviations[part], columns=columns)
    check(found, expected)


def test_parts_in_any_order(cells):
    """Joining costs no precision, even where the mean is far above the spread."""
    rng = np.random.default_rng(1)
    x = 1e4 + 1e-3 * rng.standard_normal((N, 2))
    group = np.zeros(N, dtype=np.int64)
    exact = ((x - x.mean(axis=0)) ** 2).sum(axis=0)
    for order in (np.arange(N), rng.permutation(N)):
        found = GroupSums.empty(1, 2)
        for part in np.split(order, 30):
            found.add(x[part], group[part])
        np.testing.assert_allclose(found.m2[0], exact, rtol=1e-8)


@pytest.mark.parametrize("form", ["dense", "csr"])
def test_same_bits_with_any_number_of_threads(cells, form, several_threads):
    x, group, scale, _ = cells
    found = []
    for n_threads in (1, 3):
        several_threads(n_threads)
        sums = GroupSums.empty(L, G)
        for part in (slice(0, 100), slice(100, N)):
            sums.add(FORMS[form](x[part]), group[part], scale=scale[part])
        found.append(sums)
    np.testing.assert_array_equal(found[0].mean, found[1].mean)
    np.testing.assert_array_equal(found[0].m2, found[1].m2)


def test_the_interpreter_may_go_on_meanwhile():
    """The next cells are read while the kernels run."""
    for kernel in (kernels.csr, kernels.csc, kernels.dense):
        assert kernel.targetoptions["nogil"]
