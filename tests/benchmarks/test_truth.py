"""The commands behind the figures on nulls and intervals run, and a few screens of them say what they should."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.coverage import coverage
from benchmarks.truth import NULL_SHAPES, called, truth_as_prediction


def test_nothing_is_called_on_nested_batches_without_effects():
    # Batches with one mean of the control for both halves called 30 of 30 here.
    calls, counted = np.array([called("nested", seed) for seed in range(3)]).sum(axis=0)
    assert counted > 100
    assert calls / counted < 0.02


@pytest.mark.parametrize("shape", NULL_SHAPES)
def test_every_shape_is_counted(shape):
    calls, counted = called(shape, 0)
    assert 0 <= calls <= counted
    assert counted >= 10


@pytest.mark.parametrize("shape", ["one_batch", "nested"])
def test_the_truth_is_near_its_ceiling(shape):
    rows = truth_as_prediction(shape, 0)
    l2 = rows[rows["metric"] == "l2"]
    assert set(l2["model"]) == {"means", "delta"}
    np.testing.assert_allclose(l2["estimate"], l2["ceiling"], rtol=0.08)


def test_coverage_is_a_fraction_of_screens():
    held = coverage(25, 50, 100, 4, 0)
    assert held.shape == (3,)
    assert set(held * 4) <= {0, 1, 2, 3, 4}
