"""Changes against either half of the control, against their definition one perturbation and one batch at a time."""

import numpy as np
import pytest

from scpertbias._core.de import DE_SCORES, ObservedChanges, called, de_scores
from scpertbias._core.de_truth import DeTruth, _noise_free
from scpertbias._core.z_scores import z_scores

from .log_counts import ROWS, SHAPES, Cells, P, draw, moments_of

GENES = np.arange(2, 30)


def truth_of(moments, genes=GENES, targets=None):
    targets = np.zeros((P, len(genes)), dtype=bool) if targets is None else targets
    return DeTruth.of(moments, ROWS, genes, z_scores(moments, ROWS)[:, genes], targets)


@pytest.mark.parametrize("shape", SHAPES)
def test_changes_and_errors_are_those_of_the_definition(shape):
    x, row, batch = draw(7, **SHAPES[shape], effect=0.5)
    cells, moments = Cells(x, row, batch), moments_of(x, row, batch)
    targets = np.zeros((P, len(GENES)), dtype=bool)
    targets[np.arange(P), np.arange(P)] = True
    truth = truth_of(moments, targets=targets)
    for i, p in enumerate(ROWS):
        w, n = cells.weights(p), (row == p).sum()
        for half in (0, 1):
            mean, n_half = moments.control_half[half], moments.counts[half, 0]
            np.testing.assert_allclose(truth.control_shift[half], (mean - cells.means)[:, GENES], atol=1e-12)
            change = (x[row == p].mean(axis=0) - w @ mean)[GENES]
            square = np.maximum(cells.var[i], cells.pooled) / n
            square += sum(w[b] ** 2 * np.maximum(cells.vars[b], cells.pooled) / n_half[b] for b in cells.batches)
            error = np.where(np.isnan(cells.z(p)), np.nan, np.sqrt(square))[GENES]
            judged = ObservedChanges.of(change[None], error[None], targets[[i]])
            np.testing.assert_allclose(truth.observed[half].change[i], change, atol=1e-10)
            np.testing.assert_allclose(truth.observed[half].error[i], judged.error[0], rtol=1e-8)
            np.testing.assert_array_equal(truth.observed[half].called[i], judged.called[0])


def test_predictions_hold_the_half_that_they_are_not_judged_by():
    x, row, batch = draw(8, effect=0.8)
    moments = moments_of(x, row, batch)
    truth = truth_of(moments)
    predicted = np.random.default_rng(0).normal(size=(P, len(GENES)))
    weights = np.random.default_rng(1).dirichlet(np.ones(3), size=P)
    by_half = [predicted - weights @ truth.control_shift[a] for a in (0, 1)]
    expected = de_scores(by_half, truth.observed[::-1])
    scores = truth.scores(truth.control + predicted, weights)
    assert np.isfinite(scores["de_auprc"]).any()
    for name in DE_SCORES:
        np.testing.assert_allclose(scores[name], expected[name])


def test_the_mean_shares_no_noise_of_the_control():
    """On null screens a mean that holds all of the control points where the calls do; against other halves it does not."""
    unshared, shared = [], []
    for seed in range(60):
        x, row, batch = draw(seed, n_batches=1, n_control=60, cells=40)
        moments = moments_of(x - 0.5, row, batch)  # with values below 0 every gene is judged
        truth = truth_of(moments, genes=np.arange(60))
        change = moments.mean[ROWS] - moments.control
        others = (change.sum(axis=0) - change) / (P - 1)
        # Calls are few in null screens: all genes are judged here.
        everything = [ObservedChanges(o.change, o.error, np.ones_like(o.called)) for o in truth.observed]
        shift = [np.ones((P, 1)) @ truth.control_shift[a] for a in (0, 1)]
        unshared.append(de_scores([others - shift[0], others - shift[1]], everything[::-1])["de_direction"].mean())
        shared.append(de_scores([others, others], everything)["de_direction"].mean())
    assert abs(np.mean(unshared) - 0.5) < 0.03
    assert np.mean(shared) > 0.6


def test_the_truth_has_the_size_without_noise_and_its_repeats_the_errors_of_what_is_judged():
    x, row, batch = draw(9, n_batches=1, n_control=300, cells=60, effect=0.7)
    moments = moments_of(x, row, batch)
    truth = truth_of(moments, genes=np.arange(60))
    change = moments.mean[ROWS] - moments.control
    size = (truth.truth**2).sum(axis=1)
    np.testing.assert_allclose(size, (change**2).sum(axis=1) - moments.noise[ROWS].sum(axis=1))
    left, order = np.empty(60), np.argsort(moments.noise[ROWS].sum(axis=0), kind="stable")
    for genes in np.array_split(order, 2):
        left[genes] = 1 - moments.noise[np.ix_(ROWS, genes)].sum() / (change[:, genes] ** 2).sum()
    shrunk = change * np.sqrt(np.maximum(left, 0))
    np.testing.assert_allclose(truth.truth, shrunk * (np.sqrt(size) / np.linalg.norm(shrunk, axis=1))[:, None])
    first, second = (repeat.change - truth.truth for repeat in truth.repeats)
    np.testing.assert_allclose(first, -second, atol=1e-12)
    own, control = moments.var[ROWS].sum() / 60, moments.control_var.sum() / 150
    assert np.mean(first**2) * first.size == pytest.approx(own + P * control, rel=0.15)
    ceilings = truth.ceilings()
    assert (ceilings["de_direction"] > 0.95).all()
    assert (ceilings["de_nmae"] > 0).all()


def test_truth_is_larger_where_there_is_less_noise():
    rng = np.random.default_rng(4)
    effects, noise = rng.normal(size=(60, 400)), np.tile(np.repeat([0.04, 4.0], 200), (60, 1))
    shrunk = _noise_free(effects + np.sqrt(noise) * rng.normal(size=noise.shape), noise)
    for genes in (slice(200), slice(200, None)):
        assert np.mean(shrunk[:, genes] ** 2) == pytest.approx(1, rel=0.1)


def test_noise_alone_has_no_ceiling_and_a_row_of_one_cell_no_score():
    x, row, batch = draw(10, n_batches=1)
    keep = np.ones(len(row), dtype=bool)
    keep[np.flatnonzero(row == 3)[1:]] = False
    truth = truth_of(moments_of(x[keep], row[keep], batch[keep]))
    assert all(np.isnan(values[2]) for values in truth.ceilings().values())
    none = truth_of(moments_of(x, row, batch))
    assert sum(o.n_called.sum() for o in none.observed) < 10
    assert np.isnan(none.scores(none.control + none.truth, np.zeros((P, 1)))["de_auprc"]).all()


def test_no_change_is_no_change_also_in_single_precision():
    x, row, batch = draw(8, effect=0.8)
    truth = truth_of(moments_of(x, row, batch))
    control = np.tile(truth.control, (P, 1)).astype(np.float32).astype(np.float64)
    assert (control != truth.control).any()
    scores = truth.scores(control, np.zeros((P, 3)))
    assert [set(values[np.isfinite(values)]) for values in scores.values()] == [{0.5}, {0.0}, {0.0}, {1.0}]


def test_calls_against_all_control_cells():
    x, row, batch = draw(8, effect=0.8)
    moments = moments_of(x, row, batch)
    targets = np.zeros((P, len(GENES)), dtype=bool)
    targets[:, :5] = True
    calls = called(z_scores(moments, ROWS)[:, GENES])
    np.testing.assert_array_equal(truth_of(moments).n_called, calls.sum(axis=1))
    np.testing.assert_array_equal(truth_of(moments, targets=targets).n_called, calls[:, 5:].sum(axis=1))
