"""Shares of gene sets and of genes in no set, against loops over perturbations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from scpertbias._core.gene_sets import (
    DRAWS_OF,
    SetNull,
    SetShare,
    gene_draws,
    is_beyond,
    nearest_genes,
    screen_shares,
    set_null,
    typical_shares,
)
from scpertbias._core.resampling import NORMAL, logit_bounds

from .conftest import planted


def sets_of(cells):
    genes = np.arange(cells.effect.shape[1])
    return np.array([genes < 8, (genes >= 5) & (genes < 20)])


def test_the_share_of_this_screen_is_that_of_the_loop(screen):
    s = screen.cells
    kappa = 1 / s.n + s.w**2 @ (1 / s.n_0)
    vectors = s.vectors * np.sqrt(np.median(s.t))
    for genes, ours in zip(sets_of(s), screen_shares(screen.response, sets_of(s)), strict=True):
        total = s.energy.sum()
        share = (s.effect**2 - s.v)[:, genes].sum() / total
        u = genes - share
        tau = np.mean([(q @ (u * r)) ** 2 for i, q in enumerate(vectors) for j, r in enumerate(vectors) if i != j])
        variance = screen.control_variance([s.w.T @ (u * s.effect)] * 2)
        for p, effect in enumerate(s.effect):
            along = np.mean([(r @ (u * effect)) ** 2 for r, owner in zip(vectors, s.owner, strict=True) if owner != p])
            variance += 4 * max(along - kappa[p] * tau, 0) / s.n[p] + 2 * tau * kappa[p] ** 2
        error = np.sqrt(variance) / total
        assert_allclose([ours.share, ours.error], [share, error], rtol=1e-6)
        assert_allclose([ours.low, ours.high], logit_bounds(share, error, NORMAL), rtol=1e-6, atol=1e-12)


def test_the_share_of_a_typical_perturbation_is_that_of_the_loop(screen):
    s = screen.cells
    omega = 1 / np.maximum((s.effect**2).sum(axis=1), s.v.sum(axis=1))
    n = len(omega)
    for genes, ours in zip(sets_of(s), typical_shares(screen.response, sets_of(s)), strict=True):
        on, total = omega * (s.effect**2 - s.v)[:, genes].sum(axis=1), omega * s.energy
        share = on.sum() / total.sum()
        assert ours.share == pytest.approx(share, rel=1e-6)
        if n < 10:
            assert np.isnan([ours.error, ours.low, ours.high]).all()
            continue
        without = np.array([np.delete(on, p).sum() / np.delete(total, p).sum() for p in range(n)])
        variance = (n - 1) / n * np.sum((without - without.mean()) ** 2)
        variance += screen.control_variance([s.w.T @ (omega[:, None] * (genes - share) * s.effect) / total.sum()] * 2)
        assert_allclose(ours.error, np.sqrt(variance), rtol=1e-6)
        interval = logit_bounds(share, np.sqrt(variance), stats.t.ppf(0.975, n - 1))
        assert_allclose([ours.low, ours.high], interval, rtol=1e-6, atol=1e-12)


def test_genes_in_no_set_take_the_place_of_a_set(screen):
    s = screen.cells
    pool = ~sets_of(s).any(axis=0)
    draws = gene_draws(60, len(pool), np.random.default_rng(0))
    omega = 1 / np.maximum((s.effect**2).sum(axis=1), s.v.sum(axis=1))
    logs, by_gene = np.log(s.c + 0.001), s.effect**2 - s.v
    for genes in sets_of(s):
        shares, typical, apart = [], [], []
        for draw in draws:
            drawn = []
            for g in np.flatnonzero(genes):
                nearest = sorted(np.flatnonzero(pool), key=lambda h: abs(logs[h] - logs[g]))[:20]
                drawn.append(nearest[int(draw[g]) * len(nearest) // DRAWS_OF])
                apart.append(abs(logs[drawn[-1]] - logs[g]))
            shares.append(by_gene[:, drawn].sum() / s.energy.sum())
            typical.append(omega @ by_gene[:, drawn].sum(axis=1) / (omega @ s.energy))
        null = set_null(screen.response, genes, pool, screen.moments.control, draws)
        p = (1 + np.sum(np.array(shares) >= by_gene[:, genes].sum() / s.energy.sum())) / 61
        expected = [np.mean(shares), np.mean(typical), p, np.mean(apart)]
        assert_allclose([null.share, null.typical, null.p, null.mismatch], expected, rtol=1e-6)


def test_every_nearest_gene_is_drawn_as_often():
    draws = gene_draws(20_000, 2, np.random.default_rng(1)).astype(int) * 20 // DRAWS_OF
    assert_allclose(np.bincount(draws.ravel(), minlength=20), 2000, rtol=0.12)


def test_nearest_genes_are_in_no_set():
    control = np.array([1.0, 2.0, 4.0, 1.1, 0.0, -0.2])
    pool = np.array([False, True, True, True, False, False])
    nearest = nearest_genes(control, ~pool, pool)
    assert nearest[0].tolist() == [3, 1, 2]
    assert nearest[1].tolist() == nearest[2].tolist() == [3, 1, 2]  # a negative mean counts as none


def test_without_genes_to_draw_there_is_no_null(screen):
    genes = np.ones(screen.cells.effect.shape[1], dtype=bool)
    draws = gene_draws(5, len(genes), np.random.default_rng(2))
    for args in ((genes, ~genes, draws), (~genes, genes, draws), (genes, genes, draws[:0])):
        null = set_null(screen.response, args[0], args[1], screen.moments.control, args[2])
        assert np.isnan([null.share, null.typical, null.p, null.mismatch]).all()


SHARE, TYPICAL = SetShare(0.3, 0.02, 0.25, 0.35), SetShare(0.3, 0.03, 0.2, 0.4)
NULL = SetNull(0.1, 0.1, 0.001, 0.2)


@pytest.mark.parametrize(
    ("changes", "beyond"),
    [
        ({}, True),
        ({"n_genes": 4}, False),
        ({"n_sets": 51}, False),
        ({"null": SetNull(0.26, 0.1, 0.001, 0.2)}, False),
        ({"null": SetNull(0.1, 0.21, 0.001, 0.2)}, False),
        ({"null": SetNull(0.1, 0.1, 0.001, 0.51)}, False),
        ({"null": SetNull()}, False),
        ({"typical": SetShare(0.3)}, False),
    ],
)
def test_beyond_needs_all_of_it(changes, beyond):
    assert (
        is_beyond(**{"n_genes": 5, "n_sets": 50, "share": SHARE, "typical": TYPICAL, "null": NULL, **changes}) == beyond
    )


def test_sets_of_any_genes_are_not_beyond():
    """Some genes respond more than others, whatever their set: p is about uniform, and hardly a set is beyond."""
    rng = np.random.default_rng(3)
    response = planted(rng, rng.normal(size=(15, 200)) * rng.gamma(1, 0.5, 200))
    members, p, beyond = np.array([rng.permutation(200) < 15 for _ in range(150)]), [], []
    in_screen, typical = screen_shares(response, members), typical_shares(response, members)
    for genes, share, of_typical in zip(members, in_screen, typical, strict=True):
        null = set_null(response, genes, ~genes, np.linspace(1, 3, 200), gene_draws(199, 200, rng))
        p.append(null.p)
        beyond.append(is_beyond(15, 9, share, of_typical, null))
    assert 0.35 < np.mean(p) < 0.65
    assert np.mean(beyond) < 0.05
