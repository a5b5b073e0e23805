"""Scores and recurrence beside the same implementation by another hand, on the same screens."""

from types import SimpleNamespace

import numpy as np
import pytest
from benchmarks import oracle

from scpertbias._core.ceilings import Truth
from scpertbias._core.control_derivatives import Derivative, score_derivatives, variance_of
from scpertbias._core.control_variance import ControlBlocks
from scpertbias._core.correlations import CORRELATIONS, NoiseWeights
from scpertbias._core.metrics import evaluate, evaluate_ceilings
from scpertbias._core.noise import noise_shape
from scpertbias._core.ranking import expression_bins
from scpertbias._core.recurrence import EffectScale, excess_interval, observed_effects, recurrence, z_is_tested
from scpertbias._core.resampling import (
    benjamini_hochberg,
    complement,
    linear_bounds,
    mean_share,
    ratio_bounds,
    ratio_of_sums,
)
from scpertbias._core.z_scores import z_errors, z_scores

from .test_agreement import TOLERANCE, pair  # noqa: F401

KINDS = ("means", "changes", "cells")
N_GENES = 100


@pytest.fixture
def both(pair):  # noqa: F811
    """All perturbations, by their row in the moments of the package; the oracle has no row of the control."""
    rows = np.arange(1, len(pair.ours.n))
    return SimpleNamespace(ours=pair.ours, theirs=pair.theirs, rows=rows)


def close(one, other, name=""):
    np.testing.assert_allclose(one, other, **TOLERANCE, err_msg=name)


def test_z(both):
    close(z_scores(both.ours, both.rows), oracle.z_scores(both.theirs))
    close(z_errors(both.ours, both.rows), oracle.z_denominator(both.theirs))
    for a in (0, 1):
        close(z_errors(both.ours, both.rows, a), oracle.z_denominator_half(both.theirs, a))


@pytest.mark.parametrize("by", ["delta", "z", "centered"])
def test_recurrence(both, by):
    perturbed = np.arange(len(both.ours.n)) > 0
    scale = EffectScale.of(both.ours, both.rows)
    values, repeats = observed_effects(by, both.ours, both.rows, perturbed, scale)
    repeats = list(repeats)
    close(values, oracle.recurrence_values(both.theirs, by))
    for a, repeat in enumerate(repeats):
        close(repeat, oracle.recurrence_values(both.theirs, by, a))
    bins = expression_bins(both.ours.control)
    found, expected = recurrence(values, repeats, bins, 5), oracle.recurrence(both.theirs, 5, by)
    np.testing.assert_array_equal(found.count, expected["count"])
    close(found.effective, expected["n_effective_genes"])
    if by != "delta":
        close(found.p, expected["p"])
    if by == "centered" or (by == "z" and z_is_tested(both.ours, both.rows)):
        close(benjamini_hochberg(found.p), expected["q"])
    assert z_is_tested(both.ours, both.rows) == oracle.z_recurrence_allowed(both.theirs)


def test_excess():
    count, other = np.array([0, 3, 12, 20]), np.array([4, 3, 1, 20])
    low, high = excess_interval(count, other, 20)
    for i in range(4):
        expected = oracle.recurrence_excess(count[i], other[i], 20)
        close([low[i] / 20, high[i] / 20], [expected["low"], expected["high"]])


