"""Counts of the strongest genes and their exact null, against enumeration and scipy."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from scpertbias._core.moments import Moments
from scpertbias._core.ranking import expression_bins, top_mask
from scpertbias._core.recurrence import (
    EffectScale,
    effective_number,
    excess_interval,
    observed_effects,
    poisson_binomial_tail,
    recurrence,
    upper_tail,
    z_is_tested,
)
from scpertbias._core.resampling import benjamini_hochberg
from scpertbias._core.z_scores import scaled, undetectable, z_errors

from .log_counts import ROWS, SHAPES, Cells, P, draw, moments_of


def enumerated_tail(probabilities: np.ndarray) -> np.ndarray:
    """Sum over all outcomes of the trials."""
    n = len(probabilities)
    mass = np.zeros(n + 1)
    for outcome in product((0, 1), repeat=n):
        mass[sum(outcome)] += np.prod(np.where(outcome, probabilities, 1 - probabilities))
    return mass[::-1].cumsum()[::-1]


def test_tail_is_that_of_all_outcomes():
    rng = np.random.default_rng(0)
    probabilities = rng.beta(0.4, 1.5, size=(6, 11))
    probabilities[2, ::2], probabilities[3, 0], probabilities[4] = 0.0, 1.0, 0.0
    expected = np.array([enumerated_tail(p) for p in probabilities])
    np.testing.assert_allclose(poisson_binomial_tail(probabilities, 11), expected, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(poisson_binomial_tail(probabilities, 3), expected[:, :4], rtol=1e-12, atol=1e-300)


def test_tail_of_equal_trials_is_binomial_far_out():
    tail = poisson_binomial_tail(np.full((1, 722), 0.004), 80)[0]
    np.testing.assert_allclose(tail, stats.binom.sf(np.arange(81) - 1, 722, 0.004), rtol=1e-9)
    assert 0 < tail[-1] < 1e-60  # a discrete Fourier transform would say 1e-17


@pytest.mark.skipif(not hasattr(stats, "poisson_binom"), reason="this scipy has no Poisson-binomial distribution")
def test_tail_is_that_of_scipy():
    probabilities = np.random.default_rng(1).beta(1, 60, size=300)
    expected = stats.poisson_binom(probabilities).sf(np.arange(31) - 1)
    np.testing.assert_allclose(poisson_binomial_tail(probabilities[None], 30)[0], expected, rtol=1e-6, atol=1e-13)


def test_null_is_that_of_dealing_within_bins():
    rng = np.random.default_rng(2)
    n_genes, n_rows, k = 60, 25, 5
    bins = expression_bins(rng.gamma(1.0, size=n_genes), 4)
    # Strongest genes lie mostly in the first bin, as genes of low expression do.
    top = top_mask(np.abs(rng.standard_t(3, size=(n_rows, n_genes)) * (1 + 2.0 * (bins == 0))), k)
    n_draws = 4000
    drawn = np.zeros((n_draws, n_genes), dtype=int)
    for b in range(4):
        genes = np.flatnonzero(bins == b)
        for row in top[:, genes]:
            drawn[:, genes] += rng.permuted(np.tile(row, (n_draws, 1)), axis=1)
    p = upper_tail(top, bins)
    simulated = (drawn >= top.sum(axis=0)).mean(axis=0)
    np.testing.assert_allclose(p, simulated, atol=5 * np.sqrt(0.25 / n_draws))
    result = recurrence(top.astype(float), [top.astype(float)], bins, k)
    np.testing.assert_allclose(result.expected, drawn.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(result.p, p)
    np.testing.assert_array_equal(result.count, top.sum(axis=0))


def test_p_is_the_larger_of_the_repeats():
    rng = np.random.default_rng(3)
    bins = np.zeros(100, dtype=np.int64)
    values, noise = rng.normal(size=(40, 100)), rng.normal(size=(40, 100))
    values[:, 7] = 9.0
    assert recurrence(values, [values, values], bins, 5).p[7] < 1e-20
    assert recurrence(values, [values, noise], bins, 5).p[7] > 0.01
    assert np.isnan(recurrence(values, [], bins, 5).p).all()


def test_sign_does_not_matter_and_rows_without_values_count_for_nothing():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(30, 50))
    bins = np.zeros(50, dtype=np.int64)
    first = recurrence(values, [values], bins, 5)
    np.testing.assert_array_equal(first.count, recurrence(-values, [], bins, 5).count)
    gaps = np.vstack([values, np.full((3, 50), np.nan), np.zeros((2, 50))])
    second = recurrence(gaps, [gaps], bins, 5)
    np.testing.assert_array_equal(first.count, second.count)
    np.testing.assert_allclose(first.p, second.p)
    assert first.count.sum() == 150


def test_effective_number():
    assert effective_number(np.array([4, 4, 4, 0])) == pytest.approx(3)
    assert effective_number(np.array([9, 0])) == pytest.approx(1)
    assert np.isnan(effective_number(np.zeros(3, dtype=np.int64)))


def screen_of(half, control_half, var, n_cells, n_control):
    """Moments of one batch from the means of the halves of the cells."""
    n_rows, n_genes = half.shape[1:]
    counts = np.full((2, n_rows + 1, 1), n_cells / 2)
    counts[:, 0] = n_control / 2
    halves = np.concatenate([control_half[:, None], half], axis=1)
    return Moments(
        counts=counts,
        mean=halves.mean(axis=0),
        var=np.tile(var, (n_rows + 1, 1)),
        half=halves,
        control_half=control_half[:, None],
        control_var=var[None],
        blocks=np.zeros((0, n_genes)),
        n_blocks=np.zeros((0, 1)),
        reference=0,
    )


def null_screen(rng, n_rows=100, n_genes=600, n_cells=30, n_control=3000):
    """Means of halves without any effect; cells are correlated by five factors of unequal size."""
    control_mean = rng.gamma(1.0, size=n_genes)
    scale = 0.1 + np.sqrt(control_mean)
    loading = rng.normal(size=(5, n_genes)) * np.array([1.0, 0.7, 0.5, 0.3, 0.3])[:, None]

    def draw(n, size):
        return 9 + (rng.normal(size=(*size, n_genes)) + rng.normal(size=(*size, 5)) @ loading) * scale / np.sqrt(n)

    var = scale**2 * (1 + (loading**2).sum(axis=0))
    moments = screen_of(draw(n_cells / 2, (2, n_rows)), draw(n_control / 2, (2,)), var, n_cells, n_control)
    return moments, expression_bins(control_mean)


@pytest.mark.slow
@pytest.mark.parametrize(("n_control", "tested"), [(60, False), (150, True), (300, True)])
def test_null_screens_call_nothing(n_control, tested):
    """Correlated noise, which few controls put into all effects: by ``z`` they are tested from five per cell."""
    rng, rows, perturbed = np.random.default_rng(5), np.arange(1, 101), np.arange(101) > 0
    calls = {"z": 0, "centered": 0}
    for _ in range(100):
        moments, bins = null_screen(rng, n_control=n_control)
        assert z_is_tested(moments, rows) == tested
        scale = EffectScale.of(moments, rows)
        for by in calls:
            effects = observed_effects(by, moments, rows, perturbed, scale)
            calls[by] += bool((benjamini_hochberg(recurrence(*effects, bins, 5).p) < 0.05).any())
    assert calls["centered"] <= 2, calls
    assert calls["z"] <= 8 if tested else calls["z"] > 10, calls


@pytest.mark.parametrize("shape", SHAPES)
def test_effects_are_those_of_single_cells(shape):
    x, row, batch = draw(1, **SHAPES[shape], effect=0.3)
    cells, moments = Cells(x, row, batch), moments_of(x, row, batch)
    rows, perturbed = ROWS[2:], np.arange(P + 1) > 0
    effect = np.array([cells.effect(p) for p in ROWS])
    error = np.array([cells.error(p) for p in ROWS])
    z = np.array([cells.z(p) for p in ROWS])
    with np.errstate(invalid="ignore"):
        centered = np.where(np.isnan(z), np.nan, (effect - effect.mean(axis=0)) / error)
    expected = {"delta": np.where(undetectable(moments, ROWS), np.nan, effect), "z": z, "centered": centered}
    scale = EffectScale.of(moments, rows)
    for by, values in expected.items():
        found, repeats = observed_effects(by, moments, rows, perturbed, scale)
        repeats = list(repeats)
        np.testing.assert_allclose(found, values[2:], rtol=1e-8, atol=1e-10)
        assert len(repeats) == (0 if by == "delta" else 2)
        for a, repeat in enumerate(repeats):
            about = moments.half[a, 0] if by == "z" else moments.half[a, 1:].mean(axis=0)
            half = scaled(moments.half[a, rows] - about, z_errors(moments, rows, a))
            np.testing.assert_allclose(repeat, np.where(np.isnan(found), np.nan, half))
        predicted = EffectScale.of(moments, rows).apply(by, np.ones(values[2:].shape))
        np.testing.assert_array_equal(np.isnan(predicted), np.isnan(values[2:]))


def test_controls_are_counted_by_batch():
    x, row, batch = draw(1, nested=True, n_control=150)
    moments = moments_of(x, row, batch)  # 50 controls a batch, 25 cells of each perturbation
    assert not z_is_tested(moments, ROWS)
    x, row, batch = draw(1, nested=True, n_control=375)
    assert z_is_tested(moments_of(x, row, batch), ROWS)
    assert not z_is_tested(moments, ROWS[:0])


def test_interval_of_an_excess_by_hand_and_its_coverage():
    first, second = 13 / 22, 4 / 22  # 12 and 3 of 20, a success and a failure added
    width = stats.norm.ppf(0.975) * np.sqrt((first * (9 / 22) + second * (18 / 22)) / 22)
    by_hand = 20 * (first - second - width), 20 * (first - second + width)
    assert np.concatenate(excess_interval(np.array([12]), np.array([3]), 20)) == pytest.approx(by_hand)
    rng = np.random.default_rng(0)
    for n, p, q in ((25, 0.3, 0.3), (60, 0.6, 0.2), (150, 0.05, 0.05), (55, 0.95, 0.9)):
        low, high = excess_interval(*rng.binomial(n, [[p], [q]], size=(2, 20_000)), n)
        assert (low <= n * (p - q)).mean() > 0.965, "one-sided 97.5 %"
        assert (high >= n * (p - q)).mean() > 0.965, "one-sided 97.5 %"


def test_intervals_of_many_genes_hold_together():
    rng, n, n_genes = np.random.default_rng(0), 50, 100
    chance = rng.uniform(0.02, 0.5, n_genes)
    count, other = rng.binomial(n, chance, size=(2, 2_000, n_genes))
    one_by_one, together = (excess_interval(count, other, n, k)[0] > 0 for k in (1, n_genes))
    assert one_by_one.any(axis=1).mean() > 0.5, "one gene in forty exceeds the other count by chance"
    assert together.any(axis=1).mean() < 0.05
