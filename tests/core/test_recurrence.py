"""Counts of the strongest genes and their exact null, against enumeration and scipy."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from scpertbias._core.ranking import expression_bins, top_mask
from scpertbias._core.recurrence import (
    Baselines,
    data_effects,
    effective_number,
    least_excess,
    poisson_binomial_tail,
    predicted_effects,
    recurrence,
    upper_tail,
)
from scpertbias._core.resampling import benjamini_hochberg


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


def test_sign_does_not_matter_and_gaps_count_for_nothing():
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


def null_screen(rng, n_rows=100, n_genes=600, n_cells=30, n_control=3000):
    """Means of halves without any effect; cells are correlated by five factors of unequal size."""
    control_mean = rng.gamma(1.0, size=n_genes)
    scale = 0.1 + np.sqrt(control_mean)
    loading = rng.normal(size=(5, n_genes)) * np.array([1.0, 0.7, 0.5, 0.3, 0.3])[:, None]

    def draw(n, size):
        return (rng.normal(size=(*size, n_genes)) + rng.normal(size=(*size, 5)) @ loading) * scale / np.sqrt(n)

    half, control = draw(n_cells / 2, (2, n_rows)), draw(n_control / 2, (2,))
    sd = scale * np.sqrt(1 + (loading**2).sum(axis=0))
    base = Baselines(control.mean(axis=0), control, half.mean(axis=(0, 1)), half.mean(axis=1), sd)
    return half, base, expression_bins(control_mean)


def called(effects, bins):
    return (benjamini_hochberg(recurrence(*effects, bins, 5).p) < 0.05).any()


@pytest.mark.slow
@pytest.mark.parametrize("n_control", [300, 3000, 30_000])
def test_null_screens_call_nothing(n_control):
    """Correlated noise; ten controls per cell of a perturbation put the same genes on top everywhere."""
    rng = np.random.default_rng(5)
    names = ["observed z", "observed centered", "mean z", "control z", "shrunken z", "mean centered", "one control"]
    calls = dict.fromkeys(names, 0)
    for _ in range(200):
        half, base, bins = null_screen(rng, n_control=n_control)
        full = half.mean(axis=0)
        mean, control = np.tile(base.perturbed, (len(full), 1)), np.tile(base.control, (len(full), 1))
        still = np.zeros_like(full)
        tried = [data_effects(by, full, half, base) for by in ("z", "centered")]
        tried += [predicted_effects("z", x, still, base) for x in (mean, control, control + 0.1 * (mean - control))]
        tried += [predicted_effects("centered", mean, still, base), (tried[0][0], [tried[0][0]])]
        for name, effects in zip(names, tried, strict=True):
            calls[name] += called(effects, bins)
    one_control = calls.pop("one control")
    assert max(calls.values()) <= 15, calls
    if n_control == 300:
        assert one_control > 30, "with one control the same screens do call genes; if not, this test shows nothing"


def test_least_excess_by_hand_and_its_coverage():
    first, second = 13 / 22, 4 / 22  # 12 and 3 of 20, a success and a failure added
    by_hand = 20 * (first - second - stats.norm.ppf(0.975) * np.sqrt((first * (9 / 22) + second * (18 / 22)) / 22))
    assert least_excess(np.array([12]), np.array([3]), 20)[0] == pytest.approx(by_hand)
    rng = np.random.default_rng(0)
    for n, p, q in ((25, 0.3, 0.3), (60, 0.6, 0.2), (150, 0.05, 0.05), (55, 0.95, 0.9)):
        a, b = rng.binomial(n, [[p], [q]], size=(2, 20_000))
        assert (least_excess(a, b, n) <= n * (p - q)).mean() > 0.965, "one-sided 97.5 %"
