"""Shares of sequencing depth and of the leading directions, against dense algebra."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.confounding import NO_REPRODUCIBLE_AXIS, NO_RESPONSE, WEAK
from scpertbias._core.directions import NO_DEPTH, NO_INTERVAL, TOO_FEW, direction_shares, energy_along

from .conftest import planted

G = 80


@pytest.fixture(scope="module")
def response():
    rng = np.random.default_rng(0)
    axis = np.where(np.arange(G) < 20, 0.3, 0.0)
    return planted(rng, rng.gamma(2, 0.5, (30, 1)) * axis + 0.15 * rng.normal(size=(30, G)))


def test_energy_along_a_direction(response):
    rng = np.random.default_rng(1)
    axis = rng.normal(size=(2, G)) + 3
    (d1, d2), (u1, u2) = response.half, axis
    assert_allclose(energy_along(response.half, axis[:, None]), (d1 @ u2) * (d2 @ u1) / (u1 @ u2))


def test_directions_by_hand(response):
    rng = np.random.default_rng(2)
    depth = np.stack([np.where(np.arange(G) < 20, 1.0, 0.1) + 0.05 * rng.standard_normal(G) for _ in (0, 1)])
    fold = rng.permutation(30) % 5
    shares = direction_shares(response, depth, fold)
    (d1, d2), (t1, t2), total = response.half, depth, response.energy.sum()
    assert shares["depth"].share == pytest.approx(((d1 @ t2) * (d2 @ t1)).sum() / (t1 @ t2) / total)
    expected = 0.0
    for f in range(5):
        train = response.effect[fold != f]
        v = np.linalg.svd(train - train.mean(axis=0), full_matrices=False)[2][1]
        expected += ((d1[fold == f] @ v) * (d2[fold == f] @ v)).sum()
    assert shares["leading_2"].share == pytest.approx(expected / total)
    assert np.isnan([share.low for name, share in shares.items() if name != "systematic"]).all()
    assert [share.note for share in shares.values()] == ["", *[NO_INTERVAL] * 6]
    assert shares["systematic"].low < shares["systematic"].share < shares["systematic"].high
    # depth is nearly the shared axis here: together they take no more than either, and share it
    both = shares["systematic"].shapley + shares["depth"].shapley + shares["leading_1"].shapley
    assert both < shares["systematic"].share + shares["leading_1"].share
    assert sum(share.shapley for share in shares.values()) < 1


def test_depth_that_the_halves_do_not_share(response):
    rng = np.random.default_rng(3)
    fold = np.arange(30) % 5
    shares = direction_shares(response, np.outer([1, -1], rng.standard_normal(G)), fold)
    assert shares["depth"].note == NO_REPRODUCIBLE_AXIS
    assert np.isnan(shares["depth"].share)
    noise = rng.standard_normal((2, G))
    noise[1] -= noise[0] * (noise[0] @ noise[1]) / (noise[0] @ noise[0])
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    weak = direction_shares(response, np.stack([noise[0], 0.2 * noise[0] + noise[1]]), fold)["depth"]
    assert weak.note == f"{NO_INTERVAL}; {WEAK}"
    assert np.isfinite(weak.share)


def test_directions_that_cannot_be_estimated_are_named(response):
    few = direction_shares(planted(np.random.default_rng(4), np.ones((3, G))), None, np.arange(3))
    assert few["depth"].note == NO_DEPTH
    assert few["leading_3"].note == TOO_FEW
    assert np.isnan(few["leading_3"].share)
    none = direction_shares(planted(np.random.default_rng(5), np.zeros((12, G))), None, np.arange(12) % 5)
    assert none["leading_1"].note == NO_RESPONSE
    assert np.isnan(none["leading_1"].shapley)
