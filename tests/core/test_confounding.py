"""Shares of gene sets and of the shared axis, put together."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.confounding import (
    NO_GENES,
    NO_MEASURABLE_AXIS,
    NO_REPRODUCIBLE_AXIS,
    NO_RESPONSE,
    TOO_FEW_GENES,
    WEAK,
    gene_set_shares,
    note_codes,
    systematic_share,
)
from scpertbias._core.gene_sets import gene_draws, screen_shares, typical_shares

from .conftest import planted

G = 80
GENES = np.arange(G)
SETS = np.array([GENES < 12, (GENES >= 8) & (GENES < 30), GENES >= 30, GENES < 0, GENES < 3])


def shares_of(response, members=SETS, targeted=None, *, n_random=99, seed=0):
    targeted = np.zeros((len(members), len(response.energy)), bool) if targeted is None else targeted
    pools = np.array([GENES >= 30] * len(members)) & ~members
    draws = gene_draws(n_random, G, np.random.default_rng(seed))
    dividing = np.ones(len(members), dtype=bool)
    return gene_set_shares(response, members, targeted, pools, dividing, control=np.linspace(1, 2, G), draws=draws)


def with_axis(seed, size=0.4, n_rows=15):
    rng = np.random.default_rng(seed)
    axis = np.where(GENES < 12, size, 0.0)
    return planted(rng, rng.gamma(2, 0.5, (n_rows, 1)) * axis + 0.1 * rng.normal(size=(n_rows, G)))


def test_gene_sets_by_hand():
    response = with_axis(1)
    targeted = np.zeros((5, 15), dtype=bool)
    targeted[0, :4] = True
    shares = shares_of(response, targeted=targeted)
    by_gene, total = response.gene_energy, response.energy.sum()
    u1, u2 = response.half.sum(axis=1)
    measured = [0, 1, 2, 4]
    in_screen, typical = screen_shares(response, SETS[measured]), typical_shares(response, SETS[measured])
    for j, own, of_typical in zip(measured, in_screen, typical, strict=True):
        genes, share = SETS[j], shares[j]
        assert_allclose([share.share, share.low, share.high], [own.share, own.low, own.high])
        assert share.typical == of_typical
        assert share.on_systematic == pytest.approx(u1[genes] @ u2[genes] / (u1 @ u2))
        some = response.energy > 0
        assert_allclose(share.per_perturbation[some], by_gene[some][:, genes].sum(axis=1) / response.energy[some])
        assert_allclose(share.weights, np.where(genes, by_gene.sum(axis=0), 0))
    assert shares[0].share_without == pytest.approx(by_gene[4:, GENES < 12].sum() / by_gene[4:].sum())
    assert shares[1].share_without == pytest.approx(shares[1].share)
    times = SETS.sum(axis=0)
    assert shares[0].shapley == pytest.approx((by_gene.sum(axis=0) / times)[GENES < 12].sum() / total)
    assert sum(share.shapley for share in (shares[i] for i in measured)) == pytest.approx(1)
    assert shares[0].beyond
    assert shares[0].null.p == 0.01
    assert shares[3].note == NO_GENES
    assert np.isnan(shares[3].share)
    for j in (2, 4):  # nothing to draw from; too few genes
        assert shares[j].beyond is None
        assert np.isnan(shares[j].null.p)
    assert [share.note for share in shares] == ["", "", "", NO_GENES, TOO_FEW_GENES]


def test_a_share_does_not_depend_on_the_other_sets():
    response, members = with_axis(2), SETS[:2]
    alone, among = shares_of(response, members[:1])[0], shares_of(response, members[::-1])[1]
    for name in ("share", "low", "high", "on_systematic", "share_without"):
        assert getattr(alone, name) == pytest.approx(getattr(among, name))
    for name in ("share", "typical", "p", "mismatch"):
        assert getattr(alone.null, name) == pytest.approx(getattr(among.null, name))


def test_without_a_response_there_are_no_shares():
    response = planted(np.random.default_rng(3), np.zeros((15, G)))
    assert not response.known
    for share in [*shares_of(response)[:3], systematic_share(response)]:
        assert np.isnan([share.share, share.low, share.null.p, share.shapley, share.typical.share]).all()
        assert share.note == NO_RESPONSE
        assert len(share.per_perturbation) == 15


def test_genes_of_the_axis_are_those_of_its_carriers():
    effect = np.zeros((12, G))
    effect[[2, 5, 7], :10] = [[1.0], [0.8], [0.9]]
    effect[9, 40:60] = -1.0  # strong, with genes of its own
    share = systematic_share(planted(np.random.default_rng(4), effect))
    assert sorted(share.carriers) == [2, 5, 7]
    assert set(np.argsort(-np.abs(share.weights))[:10]) == set(range(10))
    assert share.n_axis == pytest.approx(2.9, abs=0.2)
    assert abs(share.per_perturbation[9]) < 0.05
    assert share.per_perturbation[2] > 0.4
    assert share.common.share < share.share


def test_an_axis_that_cannot_be_measured_is_named():
    rng = np.random.default_rng(5)
    share = systematic_share(planted(rng, np.r_[6.0, np.zeros(11)][:, None] * rng.normal(size=G)))
    assert share.note == NO_MEASURABLE_AXIS
    assert np.isnan([share.share, share.low, share.high]).all()
    assert np.isnan(share.per_perturbation[0])
    assert np.isfinite(share.common.share)


@pytest.mark.parametrize(
    ("note", "codes"),
    [
        ("", set()),
        (WEAK, {"weak_axis"}),
        (NO_MEASURABLE_AXIS, {"no_measurable_axis"}),
        (f"{WEAK}; {NO_REPRODUCIBLE_AXIS}", {"weak_axis", "no_reproducible_axis"}),
        (NO_RESPONSE, {"no_reproducible_response"}),
        (TOO_FEW_GENES, {"too_few_genes"}),
        (NO_GENES, set()),
    ],
)
def test_a_note_is_read_as_codes(note, codes):
    assert note_codes(note) == codes
