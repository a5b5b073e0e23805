"""The joint span of directions against dense algebra, the order average against all orders."""

from itertools import combinations, permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.shapley import Basis, shapley


def make(rng, p=6, g=15):
    return rng.standard_normal((2, p, g))


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    axes = rng.standard_normal((4, 15)) + 0.5
    return axes + 0.1 * rng.standard_normal((4, 15)), axes + 0.1 * rng.standard_normal((4, 15))


def test_joint_energy_is_that_of_the_projector(pair):
    effects = make(np.random.default_rng(1))
    basis = Basis.of(effects, *pair)
    for k in range(1, 5):
        for subset in combinations(range(4), k):
            b1, b2 = (b[list(subset)].T for b in pair)
            projector = b2 @ np.linalg.inv(b1.T @ b2) @ b1.T
            assert_allclose(projector @ projector, projector, atol=1e-9)
            expected = np.einsum("pg,gh,ph->", effects[0], projector, effects[1])
            assert basis.on(subset) == pytest.approx(expected)
    assert basis.on(()) == 0


def test_directions_without_a_remainder_of_their_own_add_nothing(pair):
    effects = make(np.random.default_rng(2))
    twice = [np.vstack([b, b[0] + b[1]]) for b in pair]
    basis = Basis.of(effects, *twice)
    assert basis.on((0, 1, 4)) == pytest.approx(basis.on((0, 1)))
    noise = np.random.default_rng(3).standard_normal((2, 15))
    noise[1] -= noise[0] * (noise[0] @ noise[1]) / (noise[0] @ noise[0])
    unrelated = Basis.of(effects, noise[:1], noise[1:])
    assert unrelated.on((0,)) == 0


def test_shapley_is_the_mean_over_orders_and_sums_to_the_joint(pair):
    rng = np.random.default_rng(4)
    parts = [Basis.of(make(rng), *pair) for _ in range(3)]
    gains = shapley(parts, 4)
    value = lambda s: sum(part.on(tuple(sorted(s))) for part in parts)
    expected = np.zeros(4)
    orders = list(permutations(range(4)))
    for order in orders:
        for i, j in enumerate(order):
            expected[j] += (value(order[: i + 1]) - value(order[:i])) / len(orders)
    assert_allclose(gains, expected)
    assert gains.sum() == pytest.approx(value(range(4)))
