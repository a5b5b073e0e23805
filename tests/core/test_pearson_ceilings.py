"""The ceiling of a correlation as a function of the observed effect; its value is tested with the other ceilings."""

from dataclasses import replace

import numpy as np
import pytest

from scpertbias._core.correlations import CORRELATIONS
from scpertbias._core.metrics import evaluate_ceilings
from scpertbias._core.pearson_ceilings import CeilingTerms, pearson_ceiling

from .test_metrics import make_truth


@pytest.mark.parametrize("kind", CORRELATIONS.values(), ids=list(CORRELATIONS))
def test_slope_is_that_of_a_larger_effect(kind):
    truth = make_truth(np.random.default_rng(0), n_rows=40)
    terms = CeilingTerms.of(truth, truth.of_means, kind)
    step = 1e-6 * terms.size
    moved = (replace(terms, size=terms.size + step).score - replace(terms, size=terms.size - step).score) / (2 * step)
    np.testing.assert_allclose(terms.slope, moved, rtol=1e-5, atol=1e-9)
    assert (terms.slope > 0).any()


def test_no_effect_has_neither_ceiling_nor_slope():
    truth = make_truth(np.random.default_rng(1))
    nothing = replace(truth, observed=np.tile(truth.control, (13, 1)))
    terms = CeilingTerms.of(nothing, nothing.of_changes, CORRELATIONS["pearson_delta"])
    assert (terms.score == 0).all()
    assert (terms.slope == 0).all()


def test_predictions_may_differ_in_their_control_weights():
    truth = make_truth(np.random.default_rng(2))
    tiled = np.tile(truth.of_means, (13, 1))
    for kind in CORRELATIONS.values():
        np.testing.assert_array_equal(
            pearson_ceiling(truth, tiled, kind),
            pearson_ceiling(truth, truth.of_means, kind),
        )
    mixed = tiled.copy()
    mixed[3] = truth.weights[3]
    one, other = evaluate_ceilings(truth, tiled), evaluate_ceilings(truth, mixed)
    own = np.sqrt(truth.own_noise[3].sum())
    assert other["l2"][3] == pytest.approx(own)
    for name in one:
        np.testing.assert_array_equal(np.delete(one[name], 3), np.delete(other[name], 3))
