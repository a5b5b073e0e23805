"""Agreement of attributions against brute force, and the detector of empty ones."""

import itertools

import numpy as np
import pytest
from scipy import stats

from scpertbias._core.attribution import (
    agreement,
    gene_permutations,
    kinds,
    one_hot_bound,
    output_gene,
    rank_attributions,
)
from scpertbias._core.ranking import expression_bins


def screens(n_perturbations=30, n_genes=120, shared=0.7, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n_perturbations, n_genes))
    mix = lambda: np.abs(shared * common + (1 - shared) * rng.normal(size=common.shape))
    return mix(), mix(), rng.gamma(1.0, size=n_genes)


def compared(a, b, control, *, k=10, n_perm=400, n_bins=20, seed=1):
    rng = np.random.default_rng(seed)
    permutations = gene_permutations(expression_bins(control, n_bins), n_perm, rng)
    keys = rng.random((n_perm, len(a)))
    return (
        agreement(rank_attributions(a, k), rank_attributions(b, k), k=k, permutations=permutations, keys=keys),
        permutations,
        keys,
    )


def test_spearman_and_overlap_against_scipy_and_sets():
    a, b, control = screens()
    a[:, 5] = a[:, 6]  # ties get mid-ranks
    found, *_ = compared(a, b, control)
    for p in range(len(a)):
        assert found.spearman[p] == pytest.approx(stats.spearmanr(a[p], b[p]).statistic, abs=1e-12)
        top_a, top_b = set(np.argsort(-a[p])[:10].tolist()), set(np.argsort(-b[p])[:10].tolist())
        assert found.overlap[p] == pytest.approx(len(top_a & top_b) / 10)


def test_sign_does_not_count():
    a, b, control = screens()
    flipped = a * np.where(np.arange(a.shape[1]) % 2, 1, -1)
    np.testing.assert_array_equal(compared(flipped, b, control)[0].spearman, compared(a, b, control)[0].spearman)


def test_p_of_the_mean_against_permuted_tables():
    a, b, control = screens(n_perturbations=5, shared=0.3, n_genes=60)
    found, permutations, _ = compared(a, b, control, n_perm=200)
    observed = np.mean([stats.spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)])
    as_high = 0
    for i in range(200):
        source = np.empty(a.shape[1], dtype=int)
        for genes, positions in permutations:
            source[genes] = genes[positions[i]]
        as_high += stats.spearmanr(a[:, source], b, axis=1).statistic[: len(a), len(a) :].diagonal().mean() >= observed
    assert 0.01 < found.mean_p < 0.99
    assert found.mean_p == pytest.approx((1 + as_high) / 201)


def test_permutations_stay_within_bins():
    bins = expression_bins(np.random.default_rng(0).random(101))
    for genes, positions in gene_permutations(bins, 5, np.random.default_rng(0)):
        assert len(np.unique(bins[genes])) == 1
        assert (np.sort(positions, axis=1) == np.arange(len(genes))).all()
        assert (positions != np.arange(len(genes))).any()


def test_p_of_a_perturbation_has_the_exact_mean_and_variance():
    """All permutations of six genes in two bins, written out."""
    rng = np.random.default_rng(3)
    a, b = rng.random((1, 6)), rng.random((1, 6))
    bins = np.array([0, 0, 0, 1, 1, 1])
    permutations = gene_permutations(bins, 10, rng)
    x, y = rank_attributions(a, 2), rank_attributions(b, 2)
    found = agreement(x, y, k=2, permutations=permutations, keys=rng.random((10, 1)))
    every = [
        (x.ranks[0, [*first, *second]] * y.ranks[0]).sum()
        for first in itertools.permutations(range(3))
        for second in itertools.permutations(range(3, 6))
    ]
    z = (found.spearman[0] - np.mean(every)) / np.std(every)
    assert found.p[0] == pytest.approx(stats.norm.sf(z), abs=1e-12)


def test_expression_alone_is_no_agreement():
    """Two models that both follow expression, and nothing else, agree; genes of the same expression do as well."""
    rng = np.random.default_rng(0)
    control = rng.gamma(1.0, size=400)
    a, b = (control * rng.lognormal(sigma=0.5, size=(40, 400)) for _ in range(2))
    found, *_ = compared(a, b, control)
    assert found.spearman.min() > 0.4
    assert found.mean_p > 0.01
    assert np.mean(found.p < 0.05) < 0.2  # bins are not infinitely fine
    unbinned, *_ = compared(a, b, control, n_bins=1)
    assert unbinned.mean_p < 0.005


def test_p_values_are_uniform_without_agreement():
    rng = np.random.default_rng(0)
    p = []
    for _ in range(150):
        a, b, control = rng.random((8, 60)), rng.random((8, 60)), rng.random(60)
        found, *_ = compared(a, b, control, n_perm=99, n_bins=5, seed=rng)
        p.append((found.mean_p, found.mean_p_specific, found.p[0]))
    for column in np.transpose(p):
        assert stats.kstest(column, "uniform").pvalue > 1e-3


