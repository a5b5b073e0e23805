"""The pass over the cells against plain numpy."""

import numpy as np
import pytest
from scipy import sparse

from scpertbias._core.accumulators import GroupSums, stable_order


def group_moments(x, group, n_groups, *, scale=None, deviations=None):
    """The moments of every group from all cells at once."""
    sums = GroupSums.empty(n_groups, x.shape[1], 0 if deviations is None else deviations.shape[1])
    sums.add(x, group, scale=scale, deviations=deviations)
    return sums


N, G, L = 200, 13, 6


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def counts(rng):
    x = rng.poisson(0.8, (N, G)).astype(np.float64)
    x[:, 3] = 0
    x[:, 4] += 5
    return x


@pytest.fixture
def group(rng):
    group = rng.integers(-1, L, N)
    group[group == 2] = 3  # group 2 stays empty
    return group


FORMS = {
    "c": np.ascontiguousarray,
    "f": np.asfortranarray,
    "strided": lambda x: np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3],
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "csc_matrix": sparse.csc_matrix,
    "csr_int64": lambda x: _wide(sparse.csr_array(x)),
}
DTYPES = [np.float64, np.float32, np.int32, np.int64, np.uint8, np.float16, ">f4"]


def _wide(x):
    x.indices, x.indptr = x.indices.astype(np.int64), x.indptr.astype(np.int64)
    return x


def brute(x, group, n_groups=L, deviations=None):
    """Mean, sum of squares about it, and products with deviations, group by group."""
    n_genes = x.shape[1]
    k = 0 if deviations is None else deviations.shape[1]
    mean, m2, cross = np.zeros((n_groups, n_genes)), np.zeros((n_groups, n_genes)), np.zeros((n_groups, k, n_genes))
    for i in range(n_groups):
        cells = x[group == i].astype(np.float64)
        if len(cells):
            mean[i] = cells.mean(axis=0)
            m2[i] = ((cells - mean[i]) ** 2).sum(axis=0)
            if k:
                cross[i] = deviations[group == i].T @ cells
    return np.bincount(group[group >= 0], minlength=n_groups), mean, m2, cross


