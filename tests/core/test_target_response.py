"""The scan over shifts: means by hand, a planted shift, and calibration."""

import numpy as np
import pytest

from scpertbias._core.ranking import percentiles
from scpertbias._core.target_response import MIN_TARGETS, N_BLOCKS, block_bounds, scan


def screen(rng, n_targets=120, n_genes=400, strength=3.0, shift=0, behind=0):
    """Effects in which each target's own gene falls; behind some column everything lies `shift` columns off."""
    columns = rng.permutation(n_genes)[:n_targets]
    rows = np.arange(n_targets)
    effects = rng.normal(size=(n_targets, n_genes)) * rng.gamma(2.0, size=n_genes)
    at = columns + np.where(columns >= behind, shift, 0)
    inside = (at >= 0) & (at < n_genes)
    effects[rows[inside], at[inside]] -= strength * 4
    return percentiles(-effects), rows, columns


def test_means_and_expectation_by_hand():
    rng = np.random.default_rng(0)
    ranks, rows, columns = screen(rng, n_targets=40, n_genes=53)
    found = scan(ranks, rows, columns, max_shift=3, n_perm=200, rng=rng)
    np.testing.assert_array_equal(found.shifts, np.arange(-3, 4))
    blocks = [(0, 52), *block_bounds(53)]
    assert len(blocks) == 1 + N_BLOCKS
    for i, (first, last) in enumerate(blocks):
        for j, shift in enumerate(found.shifts):
            mine = [n for n, c in enumerate(columns) if first <= c <= last and 0 <= c + shift < 53]
            assert found.n_targets[i, j] == len(mine)
            if mine:
                own = [ranks[rows[n], columns[n] + shift] for n in mine]
                any_row = [ranks[:, columns[n] + shift].mean() for n in mine]
                assert found.percentile[i, j] == pytest.approx(np.mean(own))
                assert found.expected[i, j] == pytest.approx(np.mean(any_row))
            else:
                assert np.isnan(found.percentile[i, j])


def test_genes_without_a_rank_are_left_out():
    rng = np.random.default_rng(5)
    ranks, rows, columns = screen(rng, n_targets=40, n_genes=53)
    ranks[rng.random(ranks.shape) < 0.2] = np.nan
    ranks[:, columns[3]] = np.nan
    found = scan(ranks, rows, columns, max_shift=2, n_perm=100, rng=rng)
    for j, shift in enumerate(found.shifts):
        inside = [n for n, c in enumerate(columns) if 0 <= c + shift < 53]
        own = [ranks[rows[n], columns[n] + shift] for n in inside]
        assert found.n_targets[0, j] == np.sum(~np.isnan(own)) < 40
        assert found.percentile[0, j] == pytest.approx(np.nanmean(own))
        any_row = [np.nanmean(ranks[:, columns[n] + shift]) for n, x in zip(inside, own, strict=True) if x == x]
        assert found.expected[0, j] == pytest.approx(np.mean(any_row))
    assert np.isfinite(found.p[0]).all()


def test_p_by_permuting_by_hand():
    rng = np.random.default_rng(1)
    ranks, rows, columns = screen(rng, n_targets=30, n_genes=60, strength=0.2)
    found = scan(ranks, rows, columns, max_shift=2, n_perm=2000, rng=np.random.default_rng(2))
    drawn = np.empty((2000, 5))
    for b in range(2000):
        permuted = rows[rng.permutation(30)]
        for j, s in enumerate(range(-2, 3)):
            ok = (columns + s >= 0) & (columns + s < 60)
            drawn[b, j] = ranks[permuted[ok], columns[ok] + s].mean()
    height = (found.percentile[0] - drawn.mean(axis=0)) / drawn.std(axis=0)
    highest = ((drawn - drawn.mean(axis=0)) / drawn.std(axis=0)).max(axis=1)
    expected = [(highest >= h).mean() for h in height]
    np.testing.assert_allclose(found.p[0], expected, atol=0.06)
    assert found.best[0] == np.argmax(height)


def test_own_column_is_found():
    found = scan(*screen(np.random.default_rng(3)), max_shift=5, n_perm=1000, rng=np.random.default_rng(0))
    assert found.shifts[found.best[0]] == 0
    assert found.p[0, 5] == pytest.approx(1 / 1001)
    assert found.percentile[0, 5] > 0.95
    assert (np.delete(found.p[0], 5) > 0.05).all()


@pytest.mark.parametrize("shift", [-1, 3])
def test_shift_behind_a_dropped_gene_is_found_in_its_blocks(shift):
    ranks, rows, columns = screen(np.random.default_rng(4), n_targets=300, shift=shift, behind=200)
    found = scan(ranks, rows, columns, max_shift=5, n_perm=1000, rng=np.random.default_rng(0))
    assert found.shifts[found.best[1:]].tolist() == [0] * 5 + [shift] * 5
    assert (found.p[np.arange(11), found.best] < 0.01).all()


def test_genes_that_move_everywhere_are_no_proof():
    """Two columns behind each target lies a gene that tops every perturbation."""
    rng = np.random.default_rng(5)
    columns = np.arange(0, 400, 4)
    effects = rng.normal(size=(100, 400))
    effects[:, columns + 2] += 6
    found = scan(percentiles(effects), np.arange(100), columns, max_shift=3, n_perm=500, rng=rng)
    assert found.percentile[0, 5] > 0.85
    assert found.p[0, 5] > 0.05
    effects[np.arange(100), columns] += 2.5
    found = scan(percentiles(effects), np.arange(100), columns, max_shift=3, n_perm=500, rng=rng)
    assert found.shifts[found.best[0]] == 0
    assert found.p[0, 3] < 0.05


def test_few_targets_and_none():
    ranks, rows, columns = screen(np.random.default_rng(6), n_targets=MIN_TARGETS - 1)
    found = scan(ranks, rows, columns, max_shift=5, n_perm=100, rng=np.random.default_rng(0))
    assert np.isnan(found.p).all()
    assert np.isfinite(found.percentile[0]).all()
    nothing = scan(ranks, rows[:0], columns[:0], max_shift=5, n_perm=100, rng=np.random.default_rng(0))
    assert np.isnan(nothing.percentile).all()
    assert (nothing.n_targets == 0).all()


@pytest.mark.slow
def test_p_is_calibrated():
    p = np.array(
        [
            scan(
                *screen(np.random.default_rng(seed), n_targets=60, n_genes=200, strength=0.0),
                max_shift=3,
                n_perm=200,
                rng=np.random.default_rng(seed),
            ).p[0].min()
            for seed in range(300)
        ]
    )  # fmt: skip
    assert 0.02 < (p < 0.05).mean() < 0.09
    assert 0.4 < (p < 0.5).mean() < 0.6
