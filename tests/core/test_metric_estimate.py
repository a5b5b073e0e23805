"""From the scores of a function to the scaled value, its interval and the null."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks import metric_functions as functions

from scpertbias._core.any_metric import MetricFunction, Observations, Prediction
from scpertbias._core.control_variance import ControlBlocks
from scpertbias._core.metric_estimate import MetricJudge
from scpertbias._core.mismatch import permutations

P, G, N, N_CONTROL = 24, 150, 60, 400


def make(seed, strength=0.4):
    """A screen of one batch: its observations, and the true effects."""
    rng = np.random.default_rng(seed)
    effects = strength * (0.5 * rng.standard_normal(G) + rng.standard_normal((P, G)))
    control = rng.standard_normal((N_CONTROL, G))
    cells = rng.standard_normal((P, N, G)) + effects[:, None]
    halves = np.stack([control[a::2].mean(axis=0) for a in (0, 1)])
    own = np.stack([cells[:, a::2].mean(axis=1) for a in (0, 1)])
    effect = cells.mean(axis=1) - control.mean(axis=0)
    blocks = np.stack([[control[a::2][k::10].mean(axis=0) - halves[a] for k in range(10)] for a in (0, 1)])
    means = np.stack([np.delete(effect, p, axis=0).mean(axis=0) for p in range(P)])
    data = Observations(
        effect=effect,
        half=own - halves[:, None],
        weights=np.ones((P, 1)),
        half_weights=np.ones((2, P, 1)),
        noise=np.full(P, G * (1 / N + 1 / N_CONTROL)),
        control_half=halves[:, None],
        n_control_half=np.full((2, 1), N_CONTROL / 2),
        mean=Prediction(means, np.ones((P, 1))),
        blocks=ControlBlocks(blocks, np.full((2, 10, 1), 1 / 9 / 10)),
    )
    return data, effects


def judge(data, function, prediction, *, higher=True, uses_control=True, known=True, n_boot=200, **how):
    rng = np.random.default_rng(0)
    permuted = permutations(np.zeros(len(data.effect), dtype=np.int64), 60, rng)
    one = MetricJudge(MetricFunction(function, **how), data, higher, uses_control, known, permuted, n_boot, 1)
    return one.judge(prediction, np.zeros((len(data.effect), 1)), constant=False)


@pytest.mark.parametrize("name", ["pearson", "mae", "retrieval", "sign"])
def test_the_truth_meets_its_ceiling_and_the_mean_is_nothing(name):
    data, effects = make(0)
    how = {"higher": name not in functions.ERRORS, "uses_control": name not in functions.WITHOUT_CONTROL}
    how["n_boot"] = 20
    truth = judge(data, functions.FUNCTIONS[name], Prediction(effects, np.zeros((P, 1))), **how)
    assert truth.scaled == pytest.approx(1, abs=0.1)
    assert truth.low <= truth.scaled <= truth.high
    assert truth.gain > 0
    assert truth.p == 1 / 61
    mean = judge(data, functions.FUNCTIONS[name], data.mean, **how)
    if name == "retrieval":
        assert mean.baseline == pytest.approx(0.5, abs=0.02)  # one and the same for all, as chance
        assert mean.scaled < 0  # the mean of the others is away from each
    else:
        assert mean.scaled == 0
        assert mean.score == pytest.approx(mean.baseline)
    # One fit, so one training mean
    one = replace(data, mean=Prediction(data.mean.effect.mean(axis=0) + 0 * effects, data.mean.weights))
    assert judge(one, functions.FUNCTIONS[name], Prediction(effects[::-1], np.zeros((P, 1))), **how).p > 0.05


def test_scaled_is_a_ratio_of_sums():
    data, effects = make(1)
    rng = np.random.default_rng(3)
    guess = Prediction(effects + 0.3 * rng.standard_normal(effects.shape), np.zeros((P, 1)))
    result = judge(data, functions.mse, guess, higher=False, uses_control=False)
    assert result.scaled == pytest.approx((result.score - result.baseline) / (result.ceiling - result.baseline))


def test_gain_by_hand():
    """The mean over permutations of what each other prediction scores, with the training means exchanged."""
    data, effects = make(2)
    guess = Prediction(0.5 * effects, np.zeros((P, 1)))
    result = judge(data, functions.mae, guess, higher=False, uses_control=False, n_boot=0)
    permuted = permutations(np.zeros(P, dtype=np.int64), 60, np.random.default_rng(0))
    control, mean = data.control_batch[0], data.mean.effect
    own = functions.mae(control + guess.effect, control + data.effect, control)
    exchanged = []
    for p in range(P):
        others = [q for q in permuted[:, p] if q != p]
        scores = [np.abs(guess.effect[q] - mean[q] + mean[p] - data.effect[p]).mean() for q in others]
        exchanged.append(np.mean(scores))
    assert result.gain == pytest.approx(np.mean(exchanged) - own.mean(), rel=1e-9)
    assert np.isnan(result.low)


def test_per_screen_is_resampled_by_calling_again():
    data, effects = make(4)
    guess = Prediction(0.5 * effects, np.zeros((P, 1)))

    def slope(predicted, observed, control):
        x, y = (predicted - control).ravel(), (observed - control).ravel()
        return np.corrcoef(x, y)[0, 1]

    result = judge(data, slope, guess, n_boot=60, per="screen")
    assert result.n == P
    assert result.low < result.scaled < result.high
    assert result.p == 1 / 61


def test_why_there_is_no_scale():
    data, _ = make(5)
    few = data.rows(np.arange(9))
    assert judge(few, functions.pearson, few.mean).reason == "fewer than 10 perturbations"
    assert judge(data, functions.pearson, data.mean, known=False).reason == "no reproducible response"
    constant = judge(data, lambda x, y, c: 1.0, data.mean)
    assert constant.reason == "baseline and ceiling are not significantly different"
    nothing = judge(data, lambda x, y, c: np.nan, data.mean)
    assert (nothing.n, nothing.reason) == (0, "fewer than 10 perturbations")
    assert np.isnan(nothing.scaled)


def test_intervals_hold_the_noise_of_the_control():
    """Where all perturbations are one, nothing but the control varies."""
    data, effects = make(6)
    same, guess = (
        data.rows(np.zeros(P, dtype=np.int64)),
        Prediction(0.5 * effects[:1].repeat(P, axis=0), np.zeros((P, 1))),
    )
    result = judge(same, functions.nmae, guess, higher=False)
    assert result.high - result.low > 0.01
    exact = replace(same, blocks=replace(same.blocks, scale=0 * same.blocks.scale))
    fixed = judge(exact, functions.nmae, guess, higher=False)
    assert fixed.high - fixed.low < 1e-9
    assert fixed.scaled == result.scaled
