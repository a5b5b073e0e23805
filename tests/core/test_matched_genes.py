import numpy as np
import pytest

from scpertbias._core.matched_genes import Removals, mismatch, places
from scpertbias._core.ranking import expression_bins


def test_places_go_down_then_up():
    bins = np.repeat([0, 1, 2, 3], 4)
    removed_, free = np.zeros(16, bool), np.zeros(16, bool)
    removed_[12:15] = True  # three of the highest bin
    free[[15, 8, 4, 5]] = True  # one left there, one below, two below that
    take, replaced = places(bins, removed_, free)
    assert take.tolist() == [0, 1, 1, 1]
    assert replaced == 2
    take, replaced = places(bins, bins == 0, bins > 1)  # nothing lower: from the lowest that has any
    assert take.tolist() == [0, 0, 4, 0]
    assert replaced == 4


def test_removals_are_of_the_same_expression():
    control = np.random.default_rng(1).gamma(1.0, size=400)
    out_of = np.zeros(400, bool)
    out_of[np.argsort(control)[200:400:10]] = True
    removals = Removals("no_mt", out_of, ~out_of, control)
    draws = [removals.draw(np.random.default_rng(i)) for i in range(30)]
    bins = expression_bins(control)
    for draw in draws:
        assert not (draw & out_of).any()
        assert (np.bincount(bins[draw], minlength=20) == np.bincount(bins[out_of], minlength=20)).all()
    assert np.mean([mismatch(control, out_of, d) for d in draws]) < 0.1
    anything = np.zeros(400, bool)
    anything[np.argsort(control)[:20]] = True
    assert mismatch(control, out_of, anything) == pytest.approx(
        np.abs(np.sort(np.log(control[out_of])) - np.sort(np.log(control[anything]))).mean()
    )
    assert np.isnan(mismatch(control - 1, out_of, anything))
