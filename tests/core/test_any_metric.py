"""Scores, ceilings and replicates of a function, from single cells and by their definitions."""

import numpy as np
import pytest
from benchmarks import metric_functions as functions

from scpertbias._core.any_metric import MetricFunction, Observations, Prediction, exchanged, snapped
from scpertbias._core.control_variance import ControlBlocks


def observations(screen):
    response, moments = screen.response, screen.moments
    n = len(response.effect)
    means = np.stack([np.delete(response.effect, p, axis=0).mean(axis=0) for p in range(n)])
    weights = np.stack([np.delete(screen.cells.w, p, axis=0).mean(axis=0) for p in range(n)])
    return Observations(
        effect=response.effect,
        half=response.half,
        weights=response.parts.weights,
        half_weights=response.half_weights,
        noise=response.parts.total,
        control_half=moments.control_half,
        n_control_half=moments.counts[:, moments.reference],
        mean=Prediction(means, weights),
        blocks=ControlBlocks.of(moments),
    )


def raw_means(screen):
    """Means of the perturbations' own cells, of all and of the halves, whatever their batches."""
    cells = screen.cells
    halves = screen.moments.control_half
    return cells.effect + cells.w @ cells.c_by_batch, [cells.d[a] + cells.w_half[a] @ halves[a] for a in (0, 1)]


@pytest.fixture
def data(screen):
    moments = screen.moments
    n = moments.counts[:, moments.reference]
    by_batch = (n[:, :, None] * moments.control_half).sum(axis=0) / n.sum(axis=0)[:, None]
    screen.cells.c_by_batch, screen.cells.shares = by_batch, n.sum(axis=0) / n.sum()
    return observations(screen)


def test_score_by_its_definition(screen, data):
    """Every control mean in the prediction is that of one half, every one in the truth that of the other."""
    cells, halves = screen.cells, screen.moments.control_half
    raw, _ = raw_means(screen)
    function = MetricFunction(functions.pearson)
    for weights in (data.mean.weights, np.zeros_like(cells.w), np.tile(cells.shares, (len(raw), 1))):
        prediction = Prediction(data.mean.effect, weights)
        expected = np.zeros(len(raw))
        for a, b in ((0, 1), (1, 0)):
            control = cells.shares @ halves[b]
            for p in range(len(raw)):
                moved = data.mean.effect[p].copy()
                for s in range(len(cells.shares)):
                    moved -= weights[p, s] * (halves[a, s] - cells.c_by_batch[s])
                observed = control + raw[p] - cells.w[p] @ halves[b]
                expected[p] += functions.pearson(control + moved, observed, control) / 2
        scores = data.score(function, prediction, data.control_half, uses_control=True)
        np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-12)


def test_a_score_without_control_is_that_of_the_means(screen, data):
    control = screen.cells.shares @ screen.cells.c_by_batch
    expected = functions.mae(control + data.mean.effect, control + screen.cells.effect, control)
    scores = data.score(MetricFunction(functions.mae), data.mean, data.control_half, uses_control=False)
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


@pytest.mark.parametrize("uses_control", [True, False])
def test_ceiling_by_its_definition(screen, data, uses_control):
    cells, halves = screen.cells, screen.moments.control_half
    _, raw_halves = raw_means(screen)
    shared = np.tile(cells.shares, (len(cells.effect), 1))
    size = np.sqrt(np.maximum(cells.energy, 1e-6 * (cells.effect**2).sum(axis=1)) / (cells.effect**2).sum(axis=1))
    truth = size[:, None] * cells.effect
    expected = np.zeros(len(truth))
    for sign, b in ((1, 1), (-1, 0)):
        control = cells.shares @ (halves[b] if uses_control else cells.c_by_batch)
        for p in range(len(truth)):
            own = [raw_halves[a][p] - cells.w_half[a][p] @ cells.c_by_batch for a in (0, 1)]
            weight = np.sqrt(2) * cells.w[p] if uses_control else cells.w[p] - shared[p]
            error = (own[0] - own[1] - weight @ (halves[0] - halves[1])) / 2
            moved = control + (0 if uses_control else sign * shared[p] @ (halves[0] - halves[1]) / 2)
            expected[p] += functions.pearson(control + truth[p], control + truth[p] + sign * error, moved) / 2
    ceiling = data.ceiling(MetricFunction(functions.pearson), data.control_half, shared, uses_control=uses_control)
    np.testing.assert_allclose(ceiling, expected, rtol=1e-7, atol=1e-9)


