import numpy as np
import pytest

from scpertbias._core.halves import assign_halves
from scpertbias._core.row_moments import row_moments

from .cells import Cells, N, R, S


@pytest.mark.parametrize("guide", [False, True])
def test_halves_are_disjoint_and_whole(guide):
    cells = Cells()
    given = (cells.hashes % 3 == 0).astype(np.int64) if guide else None
    assignment = cells.assign_halves(guide_half=given)
    kept = cells.row >= 0
    assert (assignment.group[~kept] == -1).all()
    np.testing.assert_array_equal(assignment.row[assignment.group[kept]], cells.row[kept])
    half = assignment.half[assignment.group[kept]]
    np.testing.assert_array_equal(half, cells.parts()[0][kept])
    perturbed = cells.row[kept] > 0
    of_guides = assignment.guide[assignment.group[kept]]
    assert (of_guides[~perturbed] == -1).all()
    if guide:
        np.testing.assert_array_equal(of_guides[perturbed], given[kept][perturbed])
    moments = cells.row_moments(guide_half=given)
    np.testing.assert_array_equal(moments.n_half.sum(axis=0), moments.n)
    effects = moments.half - moments.half[:, :1]
    for a in (0, 1):
        mean = np.array([cells.x[kept][(cells.row[kept] == p) & (half == a)].mean(axis=0) for p in range(R)])
        np.testing.assert_allclose(effects[a], mean - moments.half_weights[a] @ moments.control_half[a], atol=1e-12)
    assert (moments.guide_half is not None) == guide
    for a in (0, 1) if guide else ():
        mine = [(cells.row == p) & (given == a) for p in range(1, R)]
        own = np.array([np.bincount(cells.batch[m], minlength=S) / m.sum() @ moments.control_half[a] for m in mine])
        mean = np.array([cells.x[m].mean(axis=0) for m in mine])
        guide_effects = moments.guide_half[a, 1:] - moments.guide_half[a, 0]
        np.testing.assert_allclose(guide_effects, mean - own, atol=1e-12)
        assert moments.n_guide_half[a, 1:].tolist() == [m.sum() for m in mine]
    n, first = moments.n_blocks.sum(axis=1), slice(0, len(moments.blocks) // 2)
    np.testing.assert_allclose(n[first] @ moments.blocks[first], 0, atol=1e-10)
    np.testing.assert_allclose(n @ moments.blocks, 0, atol=1e-10)


def test_guides_that_are_not_told_are_assigned():
    cells = Cells()
    assignment = cells.assign_halves(guide_half=np.full(N, -1))
    perturbed = assignment.group[cells.row > 0]
    np.testing.assert_array_equal(assignment.guide[perturbed], assignment.half[perturbed])


def test_halves_and_blocks_are_balanced_within_batches():
    cells = Cells()
    half, block = cells.parts()
    for b in range(S):
        for p in range(R):
            mine = (cells.row == p) & (cells.batch == b)
            n = [(mine & (half == a)).sum() for a in (0, 1)]
            assert abs(n[0] - n[1]) <= 1
        in_blocks = np.bincount(block[(cells.row == 0) & (cells.batch == b)], minlength=20)
        assert np.ptp(in_blocks) <= 1
    for p in range(R):
        assert abs(((cells.row == p) & (half == 0)).sum() - ((cells.row == p) & (half == 1)).sum()) <= 1


@pytest.mark.parametrize(
    ("n", "blocks"), [(2, 2), (3, 2), (4, 2), (7, 2), (8, 4), (39, 18), (40, 20), (41, 20), (1000, 20)]
)
def test_number_of_control_blocks(n, blocks):
    hashes = np.random.default_rng(0).integers(2**64, size=n, dtype=np.uint64)
    zero = np.zeros(n, dtype=np.int64)
    assignment = assign_halves(zero, 1, 0, hashes, batch=zero, n_batches=1)
    assert assignment.block.max() + 1 == blocks
    size = np.bincount(assignment.block[assignment.group])
    assert np.ptp(size) <= 1
    moments = row_moments(np.arange(n, dtype=float)[:, None], assignment, zero, 1, 0, batch=zero)
    assert np.isfinite(moments.half).all()
    assert np.isfinite(moments.blocks).all()