def test_specific_against_brute_force():
    a, b, control = screens(n_perturbations=12, shared=0.3)
    found, _, keys = compared(a, b, control)
    cross = np.array([[stats.spearmanr(x, y).statistic for y in b] for x in a])
    for p in range(12):
        others = np.delete(cross[p], p)
        assert found.p_specific[p] == pytest.approx((1 + (others >= cross[p, p]).sum()) / 12)
    drawn = np.array([cross[np.arange(12), order].mean() for order in np.argsort(keys, axis=1)])
    assert found.mean_p_specific == pytest.approx((1 + (drawn >= cross.diagonal().mean()).sum()) / 401)


def test_what_is_shared_by_all_perturbations_is_not_specific():
    a, b, control = screens()
    same = np.tile(b[0], (len(b), 1))
    found, *_ = compared(np.tile(a[0], (len(a), 1)), same, control)
    assert found.mean_p < 0.01
    assert found.mean_p_specific == 1
    assert (found.p_specific == 1).all()
    own, *_ = compared(a, b, control)
    assert own.mean_p_specific < 0.01


def test_all_equal_or_missing_is_nan_not_zero():
    a, b, control = screens()
    a[3], a[4, 7], b[5] = 0.5, np.nan, 0.0
    found, *_ = compared(a, b, control)
    for values in (found.spearman, found.overlap, found.p, found.p_specific):
        assert np.flatnonzero(np.isnan(values)).tolist() == [3, 4, 5]
    rest = [p for p in range(len(a)) if p not in {3, 4, 5}]
    alone, *_ = compared(a[rest], b[rest], control)
    np.testing.assert_array_equal(found.p_specific[rest], alone.p_specific)
    nothing, *_ = compared(np.zeros_like(a), b, control)
    assert np.isnan(nothing.spearman).all()
    assert np.isnan(nothing.mean_p)


def test_ties_at_the_border_do_not_count_by_column():
    """Two one-hot vectors share nothing but what chance gives; column order would share 9 of 10."""
    a, b = np.zeros((1, 100)), np.zeros((1, 100))
    a[0, 3], b[0, 70] = 1, 1
    found, *_ = compared(a, b, np.arange(100.0))
    inside = 9 / 99
    assert found.overlap[0] == pytest.approx((2 * inside + 98 * inside**2) / 10)
    assert found.overlap[0] == pytest.approx(0.1, abs=0.01)


def test_k_is_checked():
    with pytest.raises(ValueError, match="`k` is 6; it must be between 1 and the number of genes, 5"):
        rank_attributions(np.ones((2, 5)), 6)


def test_bound_of_a_one_hot_is_the_constant_of_the_paper():
    assert round(one_hot_bound(1608), 4) == 0.0432
    rng = np.random.default_rng(0)
    for n in (10, 1608):
        one_hot = np.zeros(n)
        one_hot[2] = 1
        values = rng.random((50, n))
        values[0, 2] = 2.0  # the highest: the bound is reached
        rho = np.array([stats.spearmanr(one_hot, v).statistic for v in values])
        assert np.abs(rho).max() <= one_hot_bound(n) + 1e-12
        assert rho[0] == pytest.approx(one_hot_bound(n), abs=1e-12)


def test_kinds():
    rng = np.random.default_rng(0)
    values = rng.random((6, 50))
    values[0], values[1], values[2], values[5] = 0.0, -0.3, 0.0, np.nan
    values[2, 7] = -4.0
    values[3] *= 1e-6
    values[3, 9] = 1.0
    found = kinds(values)
    assert np.flatnonzero(found.zero).tolist() == [0]
    assert np.flatnonzero(found.constant).tolist() == [1]
    assert np.flatnonzero(found.one_hot).tolist() == [2, 3]
    assert np.flatnonzero(found.exact).tolist() == [2]
    assert found.known.tolist() == [True] * 5 + [False]


def test_cosine_is_the_mean_over_pairs():
    values = np.random.default_rng(0).random((7, 30))
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    pairs = [unit[i] @ unit[j] for i, j in itertools.combinations(range(7), 2)]
    assert kinds(values).cosine == pytest.approx(np.mean(pairs), abs=1e-12)
    assert kinds(np.outer(np.arange(1, 5), values[0])).cosine == pytest.approx(1.0, abs=1e-12)
    assert np.isnan(kinds(values[:1]).cosine)


def test_output_gene_varies_most_and_ties_go_by_change_then_name():
    names = np.array(["D", "C", "B", "A"])
    shifts = np.array([[0.0, 1, -1, 0], [2, 1, 1, 0], [4, 1, 3, 0.5]])
    assert output_gene(shifts, names) == (0, 2), "D and B tie; D has moved further"
    assert output_gene(shifts - [2, 0, 1, 0], names) == (2, 2), "they have moved as far: B is first by name"
    assert output_gene(shifts * [1, 1, 2, 1], names) == (2, 1)
    assert output_gene(np.ones((3, 4)), names) == (3, 4)