def test_errors_are_of_the_right_size():
    """Over many screens, errors vary as the observed effects against half of the control do."""
    rng = np.random.default_rng(0)
    n, n_control, genes = 40, 60, 4000
    cells, control = rng.standard_normal((n, genes)), rng.standard_normal((n_control, genes))
    halves = np.stack([control[a::2].mean(axis=0) for a in (0, 1)])[:, None]
    own = np.stack([cells[a::2].mean(axis=0) for a in (0, 1)])
    one = np.ones((1, 1))
    data = Observations(
        effect=(cells.mean(axis=0) - control.mean(axis=0))[None],
        half=(own - halves[:, 0])[:, None],
        weights=one,
        half_weights=np.ones((2, 1, 1)),
        noise=np.array([genes * (1 / n + 1 / n_control)]),
        control_half=halves,
        n_control_half=np.full((2, 1), n_control / 2),
        mean=Prediction(np.zeros((1, genes)), one),
        blocks=ControlBlocks(np.zeros((2, 1, genes)), np.zeros((2, 1, 1))),
    )
    for shared, uses_control, expected in ((0, True, 1 / n + 2 / n_control), (0, False, 1 / n + 1 / n_control), (1, False, 1 / n)):  # fmt: skip
        errors = data.errors(halves, shared * one, uses_control=uses_control)
        assert errors.var() == pytest.approx(expected, rel=0.08)


def test_replicate_is_one_half_on_the_other(screen, data):
    halves = screen.moments.control_half
    expected = np.zeros(len(data.effect))
    for a, b in ((0, 1), (1, 0)):
        control = screen.cells.shares @ halves[b]
        expected += functions.mse(control + screen.cells.d[a], control + screen.cells.d[b], control) / 2
    np.testing.assert_allclose(data.replicate(MetricFunction(functions.mse)), expected, rtol=1e-9)


def test_draws_vary_as_the_blocks_say(screen, data):
    if not np.isfinite(data.blocks.scale).all():
        pytest.skip("too few blocks")
    rng = np.random.default_rng(0)
    gradient = rng.standard_normal(data.control_half.shape)
    values = [np.nansum((data.draw(rng) - np.nan_to_num(data.control_half)) * gradient) for _ in range(2000)]
    assert np.var(values) == pytest.approx(data.blocks.variance(gradient), rel=0.12)


def test_exchanged_predictions_keep_the_mean_of_the_fit(data):
    order = np.roll(np.arange(len(data.effect)), 1)
    moved = exchanged(data.mean, data.mean, order)
    np.testing.assert_allclose(moved.effect, data.mean.effect, atol=1e-12)
    np.testing.assert_allclose(moved.weights, data.mean.weights, atol=1e-12)


def test_rounding_is_no_prediction(data):
    near = Prediction(data.mean.effect * (1 + 1e-9), data.mean.weights)
    rounding = np.full(len(data.effect), 1e-6)
    assert np.array_equal(snapped(near, data.mean, rounding).effect, data.mean.effect)
    assert not snapped(Prediction(1e-9 * data.mean.effect, data.mean.weights), data.mean, rounding).effect.any()


def test_functions_of_arrays_and_of_vectors():
    rng = np.random.default_rng(0)
    predicted, observed, control = rng.standard_normal((5, 9)), rng.standard_normal((5, 9)), np.zeros(9)
    by_array = MetricFunction(functions.mae)(predicted, observed, control)
    by_vector = MetricFunction(lambda x, y, c: np.abs(x - y).mean())(predicted, observed, control)
    np.testing.assert_allclose(by_array, by_vector, rtol=1e-12)

    def refuses(x, y, c):
        if x.ndim != 1:
            msg = "vectors only"
            raise ValueError(msg)
        return float(x @ y)

    np.testing.assert_allclose(
        MetricFunction(refuses)(predicted, observed, control), (predicted * observed).sum(axis=1)
    )
    whole = MetricFunction(lambda x, y, c: np.abs(x - y).mean(), per="screen")(predicted, observed, control)
    np.testing.assert_allclose(whole, [by_array.mean()])
    with pytest.raises(ValueError, match=r"`function` returned an array of shape \(9,\)"):
        MetricFunction(lambda x, y, c: x - y)(predicted, observed, control)


def test_ranks_compare_rows():
    rng = np.random.default_rng(0)
    predicted, observed, control = rng.standard_normal((6, 9)), rng.standard_normal((6, 9)), np.zeros(9)
    compares = {
        name: MetricFunction(f).compares_rows(predicted, observed, control) for name, f in functions.FUNCTIONS.items()
    }
    assert [name for name, value in compares.items() if value] == ["retrieval"]
