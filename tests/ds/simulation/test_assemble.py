import numpy as np
import pandas as pd
import pytest

from scpertbias.ds._simulation.assemble import assemble, describe_cells, design
from scpertbias.ds._simulation.sampling import SimulatedCells


def test_the_design_has_the_control_cells_asked_for_and_no_empty_group():
    group, batch, guide = design(1000, 40, 0.1, 4, np.random.SeedSequence(0))
    sizes = np.bincount(group)
    assert sizes[0] == 100
    assert len(sizes) == 41
    assert sizes.min() >= 1
    assert sizes[1:].std() > 3
    assert set(batch) == {0, 1, 2, 3}
    assert guide[group > 0].max() == 1
    assert guide[group == 0].max() == 9
    # Cells come in random order.
    assert 0.3 < np.mean(group[:500] <= 20) < 0.8
    tight, _, _ = design(12, 10, 0.1, 1, np.random.SeedSequence(0))
    assert (np.bincount(tight) >= 1).all()
    assert len(tight) == 12


@pytest.fixture
def chunks():
    first = SimulatedCells(
        np.array([2, 0]), np.array([0, 2], dtype=np.int32), np.array([1, 3], dtype=np.float32),
        np.array([4.0, 0.0]), np.array([[1.0, 3.0], [0.0, 0.0]]),
    )  # fmt: skip
    second = SimulatedCells(
        np.array([1]), np.array([1], dtype=np.int32), np.array([5], dtype=np.float32), np.array([5.0]),
        np.array([[0.0, 5.0]]),
    )  # fmt: skip
    return [first, second]


def test_chunks_become_rows(chunks):
    obs = describe_cells(
        chunks, np.array(["A", "B"], dtype=object), np.array([0, 2, 1]), np.zeros(3, dtype=int), np.array([9, 1, 0])
    )
    assert obs["perturbation"].tolist() == ["non-targeting", "B", "A"]
    assert obs["guide"].tolist() == ["non-targeting_10", "B_g2", "A_g1"]
    assert obs["pct_counts_mt"].tolist() == [25.0, 0.0, 0.0]
    assert obs["pct_counts_ribo"].tolist() == [75.0, 0.0, 100.0]
    adata = assemble(chunks, obs, pd.Series(["x", "y", "z"]), keep_counts=True)
    counts = np.array([[1, 0, 3], [0, 0, 0], [0, 5, 0]])
    np.testing.assert_array_equal(adata.layers["counts"].toarray(), counts)
    # A cell without a count stays a row of zeros.
    total = np.array([[4], [1], [5]])
    np.testing.assert_allclose(adata.X.toarray(), np.log1p(1e4 * counts / total), rtol=1e-6)
    adata.X.indices[:] = 0
    np.testing.assert_array_equal(adata.layers["counts"].toarray(), counts)
    assert "counts" not in assemble(chunks, obs, pd.Series(["x", "y", "z"]), keep_counts=False).layers