def check(sums, expected, rtol=1e-12):
    for name, value in zip(("n", "mean", "m2", "cross"), expected, strict=True):
        np.testing.assert_allclose(getattr(sums, name), value, rtol=rtol, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("form", FORMS)
def test_every_form(counts, group, form):
    check(group_moments(FORMS[form](counts), group, L), brute(counts, group))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("form", ["c", "csr_array"])
def test_every_dtype(counts, group, form, dtype):
    if form == "csr_array" and dtype in (np.float16, ">f4"):
        x = sparse.csr_array(counts)
        x.data = x.data.astype(dtype)  # scipy itself refuses these on construction
    else:
        x = FORMS[form](counts.astype(dtype))
    check(group_moments(x, group, L), brute(counts, group))


@pytest.mark.parametrize("form", ["c", "csr_array", "csc_array"])
def test_booleans(counts, group, form):
    check(group_moments(FORMS[form](counts > 0), group, L), brute(counts > 0, group))


@pytest.mark.parametrize("form", ["c", "f", "csr_matrix", "csc_matrix"])
def test_normalization_and_covariates(counts, group, rng, form):
    scale = 1e4 / (counts.sum(axis=1) + 1)
    deviations = rng.normal(size=(N, 2))
    logged = np.log1p(counts * scale[:, None])
    x = FORMS[form](counts.astype(np.float32))
    check(group_moments(x, group, L, scale=scale), brute(logged, group))
    check(group_moments(x, group, L, deviations=deviations), brute(counts, group, deviations=deviations))
    check(
        group_moments(x, group, L, scale=scale, deviations=np.asfortranarray(deviations)),
        brute(logged, group, deviations=deviations),
    )


@pytest.mark.parametrize("form", ["c", "csr_array", "csc_array"])
@pytest.mark.parametrize("first", [None, 0.0, 2e4], ids=["plain", "a zero first", "an outlier first"])
def test_variance_under_a_large_offset(rng, form, first):
    x = 1e4 + 1e-3 * rng.standard_normal((300, 2))
    if first is not None:
        x[0, 0] = first
    group = np.zeros(300, dtype=np.int64)
    m2 = group_moments(FORMS[form](x), group, 1).m2[0]
    exact = ((x - x.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(m2, exact, rtol=1e-9)
    naive = (x**2).sum(axis=0) - 300 * x.mean(axis=0) ** 2
    assert abs(naive[1] / exact[1] - 1) > 1e-3, "the example would not tell a careless sum"


def test_constant_gene_has_no_variance():
    x = np.full((50, 1), 0.1)
    for form in ("c", "csr_array", "csc_array"):
        assert group_moments(FORMS[form](x), np.zeros(50, dtype=np.int64), 1).m2[0, 0] == 0


def test_values_stored_in_parts_count_once():
    x = sparse.csr_array((np.array([1.0, 2.0, 4.0]), np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2))
    sums = group_moments(x, np.zeros(2, dtype=np.int64), 1)
    check(sums, brute(np.array([[3.0, 0.0], [0.0, 4.0]]), np.zeros(2, dtype=int), 1))
    assert x.nnz == 3, "the input was changed"


def test_unsorted_columns(counts, group, rng):
    mixed = rng.permutation(G)
    x = sparse.csr_array(counts)[:, mixed]
    check(group_moments(x, group, L), brute(counts[:, mixed], group))


@pytest.mark.parametrize("form", ["c", "csr_array", "csc_array"])
def test_same_bits_with_any_number_of_threads(counts, group, rng, form, several_threads):
    scale, deviations = np.ones(N), rng.normal(size=(N, 1))
    found = []
    for n_threads in (1, 3):
        several_threads(n_threads)
        found.append(group_moments(FORMS[form](counts), group, L, scale=scale, deviations=deviations))
    for name in ("mean", "m2", "cross"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))


def test_cells_of_no_group_do_not_count(counts, group):
    kept = group >= 0
    other = counts.copy()
    other[~kept] = 1e6
    for form in ("c", "csr_array", "csc_array"):
        check(group_moments(FORMS[form](other), group, L), brute(counts[kept], group[kept]))


def test_no_cell_at_all(counts):
    sums = group_moments(sparse.csr_array(counts), np.full(N, -1), 2)
    assert sums.n.tolist() == [0, 0]
    assert not sums.mean.any()


@pytest.mark.parametrize("x", [sparse.coo_array(np.eye(3)), [[1.0]], np.zeros(3)], ids=["coo", "list", "1-d"])
def test_other_things_are_refused(x):
    x = x if hasattr(x, "shape") and len(x.shape) == 2 else _Shaped(x)
    with pytest.raises(TypeError, match="dense, CSR and CSC arrays are read"):
        group_moments(x, np.zeros(3, dtype=np.int64), 1)


class _Shaped:
    shape = (3, 3)

    def __init__(self, x):
        self.x = x


@pytest.mark.parametrize("n_codes", [10, 40_000])
def test_stable_order(rng, n_codes):
    codes = rng.integers(-1, n_codes, 1000)
    np.testing.assert_array_equal(stable_order(codes, n_codes), np.argsort(codes, kind="stable"))


@pytest.mark.parametrize("form", ["c", "csr_array", "csc_array"])
def test_genes_in_parts(counts, group, rng, form):
    deviations = rng.normal(size=(N, 1))
    found = GroupSums.empty(L, G, 1)
    for genes in (slice(0, 4), slice(4, 5), slice(5, G)):
        found.add_genes(genes, FORMS[form](counts[:, genes]), group, deviations=deviations)
    check(found, brute(counts, group, deviations=deviations))


def test_groups_that_are_joined(counts, group, rng):
    deviations = rng.normal(size=(N, 1))
    first = np.arange(N) < 70
    found = group_moments(counts[first], group[first], L, deviations=deviations[first])
    rest = group[~first]
    at = np.unique(rest[rest >= 0])
    compact = np.where(rest >= 0, np.searchsorted(at, rest), -1)
    other = group_moments(counts[~first], compact, len(at), deviations=deviations[~first])
    kept = other.mean.copy()
    found.join(other, at)
    check(found, brute(counts, group, deviations=deviations))
    np.testing.assert_array_equal(other.mean, kept)
    empty = GroupSums.empty(L, G, 1)
    empty.join(GroupSums.empty(2, G, 1), np.array([0, 3]))
    assert not empty.n.any()
    assert not empty.mean.any()
