"""The scale of values is told from single cells, whatever the depth, the genes that are left and the size factors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from scpertbias._core import scales
from scpertbias._core.scales import RowScales

GENES = 120


def counts(n=60, genes=GENES, seed=0, depth=1500):
    rng = np.random.default_rng(seed)
    share = rng.gamma(0.7, 1, genes) + 0.02
    size = rng.lognormal(np.log(depth), 0.4, n)
    return rng.poisson(share / share.sum() * size[:, None]).astype(float)


def normalized(k, target=1e4):
    return k / k.sum(axis=1, keepdims=True) * target


def seen(*parts):
    rows = RowScales()
    for part in parts:
        rows.add(part)
    return rows


SCALES = {
    scales.COUNTS: lambda k: k,
    scales.LINEAR: normalized,
    scales.LN: lambda k: np.log1p(normalized(k)),
    scales.LOG2: lambda k: np.log2(1 + normalized(k)),
    scales.LOG10: lambda k: np.log10(1 + normalized(k)),
    scales.TWICE: lambda k: np.log1p(np.log1p(normalized(k))),
}


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_array])
def test_each_scale_is_recognized(name, form):
    rows = seen(form(SCALES[name](counts()).astype(np.float32)))
    assert rows.scale == name
    if name not in (scales.COUNTS, scales.TWICE):
        assert rows.target_sum(name) == pytest.approx(1e4, rel=1e-3)


@settings(deadline=None, max_examples=40)
@given(
    name=st.sampled_from([n for n in SCALES if n != scales.COUNTS]),
    target=st.sampled_from([1.0, 1e3, 1e4, 1e6]),
    genes=st.integers(40, GENES),
    seed=st.integers(0, 1000),
)
def test_it_does_not_depend_on_the_target_sum_or_on_the_genes_that_are_left(name, target, genes, seed):
    k = counts(seed=seed)
    k = k[k[:, :genes].sum(axis=1) > 0]
    values = {
        scales.LINEAR: lambda y: y,
        scales.LN: np.log1p,
        scales.LOG2: lambda y: np.log2(1 + y),
        scales.LOG10: lambda y: np.log10(1 + y),
        scales.TWICE: lambda y: np.log1p(np.log1p(y)),
    }[name](normalized(k, target)[:, :genes])
    scale = seen(values).scale
    # Below a total of about 1 logarithms are their own argument.
    assert scale == name or (target == 1.0 and scale in (scales.LINEAR, None))


@pytest.mark.parametrize("total", [50, 100, 500, 1000, 2000])
def test_totals_that_divide_the_target_leave_whole_numbers_that_are_no_counts(total):
    k = np.random.default_rng(0).multinomial(total, np.full(40, 1 / 40), 60).astype(float)
    assert seen(k).scale == scales.COUNTS
    assert seen(normalized(k)).scale == scales.LINEAR


def test_size_factors_of_any_kind_leave_multiples():
    k, factor = counts(), np.random.default_rng(1).lognormal(0, 0.5, 60)
    rows = seen(np.log1p(k / factor[:, None]))
    assert rows.scale == scales.LN
    assert rows.target_sum(scales.LN) is None
    assert not rows.not_normalized


def test_counts_that_were_only_logged():
    assert seen(np.log1p(counts())).not_normalized
    assert not seen(np.log1p(normalized(counts()))).not_normalized


def test_fractions_of_counts_are_on_no_scale():
    k = counts()
    ambient = np.where(k > 0, np.maximum(k - 0.07 * k.mean(0), 0.03), 0)
    assert seen(ambient).scale is None
    assert seen(np.random.default_rng(0).gamma(1.0, size=(50, 80))).scale is None


def test_two_scales_in_one_matrix_are_both_seen():
    k = counts(200)
    mixed = np.log1p(normalized(k))
    mixed[::2] = k[::2]
    assert seen(mixed).scales == pytest.approx({scales.COUNTS: 0.5, scales.LN: 0.5})
    assert seen(mixed).scale is None
    mixed = np.log1p(normalized(k))
    mixed[:60] = np.log2(1 + normalized(k))[:60]
    assert seen(mixed).scales == pytest.approx({scales.LN: 0.7, scales.LOG2: 0.3})


@pytest.mark.parametrize("targets", [(1e4,), (1e4, 1e6), (1e3, 2e3, 1e4)])
def test_sums_of_several_sources(targets):
    k = counts(90 * len(targets))
    total = np.repeat(targets, 90)[:, None]
    rows = seen(np.log1p(normalized(k) / 1e4 * total))
    assert rows.scale == scales.LN
    np.testing.assert_allclose(rows.target_sums, targets, rtol=0.02)
    assert (rows.target_sum(scales.LN) is None) == (len(targets) > 1)


def test_sums_that_are_many():
    assert seen(np.log1p(counts())).target_sums == []
    assert seen(np.log1p(normalized(counts()))[:, ::2]).target_sums == []


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_rounding_is_no_scale(digits):
    """Logarithms in a file of few digits lie on a grid, as counts do."""
    rows = seen(np.round(np.log1p(normalized(counts())), digits))
    assert rows.scale in (None, scales.LN)
    assert not set(rows.scales) - {scales.LN}


def test_joined_is_as_seen_together():
    k = np.log1p(normalized(counts()))
    first, second = seen(k[:20]), seen(k[20:])
    first.join(second)
    assert first == seen(k[:20], k[20:])


def test_a_constant_gene_is_no_constant_total():
    values = np.column_stack([np.random.default_rng(0).gamma(1.0, 0.5, (60, 8)), np.full(60, 7.5)])
    assert seen(values).scale is None


def test_values_that_say_nothing():
    for x in (
        np.full((50, 9), 1.5),
        np.full((50, 9), 3.0),
        np.zeros((50, 9)),
        np.ones((50, 9)),
        np.zeros((0, 4)),
        np.eye(50),
    ):
        assert seen(x).scale is None


def test_counts_of_which_a_few_cells_have_a_common_factor_are_counts():
    x = np.random.default_rng(0).poisson(4, (100, 30)).astype(float)
    x[:5] *= 6
    rows = scales.RowScales()
    rows.add(x)
    assert rows.scale == scales.COUNTS
    assert rows.on.get(scales.LINEAR, 0) == 0
