"""A score of differential expression as any metric: the same calls and scores as from the moments."""

import numpy as np
import pytest

from scpertbias._core.de import DE_METRICS, DE_SCORES, ObservedChanges, de_scores
from scpertbias._core.de_metric import MOST_CALLS, DeFunction
from scpertbias._core.z_scores import undetectable, z_errors

from .log_counts import ROWS, P, draw, moments_of

GENES = np.arange(3, 50)
NONE = np.zeros((P, len(GENES)), dtype=bool)


@pytest.fixture(scope="module")
def moments():
    return moments_of(*draw(1, n_batches=1, n_control=151, cells=25, effect=0.8))


@pytest.mark.parametrize("name", DE_SCORES)
def test_is_the_score_with_the_errors_against_half_of_the_control(moments, name):
    function = DeFunction.of(name, moments, ROWS, GENES, NONE)
    rng = np.random.default_rng(0)
    control = moments.control[GENES]
    observed = moments.mean[ROWS][:, GENES]
    predicted = observed + rng.normal(0, 0.3, size=observed.shape)
    squares = np.mean([z_errors(moments, ROWS, control_half=a)[:, GENES] ** 2 for a in (0, 1)], axis=0)
    error = np.where(undetectable(moments, ROWS)[:, GENES], np.nan, np.sqrt(squares))
    expected = de_scores([predicted - control], [ObservedChanges.of(observed - control, error, NONE)])[name]
    assert np.isfinite(expected).any()
    np.testing.assert_allclose(function(predicted, observed, control), expected)
    assert function.higher_is_better == DE_METRICS[name].higher_is_better
    assert not function.compares_rows(predicted, observed, control)
    halves = function.of_halves()
    assert (halves.error[np.isfinite(error)] > error[np.isfinite(error)]).all()


def test_calls_of_the_same_observations_are_made_once(moments):
    function, control = DeFunction.of("de_auprc", moments, ROWS, GENES, NONE), moments.control[GENES]
    observed = moments.mean[ROWS][:, GENES]
    first = function(observed, observed, control)
    assert len(function.calls) == 1
    np.testing.assert_array_equal(function(observed.copy(), observed.copy(), control), first)
    assert len(function.calls) == 1
    for shift in np.linspace(0.01, 0.1, 3 * MOST_CALLS):
        function(observed, observed + shift, control)
        assert len(function.calls) <= MOST_CALLS
