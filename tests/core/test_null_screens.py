"""Null screens keep sizes and batches, no label is taken twice, and rates have their interval."""

import numpy as np
import pytest
from scipy.stats import binomtest

from scpertbias._core.null_screens import cells_to_copy, choose_perturbations, wilson


def test_as_many_perturbations_as_leave_enough_cells():
    rng = np.random.default_rng(0)
    n_cells = rng.integers(100, 900, 80).astype(float)
    chosen = choose_perturbations(n_cells, 900.0, 900)
    assert 10 <= len(chosen) < 60
    share = lambda rows: 900 / (900 + n_cells[rows].sum())
    assert share(chosen) * np.median(n_cells[chosen]) >= 20
    order = np.argsort(n_cells, kind="stable")
    for j in range(len(chosen) + 1, 61):
        more = order[np.round(np.linspace(0, 79, j)).astype(int)]
        assert share(more) * np.median(n_cells[more]) < 20, "one more would be too many"
    assert {order[0], order[-1]} <= set(chosen), "equal ranks, from the smallest to the largest"
    assert len(choose_perturbations(np.full(30, 1000.0), 1e6, 10**6)) == 30
    assert not len(choose_perturbations(np.full(30, 100.0), 100.0, 100))
    assert not len(choose_perturbations(np.full(9, 1000.0), 1e6, 10**6))
    # Half of the control takes labels: each perturbation has half as many.
    assert len(choose_perturbations(np.full(40, 50.0), 1000.0, 500)) < len(choose_perturbations(np.full(40, 50.0), 1000.0, 1000))  # fmt: skip


def test_bundled_screen():
    """METRICS-scores, section 4: all 25 perturbations, and 11.5 % of the cells of each."""
    import scpertbias as spb

    n = spb.ds.papalexi_2021().obs["perturbation"].value_counts()
    control = n.pop("non-targeting")
    assert len(choose_perturbations(n.to_numpy(float), float(control), control)) == 25
    assert control / (control + n.sum()) == pytest.approx(0.115, abs=0.001)


def test_labels_are_taken_within_batches_and_once():
    rng = np.random.default_rng(0)
    code, batch = rng.integers(0, 5, 3000), rng.integers(0, 3, 3000)
    batch[code == 4] = 2  # nested
    control, pool = np.flatnonzero(code == 0), code != 3
    counts = np.zeros((2000, 5))
    for i in range(200):
        copied = cells_to_copy(control, pool, batch, rng)
        assert len(set(copied.tolist())) == len(copied)
        assert pool[copied].all()
        assert (batch[copied] == batch[control]).all()
        counts[i] = np.bincount(code[copied], minlength=5)
        assert set(batch[control][code[copied] == 4]) == {2}
    expected = sum(
        np.bincount(code[pool & (batch == b)], minlength=5) * np.mean(code[pool & (batch == b)] == 0) for b in range(3)
    )
    np.testing.assert_allclose(counts[:200].mean(axis=0), expected, rtol=0.03, atol=1e-9)


@pytest.mark.parametrize(("k", "n"), [(0, 100), (0, 20), (1, 100), (57, 100), (20, 20)])
def test_wilson(k, n):
    expected = binomtest(k, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(k, n), expected, atol=1e-12)
