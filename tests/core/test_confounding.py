"""Shares of the response, on Gaussian screens of which the truth is known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.axes import (
    energy_on_direction,
    energy_on_genes,
    half_effects,
    mean_axis,
    mean_axis_draws,
    resample,
)
from scpertbias._core.confounding import (
    APPROXIMATE,
    NO_DEPTH,
    NO_GENES,
    NO_REPRODUCIBLE_AXIS,
    NO_RESPONSE,
    TOO_FEW,
    WEAK,
    direction_shares,
    gene_set_shares,
    is_known,
    note_codes,
    response,
)
from scpertbias._core.matched_genes import random_sets
from scpertbias._core.moments import Moments
from scpertbias._core.ranking import expression_bins

G, N_SET = 200, 40
SET = np.arange(G) < N_SET


def gaussian(true, sd, rng, *, n=20, n0=100, n_blocks=20):
    """Moments of a screen with these effects, drawn directly; row 0 is the control."""
    p, g = true.shape
    means = lambda cells, rows: rng.standard_normal((rows, g)) * sd / np.sqrt(cells)
    blocks, cut = means(n0 / n_blocks, n_blocks), n_blocks // 2
    control = np.stack([blocks[:cut].mean(axis=0), blocks[cut:].mean(axis=0)])
    half = np.concatenate([control[:, None], np.stack([true + means(n / 2, p) for _ in (0, 1)])], axis=1)
    cells = np.r_[n0, np.full(p, n)].astype(float)
    return Moments(
        n=cells,
        mean=half.mean(axis=0),
        var=np.tile(sd**2, (p + 1, 1)),
        half=half,
        n_half=np.tile(cells / 2, (2, 1)),
        blocks=blocks,
        n_blocks=np.full(n_blocks, n0 / n_blocks),
        reference=0,
    )


def planted(p, rng, *, axis=0.16, heavy=True):
    """Effects with an axis on the set, of uneven loadings, and programs of their own, of uneven strengths."""
    loading = rng.gamma(1.2, 1 / 1.2, (p, 1)) if heavy else rng.normal(1, 0.3, (p, 1))
    strength = rng.gamma(2, 0.5, (p, 1)) if heavy else 1.0
    own = rng.standard_normal((p, G)) * (rng.random((p, G)) < 0.1) * 0.15 * strength
    return loading * np.where(SET, axis, 0.0) + own


def truth(true):
    mean = true.mean(axis=0)
    total = (true**2).sum()
    return (true[:, SET] ** 2).sum() / total, ((true @ mean) ** 2).sum() / (mean @ mean) / total


def whole(moments, n_boot=0, rng=None):
    effects = half_effects(moments, np.arange(1, len(moments.n)))
    return response(effects, resample(effects, n_boot, rng) if n_boot else None)


def test_naive_forms_are_biased_and_these_are_not():
    rng = np.random.default_rng(0)
    true, sd = planted(100, rng), np.full(G, 0.5)
    expected = truth(true)
    ours, naive = [], []
    for _ in range(150):
        m = gaussian(true, sd, rng)
        effects = half_effects(m, np.arange(1, 101))
        u1, u2 = mean_axis(effects)
        total = effects.energy.sum()
        ours.append(
            [
                energy_on_genes(effects, SET).own.sum() / total,
                energy_on_direction(effects, u1[None], u2[None]).own.sum() / total,
            ]
        )
        shared = m.half[:, 1:] - m.mean[0]
        energy, delta = shared[0] * shared[1], m.mean[1:] - m.mean[0]
        mean = delta.mean(axis=0)
        naive.append(
            [
                energy[:, SET].sum() / energy.sum(),
                ((delta @ mean) ** 2).sum() / (mean @ mean) / total,
            ]
        )
    assert_allclose(np.mean(ours, axis=0), expected, atol=0.015)
    assert np.mean(naive, axis=0)[0] < expected[0] - 0.04
    assert np.mean(naive, axis=0)[1] > expected[1] + 0.08


def coverage(n_screens, *, n=20, n0=100, p=100, heavy=True, axis=0.16, seed=1):
    """How often intervals hold the value of the population, for the set, the mean direction, and without blocks."""
    rng = np.random.default_rng(seed)
    sd = rng.uniform(0.3, 0.8, G)
    population = planted(20_000, rng, heavy=heavy, axis=axis)
    expected = truth(population)
    hits = np.zeros((n_screens, 3))
    for i in range(n_screens):
        m = gaussian(planted(p, rng, heavy=heavy, axis=axis), sd, rng, n=n, n0=n0)
        w = whole(m, 1000, rng)
        energy = energy_on_genes(w.effects, SET)
        u1, u2 = mean_axis(w.effects)
        axis_energy = energy_on_direction(w.effects, u1[None], u2[None])
        shares = w.of_axis(energy), w.share(axis_energy.own, mean_axis_draws(w.effects, w.resamples))
        hits[i, :2] = [s.low <= e <= s.high for s, e in zip(shares, expected, strict=True)]
        alone = w.resamples.perturbations @ energy.own / (w.resamples.perturbations @ w.energy)
        hits[i, 2] = np.quantile(alone, 0.025) <= expected[0] <= np.quantile(alone, 0.975)
    return hits.mean(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "n0"), [(20, 100), (50, 500)])
def test_intervals_cover_the_population(n, n0):
    gene_set, direction, without_blocks = coverage(80, n=n, n0=n0)
    assert gene_set >= 0.88
    assert direction >= 0.88
    if n0 == 100:  # perturbations alone are not what varies
        assert without_blocks < gene_set - 0.05


def shares_of(true, members, *, targeted=None, n_random=0, control=None, seed=2, n0=2000, n_boot=0):
    rng = np.random.default_rng(seed)
    w = whole(gaussian(true, np.full(G, 0.5), rng, n=100, n0=n0), n_boot, rng)
    targeted = np.zeros((len(members), len(true)), dtype=bool) if targeted is None else targeted
    control = np.arange(G, dtype=float) if control is None else control
    return w, gene_set_shares(w, members, targeted, control=control, n_random=n_random, rng=np.random.default_rng(3))


def test_gene_sets_by_hand():
    rng = np.random.default_rng(4)
    second = (np.arange(G) >= 30) & (np.arange(G) < 70)
    members = np.array([SET, second, ~(SET | second), np.zeros(G, dtype=bool)])
    targeted = np.zeros((4, 60), dtype=bool)
    targeted[0, :7] = True
    w, shares = shares_of(planted(60, rng), members, targeted=targeted)
    e = w.effects.first * w.effects.second
    u1, u2 = mean_axis(w.effects)
    for share, genes in zip(shares[:3], members[:3], strict=True):
        assert share.share == pytest.approx(e[:, genes].sum() / e.sum())
        assert share.on_systematic == pytest.approx(u1[genes] @ u2[genes] / (u1 @ u2))
        some = w.energy > 0
        assert_allclose(share.per_perturbation[some], e[some][:, genes].sum(axis=1) / e[some].sum(axis=1))
        assert np.isnan(share.per_perturbation[~some]).all()
    assert shares[0].share_without == pytest.approx(e[7:, SET].sum() / e[7:].sum())
    assert shares[1].share_without == shares[1].share
    both = SET & second
    assert shares[0].shapley == pytest.approx((e[:, SET].sum() - e[:, both].sum() / 2) / e.sum())
    assert sum(s.shapley for s in shares[:3]) == pytest.approx(1)
    assert shares[3].note == NO_GENES
    assert np.isnan(shares[3].share)


def test_a_share_does_not_depend_on_the_other_sets():
    rng = np.random.default_rng(5)
    true = planted(60, rng)
    other, control = np.arange(G) % 5 == 0, rng.random(G)
    _, alone = shares_of(true, SET[None], n_random=50, control=control)
    _, among = shares_of(true, np.array([other, SET]), n_random=50, control=control)
    for name in ("share", "null", "p", "on_systematic"):
        assert getattr(alone[0], name) == getattr(among[1], name)


def test_random_sets_have_genes_of_the_same_expression():
    rng = np.random.default_rng(6)
    control, energy = rng.random(G), rng.random(G)
    members = np.array([rng.random(G) < 0.1, rng.random(G) < 0.3])
    sums = random_sets(energy, control, members, 4000, rng)
    bins = expression_bins(control)
    for genes, found in zip(members, sums, strict=True):
        expected = sum((genes & (bins == b)).sum() * energy[bins == b].mean() for b in range(20))
        assert found.mean() == pytest.approx(expected, rel=0.01)
    one = random_sets((bins == 3).astype(float), control, members, 10, rng)
    assert_allclose(one, np.tile((members & (bins == 3)).sum(axis=1)[:, None], 10))  # as many of every bin


def test_p_is_small_for_the_planted_set_uniform_for_others_and_missing_for_large_ones():
    rng = np.random.default_rng(7)
    true = planted(60, rng)
    control = rng.random(G)
    members = np.array([SET, *(rng.random((100, G)) < 0.1), rng.random(G) < 0.6])
    _, shares = shares_of(true, members, n_random=199, control=control)
    assert shares[0].p == 1 / 200
    p = np.array([s.p for s in shares[1:-1]])
    assert 0.3 < p.mean() < 0.7
    assert (p < 0.1).mean() < 0.25
    assert np.isnan(shares[-1].p)
    assert np.isfinite(shares[-1].null)


def test_nothing_is_said_of_noise():
    rng = np.random.default_rng(8)
    w = whole(gaussian(np.zeros((60, G)), np.full(G, 0.5), rng), 100, rng)
    assert not is_known(w.effects)
    shares = gene_set_shares(
        w, SET[None], np.zeros((1, 60), bool), control=np.arange(G, dtype=float), n_random=10, rng=rng
    )
    directions = direction_shares(w, None, np.arange(60) % 5)
    for share in [*shares, directions["leading_1"]]:
        assert np.isnan([share.share, share.low, share.p, share.shapley]).all()
        assert share.note == NO_RESPONSE
    known = [is_known(whole(gaussian(np.zeros((60, G)), np.full(G, 0.5), rng)).effects) for _ in range(200)]
    assert np.mean(known) < 0.03


def test_few_strong_perturbations_are_a_response():
    true = np.zeros((25, G))
    true[:3] = np.random.default_rng(9).standard_normal((3, G))
    w = whole(gaussian(true, np.full(G, 0.5), np.random.default_rng(10)))
    assert w.known
    assert w.n_effective < 4
    assert w.approximate


def test_directions_by_hand():
    rng = np.random.default_rng(11)
    m = gaussian(planted(60, rng), np.full(G, 0.5), rng, n=200, n0=4000)
    w = whole(m, 200, rng)
    depth = np.stack([np.where(SET, 1.0, 0.1) + 0.05 * rng.standard_normal(G) for _ in (0, 1)])
    fold = rng.permutation(60) % 5
    shares = direction_shares(w, depth, fold)
    d1, d2, total = w.effects.first, w.effects.second, w.energy.sum()
    u1, u2 = mean_axis(w.effects)
    assert shares["systematic"].share == pytest.approx(((d1 @ u2) * (d2 @ u1)).sum() / (u1 @ u2) / total)
    t1, t2 = depth
    assert shares["depth"].share == pytest.approx(((d1 @ t2) * (d2 @ t1)).sum() / (t1 @ t2) / total)
    expected = 0.0
    for f in range(5):
        train = w.effects.mean[fold != f]
        v = np.linalg.svd(train - train.mean(axis=0), full_matrices=False)[2][1]
        expected += ((d1[fold == f] @ v) * (d2[fold == f] @ v)).sum()
    assert shares["leading_2"].share == pytest.approx(expected / total)
    assert all(s.low < s.share < s.high for s in shares.values())
    # depth is nearly the mean direction here: together they take no more than either, and share it
    both = shares["systematic"].shapley + shares["depth"].shapley + shares["leading_1"].shapley
    assert both < shares["systematic"].share + shares["leading_1"].share
    assert sum(s.shapley for s in shares.values()) < 1


def test_axes_that_the_halves_do_not_share():
    rng = np.random.default_rng(12)
    own = planted(60, rng, axis=0.0)
    own -= own.mean(axis=0)
    w = whole(gaussian(own, np.full(G, 0.5), rng, n=100, n0=2000))
    shares = direction_shares(w, np.outer([1, -1], rng.standard_normal(G)), np.arange(60) % 5)
    assert shares["systematic"].note == shares["depth"].note == NO_REPRODUCIBLE_AXIS
    assert np.isnan(shares["systematic"].share)
    # in the perturbations it was found on, the first direction would carry a tenth of what nothing shares
    v = np.linalg.svd(own, full_matrices=False)[2][0]
    assert ((own @ v) ** 2).sum() / (own**2).sum() > 0.08
    assert abs(shares["leading_1"].share) < 0.04


def test_weak_and_missing_axes_are_named():
    rng = np.random.default_rng(13)
    w = whole(gaussian(planted(60, rng), np.full(G, 0.5), rng, n=100, n0=2000))
    base = rng.standard_normal(G)
    noise = rng.standard_normal((2, G)) * 2
    depth = base + noise
    cosine = depth[0] @ depth[1] / np.linalg.norm(depth[0]) / np.linalg.norm(depth[1])
    assert 0.1 < cosine < 0.3
    shares = direction_shares(w, depth, np.arange(60) % 5)
    assert shares["depth"].note == WEAK
    assert np.isfinite(shares["depth"].share)
    few = direction_shares(whole(gaussian(planted(3, rng), np.full(G, 0.1), rng)), None, np.arange(3))
    assert few["depth"].note == NO_DEPTH
    assert few["leading_3"].note == TOO_FEW
    assert np.isnan(few["leading_3"].share)


@pytest.mark.parametrize(
    ("note", "codes"),
    [
        ("", set()),
        (f"{WEAK}; {APPROXIMATE}: 25 perturbations, 5 effective", {"weak_axis", "approximate_interval"}),
        (NO_REPRODUCIBLE_AXIS, {"no_reproducible_axis"}),
        (NO_RESPONSE, {"no_reproducible_response"}),
        (NO_GENES, set()),
    ],
)
def test_a_note_is_read_as_codes(note, codes):
    assert note_codes(note) == codes
