"""Scaled scores: what they are without a response, and what the control adds to their intervals."""

import numpy as np
import pytest

from scpertbias._core.confounding import NO_RESPONSE
from scpertbias._core.correlations import CORRELATIONS
from scpertbias._core.noise import NoiseShape
from scpertbias.tl._skills import NoiseByPerturbation, Subset, l2_skill, linear_skill

N = 20
SHAPE = NoiseShape(np.empty((0, 4)), np.empty(0, dtype=int), 0.01, 0.01, 0.0)


class OneSource:
    """Control noise of one source, along which each column moves by its ``slopes``."""

    def __init__(self, **slopes):
        self.slopes = slopes
        self.n_rows = N

    def variance(self, coefficients):
        return sum(self.slopes[name] * c.sum() for name, c in coefficients.items()) ** 2


def subset(name, *, known=True, **slopes):
    rng = np.random.default_rng(0)
    base = rng.uniform(0.1, 0.2, N)
    table = {name: base + rng.uniform(0.1, 0.3, N), f"{name}_baseline": base, f"{name}_ceiling": base + 0.5}
    noise = NoiseByPerturbation(OneSource(**slopes), np.arange(N), np.arange(N)) if slopes else None
    return Subset("a", "all", table, constant=False, shape=SHAPE, noise=noise, known=known)


@pytest.mark.parametrize("name", CORRELATIONS)
def test_without_a_response_what_is_unshared_has_no_ceiling(name):
    there, absent = linear_skill(subset(name), name), linear_skill(subset(name, known=False), name)
    assert 0.2 < there.estimate < 0.6
    if CORRELATIONS[name].unshared:
        assert np.isnan(absent.estimate)
        assert absent.reason == NO_RESPONSE
    else:
        assert absent == there


def test_noise_of_the_control_widens_the_interval_by_the_derivative_of_the_ratio():
    name = "pearson_delta_unshared"
    slopes = {name: 0.3, f"{name}_ceiling": 0.2, f"{name}_baseline": 0.1}
    alone, moved = linear_skill(subset(name), name), linear_skill(subset(name, **slopes), name)
    table, step = subset(name).table, 1e-6

    def ratio(size):
        score, baseline, ceiling = (
            table[key] + size * slopes[key] for key in (name, f"{name}_baseline", f"{name}_ceiling")
        )
        return (score - baseline).sum() / (ceiling - baseline).sum()

    derivative = (ratio(step) - ratio(-step)) / (2 * step)
    quantile = (alone.high - alone.low) / 2
    width = (moved.high - moved.low) / 2
    unit = linear_skill(subset(name, **{key: value / derivative for key, value in slopes.items()}), name)
    # width² = (t se)² + (t derivative)², and of a derivative of 1 that is (t se)² + t²
    t_squared = ((unit.high - unit.low) / 2) ** 2 - quantile**2
    assert width**2 - quantile**2 == pytest.approx(t_squared * derivative**2, rel=1e-3)
    assert moved.estimate == alone.estimate


def test_few_perturbations_and_no_room_are_reasons():
    table = {"l2": np.full(N, 1.0), "l2_ceiling": np.full(N, 0.5), "l2_baseline": np.full(N, 0.6)}
    table["l2_baseline_ceiling"] = np.full(N, 0.59)
    skill = l2_skill(Subset("a", "all", table, constant=False, shape=SHAPE, noise=None, known=True))
    assert skill.reason == "baseline and ceiling are not significantly different"
    few = subset("pearson_delta")
    few.table["pearson_delta"][9:] = np.nan
    assert linear_skill(few, "pearson_delta").reason == "fewer than 10 perturbations"
