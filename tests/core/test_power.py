"""Cells that a reproducibility takes: the errors of squared effects against single cells, and the formulas inverted."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.detection import reproducibility
from scpertbias._core.noise import counted_rows, noise_shape
from scpertbias._core.power import Power

from .log_counts import moments_of


def power_of(screen):
    rows = counted_rows(screen.moments, np.ones(len(screen.moments.n), dtype=bool))
    return Power.of(screen.moments, rows, noise_shape(screen.moments, rows))


def test_all_is_as_from_single_cells(screen):
    power, c = power_of(screen), screen.cells
    control = c.w**2 @ c.tau
    assert_allclose(power.effect, [c.energy.sum(), *c.energy], atol=1e-8)
    assert_allclose(power.per_cell, [c.t.sum(), *c.t], rtol=1e-9)
    assert_allclose(power.control, [control.sum(), *control], rtol=1e-9)
    assert_allclose(power.n, [c.t.sum() / (c.t / c.n).sum(), *c.n])
    noise = c.t / c.n + control
    assert_allclose(power.reproducibility(np.maximum(power.effect, 0), power.n)[1:], reproducibility(c.energy, noise))
    for p in range(len(c.n)):
        along = np.mean([(c.effect[p] @ v) ** 2 for v, owner in zip(c.vectors, c.owner, strict=True) if owner != p])
        variance = 4 * noise[p] * along - c.a2 * noise[p] ** 2
        assert power.error[1 + p] == pytest.approx(np.sqrt(max(variance, 2 * c.a2_raised * noise[p] ** 2)))


def test_the_error_of_the_sum_has_the_rows_of_the_form(screen):
    """Rows are group means and control means by batch: g = 2 A x for A = Σ_p u_p u_pᵀ, term by term."""
    power, c = power_of(screen), screen.cells
    n_rows, n_batches = c.w.shape
    u = np.hstack([np.eye(n_rows), -c.w])
    v = np.r_[c.t / c.n, c.tau]
    form, gradient = u.T @ u, 2 * u.T @ c.effect
    total = 0.0
    for j in range(n_rows + n_batches):
        used = c.owner != j if j < n_rows else np.ones(len(c.owner), dtype=bool)
        total += v[j] * np.mean((c.vectors[used] @ gradient[j]) ** 2)
    pairs = form**2 * np.outer(v, v)
    # Variances of the groups are estimates as well
    pairs[np.arange(n_rows), np.arange(n_rows)] *= c.n / (c.n - 1)
    variance = total - c.a2 * pairs.sum()
    assert power.error[0] == pytest.approx(np.sqrt(max(variance, 2 * c.a2_raised * pairs.sum())))


def test_errors_are_as_large_as_squared_effects_vary():
    """The same perturbations, other cells: the spread of E, and of its sum, is that of the errors on average."""
    effects, errors = [], []
    fixed = np.random.default_rng(0).normal(size=(6, 30)) * np.array([0, 0, 0.3, 0.3, 0.6, 0.6])[:, None]
    row = np.repeat(np.arange(6), [100, *[40] * 5])
    batch = np.arange(len(row)) % 2
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(len(row), 30)) + 0.3 * rng.normal(size=(len(row), 1)) + fixed[row]
        moments = moments_of(x, row, batch, seed=seed)
        rows = np.arange(1, 6)
        power = Power.of(moments, rows, noise_shape(moments, rows))
        effects.append(power.effect)
        errors.append(power.error)
    spread = np.std(effects, axis=0, ddof=1)
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / spread
    assert ((ratio > 0.8) & (ratio < 1.45)).all(), ratio


def test_cells_for_a_target_give_that_target():
    power = Power(
        effect=np.array([2.0, 1.0, 0.1, -1.0, np.nan]),
        error=np.array([0.1, 0.4, 0.2, 0.1, np.nan]),
        per_cell=np.array([30.0, 40.0, 50.0, 10.0, 1.0]),
        control=np.array([0.1, 0.2, 0.5, 0.1, 0.1]),
        n=np.full(5, 100.0),
    )
    effect, low, high = power.effects()
    assert_allclose(effect[:4], [2, 1, 0.1, 0])
    assert_allclose(low[:3], [2 - 0.196, 1 - 0.784, 0], atol=1e-3)
    assert (high[:3] > effect[:3]).all()
    assert power.is_known.tolist() == [True, True, False, False, False]
    for target in (0.5, 0.8):
        needed = power.cells_for(effect, target)
        reached = power.reproducibility(effect, needed)
        finite = np.isfinite(needed)
        assert_allclose(reached[finite], target)
        # Else no number of cells does
        assert (power.reproducibility(effect, 1e12)[2:4] < target).all()
        assert np.isinf(needed[2:4]).all()
        assert np.isnan(needed[4])
    assert_allclose(power.cells_for(effect, 0.5)[:2], [30 / 1.9, 40 / 0.8])
