"""The shared axis, its carriers and the common shift, against loops over perturbations."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from scpertbias._core.noise import NoiseParts
from scpertbias._core.resampling import NORMAL, logit_bounds
from scpertbias._core.shared_axis import Gradient, carriers, common_to_all, shared_axis

from .conftest import planted


def axis_of(k, gram, noise, factor):
    """Energy of each perturbation along the axis of the others, and the products it is made of, one at a time."""
    n = len(k)
    x, y, z, own = np.zeros((4, n))
    measurable = np.zeros(n, dtype=bool)
    for p in range(n):
        rest = np.delete(np.arange(n), p)
        x[p], y[p], z[p] = k[p, rest].sum(), k[rest, p].sum(), k[np.ix_(rest, rest)].sum()
        measurable[p] = gram[np.ix_(rest, rest)].sum() > factor * noise(rest) and z[p] > 0
        own[p] = x[p] * y[p] / z[p] if measurable[p] else 0
    return x, y, z, own, measurable


def gradient_of(x, y, z, measurable, share):
    """Derivatives of the summed own energy less the share of the trace, by every product, term by term."""
    n = len(x)
    gradient = np.zeros((n, n))
    for p in np.flatnonzero(measurable):
        for q in range(n):
            for r in range(n):
                gradient[q, r] += y[p] / z[p] if q == p != r else 0
                gradient[q, r] += x[p] / z[p] if r == p != q else 0
                gradient[q, r] -= x[p] * y[p] / z[p] ** 2 if p not in (q, r) else 0
    return gradient - share * np.eye(n)


def test_the_axis_is_that_of_the_loop(screen):
    s, axis = screen.cells, shared_axis(screen.response)
    noise = lambda rest: (s.t / s.n)[rest].sum() + np.sum(s.w[rest].sum(axis=0) ** 2 * s.tau)
    factor = 3 * np.sqrt(2 * s.a2_raised)
    x, y, z, own, measurable = axis_of(s.d[0] @ s.d[1].T, s.gram, noise, factor)
    everyone, positive = np.arange(len(own)), np.maximum(s.energy, 0)
    exists = s.gram.sum() > factor * noise(everyone) and positive[measurable].sum() >= positive.sum() / 2
    assert_allclose(axis.own, own, rtol=1e-6, atol=1e-9)
    assert axis.measurable.tolist() == measurable.tolist()
    assert axis.exists == exists
    share = own.sum() / s.energy.sum()
    assert axis.share == pytest.approx(share, rel=1e-6)
    gradient = gradient_of(x, y, z, measurable, share)
    a_half = [gradient @ s.d[1], gradient.T @ s.d[0]]
    variance = 0.0
    for a in (0, 1):
        for p in range(len(own)):
            others = s.vectors[s.owner != p]
            variance += np.mean((others @ a_half[a][p]) ** 2) * s.t[p] / s.n_half[a, p]
    variance -= s.a2 * (s.t / s.n_half[0]) @ gradient**2 @ (s.t / s.n_half[1])
    variance += screen.control_variance([s.w_half[a].T @ a_half[a] for a in (0, 1)])
    # METRICS has no more; but the share is of squared effects, whose noise is not that of products of halves
    noise = np.diag(s.t / s.n) + s.w @ np.diag(s.tau) @ s.w.T
    pairs = np.sum(noise**2) + np.sum((s.t / s.n) ** 2 / (s.n - 1))
    variance += 2 * s.a2 * share**2 * pairs + 4 * s.a2 * share * np.sum(gradient * (noise @ noise))
    interval = logit_bounds(share, np.sqrt(max(variance, 0)) / s.energy.sum(), NORMAL)
    assert_allclose([axis.low, axis.high], interval, rtol=1e-6)


@pytest.mark.parametrize(("n_control", "heavy"), [(1000, False), (60, False), (300, True)])
def test_the_interval_holds_the_share_of_the_perturbations(n_control, heavy):
    """Cells vary, perturbations do not; few controls are a noise that all effects share."""
    rng = np.random.default_rng(6)
    size = rng.pareto(1.5, (20, 1)) + 0.5 if heavy else rng.gamma(4, 0.25, (20, 1))
    effect = 0.5 * size * (rng.normal(size=60) * 0.8 + 0.3 * rng.normal(size=(20, 60)))
    others = effect.sum(axis=0) - effect
    true = np.sum(np.sum(effect * others, axis=1) ** 2 / np.sum(others**2, axis=1)) / np.sum(effect**2)
    axes = [shared_axis(planted(rng, effect, n=30, n_control=n_control)) for _ in range(120)]
    held = [axis.low <= true <= axis.high for axis in axes]
    assert np.mean(held) > 0.88
    assert np.std([axis.share for axis in axes]) > 0.6 * np.mean([(axis.high - axis.low) / 4 for axis in axes])


def test_the_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    d = rng.normal(size=(2, 7, 30)) + np.outer(1 + rng.gamma(2, 1, 7), rng.normal(size=30))
    measurable, share = np.arange(7) != 4, 0.3

    def statistic(d):
        k = d[0] @ d[1].T
        _, _, _, own, _ = axis_of(k, k, lambda _: 1.0, -np.inf)
        return own[measurable].sum() - share * np.trace(k)

    x, y, z, _, _ = axis_of(d[0] @ d[1].T, d[0] @ d[1].T, lambda _: 1.0, -np.inf)
    gradient = Gradient.of(x, y, np.where(measurable, z, np.nan), share)
    by_half = np.stack([gradient.by_half(d, a) for a in (0, 1)])
    for a, p, g in [(0, 0, 0), (1, 2, 5), (0, 4, 9), (1, 4, 29), (1, 6, 11)]:
        step = np.zeros_like(d)
        step[a, p, g] = 1e-5
        assert by_half[a, p, g] == pytest.approx((statistic(d + step) - statistic(d - step)) / 2e-5, rel=1e-5, abs=1e-6)


def test_noise_products_are_those_of_the_whole_matrix():
    rng = np.random.default_rng(1)
    x, y, z, noise_1, noise_2 = rng.gamma(2, 1, (5, 9))
    z[3] = np.nan
    whole = gradient_of(x, y, z, np.isfinite(z), 0.2)
    assert Gradient.of(x, y, z, 0.2).noise_products(noise_1, noise_2) == pytest.approx(noise_1 @ whole**2 @ noise_2)


def test_an_axis_that_noise_could_make_is_no_axis(screen):
    response = screen.response
    parts = response.parts
    louder = replace(
        response, parts=NoiseParts(1e4 * parts.own, parts.control, parts.weights, parts.n, parts.n_control)
    )
    axis = shared_axis(louder)
    assert not axis.exists
    assert np.isnan([axis.share, axis.low, axis.high]).all()
    assert not axis.own.any()
    assert len(axis.carriers) == 0


def test_one_strong_perturbation_among_weak_ones_is_no_axis():
    """What the others share cannot be measured, so it is not known that the strong one has no part in it."""
    rng = np.random.default_rng(2)
    axis = shared_axis(planted(rng, np.r_[10.0, np.zeros(11)][:, None] * rng.normal(size=50)))
    assert not axis.measurable[0]
    assert np.isnan(axis.share)


def test_strong_orthogonal_perturbations_share_nothing():
    rng = np.random.default_rng(3)
    effect = np.where(np.arange(50) % 12 == np.arange(12)[:, None], np.r_[5.0, 5, 5, np.full(9, 0.1)][:, None], 0)
    axis = shared_axis(planted(rng, effect))
    assert abs(axis.share) < 0.02
    assert axis.low == 0
    assert axis.high < 0.05


def test_carriers_are_the_fewest_with_most_of_it():
    n_axis, who = carriers(np.array([1.0, -3.0, 6.0, 2.0, 1.0]))
    assert who.tolist() == [2, 3]
    assert n_axis == pytest.approx(10**2 / (1 + 36 + 4 + 1))
    n_axis, who = carriers(np.array([-1.0, 0.0]))
    assert np.isnan(n_axis)
    assert len(who) == 0


def test_what_all_have_in_common_is_that_of_the_loop(screen):
    s, common = screen.cells, common_to_all(screen.response)
    n, total = len(s.energy), s.energy.sum()

    def statistic(keep):
        part = s.gram[np.ix_(keep, keep)]
        return (part.sum() - np.trace(part)) / ((len(keep) - 1) * np.trace(part))

    share = statistic(np.arange(n))
    without = np.array([statistic(np.delete(np.arange(n), p)) for p in range(n)])
    variance = (n - 1) / n * np.sum((without - without.mean()) ** 2)
    derivative = 2 * (s.effect.sum(axis=0) - s.effect) / ((n - 1) * total) - 2 * share * s.effect / total
    variance += screen.control_variance([0.5 * s.w.T @ derivative] * 2)
    cross = np.outer(s.w.sum(axis=0), s.w.sum(axis=0)) - s.w.T @ s.w
    variance += 2 * s.a2_raised * np.sum(cross**2 * np.outer(s.tau, s.tau)) / ((n - 1) * total) ** 2
    assert common.share == pytest.approx(share, rel=1e-6)
    assert common.exists == (share >= 2 * np.sqrt(variance))
    if n < 10:
        assert np.isnan([common.low, common.high]).all()
        return
    positive = np.maximum(s.energy, 0)
    freedom = max(positive.sum() ** 2 / np.sum(positive**2) - 1, 2)
    interval = logit_bounds(share, np.sqrt(variance), stats.t.ppf(0.975, freedom))
    assert_allclose([common.low, common.high], interval, rtol=1e-6, atol=1e-12)


def test_two_perturbations_have_nothing_known_in_common():
    common = common_to_all(planted(np.random.default_rng(4), np.ones((2, 50))))
    assert np.isnan(common.share)
    assert not common.exists
    three = common_to_all(planted(np.random.default_rng(5), np.ones((3, 50))))
    assert three.share == pytest.approx(1, abs=0.05)
    assert three.exists