def scene(both, kind):
    """Half of the perturbations are held out; predictions are the truth with errors, in batches of their own."""
    m, t, rng = both.ours, both.theirs, np.random.default_rng(5)
    held, train = np.arange(len(both.rows)) % 2 == 0, np.arange(len(both.rows)) % 2 == 1
    rows, training = both.rows[held], np.flatnonzero(train)
    genes = np.sort(oracle.genes_scored(t.c, np.array([f"g{i:03d}" for i in range(len(t.c))]), N_GENES))
    mean, omega, own = oracle.training_reference(oracle.restrict_genes(t, genes), training)
    weights = oracle.predicted_control_weights(
        t,
        np.flatnonzero(held),
        {"means": "mean", "changes": "delta", "cells": "mean"}[kind],
        rng.dirichlet(np.ones(len(t.n_0b)), held.sum()) if kind == "cells" else None,
    )
    predictions = m.mean[rows] + rng.normal(0, 0.05, (len(rows), len(t.c)))
    truth = Truth.of(
        m,
        rows,
        genes,
        noise_shape(m, both.rows),
        centroid=np.tile(m.mean[both.rows[train]][:, genes].mean(axis=0), (len(rows), 1)),
        centroid_weights=np.tile(m.weights[both.rows[train]].mean(axis=0), (len(rows), 1)),
        centroid_noise=np.full(len(rows), own),
        groups=np.zeros(len(rows), dtype=np.int64),
        target_columns=np.zeros(len(genes), dtype=np.bool_),
    )
    return SimpleNamespace(
        truth=truth,
        genes=genes,
        held=np.flatnonzero(held),
        predictions=predictions,
        weights=weights,
        mean=mean,
        omega=omega,
        own=own,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_scores_and_ceilings(both, kind):
    s, t = scene(both, kind), both.theirs
    found = evaluate(s.predictions[:, s.genes], s.truth, NoiseWeights(s.weights, np.zeros(len(s.held))))
    means = np.zeros((len(s.held), len(t.c)))
    means[:, s.genes] = s.mean
    expected = oracle.score_table(t, s.held, s.predictions, means, oracle.z_scores(t), s.genes)
    for name in expected:
        if name != "l2_mean":
            close(found[name], expected[name], name)
    close(s.truth.centroid_l2, expected["l2_mean"])
    ceilings = evaluate_ceilings(s.truth, s.weights)
    part, shape = oracle.restrict_genes(t, s.genes), oracle.noise_shape(t)
    phi, a2 = oracle.centered_share(shape, s.genes), oracle.concentration(shape, s.genes, centered=True)
    noise = oracle.truth_noise(part, s.held, s.weights)
    close(ceilings["l2"], np.sqrt(np.maximum(noise.sum(axis=1), 0)))
    for i, p in enumerate(s.held):
        close(
            [ceilings["pearson_delta"][i], ceilings["pearson_delta_perturbed"][i]],
            [
                oracle.pearson_ceiling(part, p, s.weights[i], part.c, np.zeros(len(t.n_0b)), 0.0, phi, a2),
                oracle.pearson_ceiling(part, p, s.weights[i], s.mean, s.omega, s.own, phi, a2),
            ],
        )


SUMS = {
    "mean": lambda c, training, own: training.mean(axis=0),
    "no_change": lambda c, training, own: c,
    "additive": lambda c, training, own: training[0] + training[1] - c,
    "part": lambda c, training, own: 0.3 * c + np.arange(1, 7) @ training / 30,
    "on other data": lambda c, training, own: own,
}


@pytest.mark.parametrize("model", SUMS)
def test_correlations_without_shared_noise(both, model):
    """Predictions are sums of the control and of training means; the other hand has a weight for every mean."""
    s, t = scene(both, "means"), both.theirs
    training, shape, part = (
        np.setdiff1d(np.arange(12), s.held),
        oracle.noise_shape(t),
        oracle.restrict_genes(t, s.genes),
    )
    rows = [oracle.weights_mean_star(t, q) for q in training]
    held_by = SUMS[model](oracle.weights_control(t), np.array(rows), np.zeros(len(rows[0])))
    predicted = SUMS[model](t.c, t.mean_star[training], t.mean_star[0] + 0.3)
    weights, own = SUMS[model](np.zeros(len(t.n_0b)), t.w[training], t.w_0), part.t[training] / part.n[training]
    of_training = SUMS[model](0.0, own, 0.0) / own.mean()
    held = NoiseWeights(np.tile(weights, (len(s.held), 1)), np.full(len(s.held), of_training))
    found = evaluate(np.tile(predicted[s.genes], (len(s.held), 1)), s.truth, held)
    ceilings, phi = evaluate_ceilings(s.truth, s.truth.of_means), oracle.centered_share(shape, s.genes)
    abouts = {False: oracle.weights_control(t), True: np.mean(rows, axis=0)}
    for name, kind in CORRELATIONS.items():
        reference = (s.mean, s.omega, s.own) if kind.about_centroid else (part.c, np.zeros(len(t.n_0b)), 0.0)
        for i, p in enumerate(s.held if kind.unshared else ()):
            about = abouts[kind.about_centroid]
            score, plain = oracle.unshared_score(t, shape, p, predicted, held_by, about, s.genes, not kind.cosine)
            close(found[name][i], score, name)
            a2 = oracle.concentration(shape, s.genes, centered=not kind.cosine)
            ceiling = oracle.unshared_ceiling(part, p, t.w_0, *reference, None if kind.cosine else phi, a2)
            close(ceilings[name][i], ceiling)
            if name == "pearson_delta_unshared":
                close(found["inflation"][i], plain - score)


@pytest.mark.parametrize("kind", KINDS)
def test_control_variance_of_squared_errors(both, kind):
    """The derivative of Σ l2² by the control means of the batches, as the other hand would write it."""
    s, part = scene(both, kind), oracle.restrict_genes(both.theirs, scene(both, kind).genes)
    blocks = ControlBlocks.of(both.ours.genes(s.genes))
    held = NoiseWeights(s.weights, np.zeros(len(s.held)))
    derivative = score_derivatives(s.predictions[:, s.genes], s.truth, held, blocks, np.empty((0, len(s.genes))))["l2"]
    error = s.predictions[:, s.genes] - s.truth.observed
    assert isinstance(derivative, Derivative)
    found = variance_of(blocks, derivative.along(2 * np.linalg.norm(error, axis=1)))
    v = (part.w[s.held] - s.weights).T @ (2 * error) / 2
    close(found, oracle.control_variance(part, np.stack([v, v])))


@pytest.mark.parametrize("shared", [0.0, 0.01])
def test_intervals_of_skills(shared):
    rng = np.random.default_rng(0)
    l2, base, noise = rng.uniform(0.5, 1, 24), rng.uniform(0.9, 1.4, 24), rng.uniform(0.05, 0.1, 24)
    shape = SimpleNamespace(a2_raised=0.02)
    expected = oracle.l2_skill(l2, base, noise, 0.9 * noise, shape, shared)
    found = complement(ratio_of_sums(l2**2 - noise, base**2 - 0.9 * noise, ratio_bounds, shared=shared))
    close(
        [found.estimate, found.low, found.high, found.n_effective],
        [expected[k] for k in ("value", "low", "high", "n_effective")],
    )
    r, r_base, r_ceiling = rng.uniform(0.3, 0.7, 24), rng.uniform(0.2, 0.4, 24), rng.uniform(0.8, 0.9, 24)
    expected = oracle.pearson_skill(r, r_base, r_ceiling, shared)
    found = ratio_of_sums(r - r_base, r_ceiling - r_base, linear_bounds, shared=shared)
    close(
        [found.estimate, found.low, found.high, found.n_effective],
        [expected[k] for k in ("value", "low", "high", "n_effective")],
    )
    for scores in (rng.beta(3, 1, 24), np.append(np.ones(23), 0.99)):
        expected, found = oracle.discrimination_interval(scores), mean_share(scores)
        close([found.estimate, found.low, found.high], [expected[k] for k in ("value", "low", "high")])


def test_noise_shape(both):
    found, expected = noise_shape(both.ours, both.rows), oracle.noise_shape(both.theirs)
    close([found.a2, found.a2_raised, found.a3_raised], [expected.a2, expected.a2_raised, expected.a3_raised])
