"""Each probe by its definition, one perturbation at a time."""

from dataclasses import replace

import numpy as np
import pytest

from scpertbias._core.probes import PROBES, SpeakingHalf, has_axis

P, G, S = 12, 90, 2


@pytest.fixture(scope="module")
def half():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet([4, 4], P)
    return SpeakingHalf(
        effect=rng.standard_normal((P, G)) + rng.standard_normal(G),
        cell_noise=rng.gamma(2, 0.02, (P, G)),
        error=np.where(rng.random((P, G)) < 0.1, np.nan, rng.gamma(5, 0.1, (P, G))),
        weights=weights,
        control_noise=np.array([0.5, 0.8]),
        mean=rng.standard_normal(G) + 0.3 * rng.standard_normal((P, G)),
        mean_weights=rng.dirichlet([4, 4], P),
        mean_noise=rng.gamma(2, 0.1, P),
        depth=rng.standard_normal(G),
        targets=np.eye(P, G, dtype=bool),
        bins=np.arange(G) // 30,
    )


def predict(half, probe, **how):
    return half.predictions(probe, np.random.default_rng(1), **{"has_axis": True, **how})


def expected(half, probe, p):
    """What a probe predicts of a perturbation, written out."""
    d, m = half.effect[p], half.mean[p]
    v = sum(half.weights[p, s] * half.mean_weights[p, s] * half.control_noise[s] for s in range(S))
    v_mean = sum(half.mean_weights[p, s] ** 2 * half.control_noise[s] for s in range(S))
    along = (d @ m - v) / (m @ m - v_mean - half.mean_noise[p])
    t = np.abs(d / half.error[p])
    top = np.zeros(G, dtype=bool)
    top[np.argsort(-np.nan_to_num(t, nan=-1))[:20]] = True
    others = [q for q in range(P) if q != p]
    shared = lambda q: sum(half.weights[p, s] * half.weights[q, s] * half.control_noise[s] for s in range(S))
    cosine = [(d @ half.effect[q] - shared(q)) / np.linalg.norm(d) / np.linalg.norm(half.effect[q]) for q in others]
    u = half.depth
    return {
        "no_change": 0 * d,
        "mean": m,
        "mean_x0.5": 0.5 * m,
        "mean_x2": 2 * m,
        "axis_only": along * m,
        "off_axis_only": d - along * m,
        "depth_only": (d @ u) / (u @ u) * u,
        "sign_only": np.sign(d) * np.abs(d).mean(),
        "replicate_flipped": -d,
        "replicate_x0.3": 0.3 * d,
        "replicate_x3": 3 * d,
        "spread_x0.5": m + 0.5 * (d - m),
        "spread_x2": m + 2 * (d - m),
        "nearest_other": half.effect[others[int(np.argmax(cosine))]],
        "target_only": np.where(np.arange(G) == p, d, 0),
        "top20_only": np.where(top, d, 0),
        "all_but_top20": np.where(top, 0, d),
        "replicate": d,
    }[probe]


DRAWN = ("right_size_wrong_genes", "random_other", "replicate_noisier")


@pytest.mark.parametrize("probe", [name for name in PROBES if name not in DRAWN])
def test_by_definition(half, probe):
    (predicted,) = predict(half, probe)
    for p in range(P):
        np.testing.assert_allclose(predicted[p], expected(half, probe, p), rtol=1e-9, atol=1e-12)


def test_wrong_genes_have_the_right_size(half):
    (predicted,) = predict(half, "right_size_wrong_genes")
    for p in range(P):
        size = half.effect[p] @ half.effect[p]
        noise = half.cell_noise[p].sum() + sum(half.weights[p, s] ** 2 * half.control_noise[s] for s in range(S))
        np.testing.assert_allclose(predicted[p] @ predicted[p], size - noise)
        assert not np.allclose(predicted[p], half.effect[p])
        scale = np.sqrt((size - noise) / size)
        for b in range(3):
            genes = half.bins == b
            np.testing.assert_allclose(np.sort(predicted[p, genes]), scale * np.sort(half.effect[p, genes]))


def test_others_are_never_oneself(half):
    shifts = predict(half, "random_other")
    assert len(shifts) == 10
    for predicted in shifts:
        rows = [int(np.flatnonzero((half.effect == row).all(axis=1))[0]) for row in predicted]
        assert sorted(rows) == list(range(P))
        assert not np.any(np.array(rows) == np.arange(P))


def test_noise_is_as_large_again(half):
    draws = [half.predictions("replicate_noisier", np.random.default_rng(i), has_axis=True)[0] for i in range(400)]
    np.testing.assert_allclose(np.var(draws, axis=0).mean(), half.cell_noise.mean(), rtol=0.05)
    np.testing.assert_allclose(np.mean(draws, axis=0), half.effect, atol=0.15)


def test_what_cannot_be_made(half):
    assert np.isnan(predict(half, "axis_only", has_axis=False)[0]).all()
    assert np.isnan(predict(half, "off_axis_only", has_axis=False)[0]).all()
    blind = replace(half, depth=None)
    assert np.isnan(predict(blind, "depth_only")[0]).all()
    small = replace(half, mean_noise=np.full(P, 1e6))
    assert not predict(small, "axis_only")[0].any(), "a mean that is noise alone: nothing along it"


def test_an_axis_is_the_same_in_both_halves():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal(400)
    first, second = rng.standard_normal((2, 10, 400))
    assert has_axis(first + shared, second + shared)
    assert not has_axis(first, -first)
    assert not has_axis(0 * first, second)
