"""The skill off the shared axes: what it does to models of known kinds, on exact effects and on noisy ones."""

import numpy as np
import pytest

from scpertbias._core.specific_skill import (
    NOT_SPECIFIC,
    NOTHING_LEFT,
    PERTURBATION_SPECIFIC,
    WRONG_SIZE,
    off_axis,
    specific_skill,
)

P, G, N_CELLS = 40, 200, 25
AXIS = np.linspace(-1, 1, G)


def screen(seed=0):
    """True and observed means, control, and training mean of perturbations that share an axis."""
    rng = np.random.default_rng(seed)
    control = rng.uniform(0, 3, G)
    true = control + rng.gamma(2, 0.4, (P, 1)) * AXIS + 0.25 * rng.standard_normal((P, G))
    observed = true + rng.standard_normal((P, G)) / np.sqrt(N_CELLS)
    mean = np.tile(control + 0.8 * AXIS + 0.02 * rng.standard_normal(G), (P, 1))
    return true, observed, control, mean


def score(predicted, made):
    _, observed, control, mean = made
    return specific_skill(off_axis(predicted, observed, control, mean, np.full((P, G), 1 / N_CELLS)), 1 / G)


def test_the_truth_has_all_the_skill():
    estimates = [score(made[0], made) for made in map(screen, range(60))]
    skills = np.array([e.skill.estimate for e in estimates])
    assert abs(skills.mean() - 1) < 3 * skills.std() / np.sqrt(60)
    holds = np.mean([e.skill.low <= 1 <= e.skill.high for e in estimates])
    assert holds > 0.85
    assert {e.category for e in estimates} == {PERTURBATION_SPECIFIC}


def test_size_is_told_from_direction():
    made = screen()
    true, _, control, _ = made
    for factor, category in ((0.5, PERTURBATION_SPECIFIC), (4.0, WRONG_SIZE), (-1.0, NOT_SPECIFIC)):
        result = score(control + factor * (true - control), made)
        assert result.category == category
        assert result.slope.low < 1 / factor < result.slope.high
        assert result.fitted.low > 0.5
        assert result.fitted.estimate == pytest.approx(1, abs=0.1)


def test_what_all_share_is_no_skill():
    made = screen()
    true, _, control, mean = made
    amplitude = (true - control) @ AXIS / (AXIS @ AXIS)
    along = mean + (amplitude[:, None] - amplitude.mean()) * AXIS
    result = score(along, made)
    assert result.skill.reason == NOTHING_LEFT
    assert result.category == NOT_SPECIFIC


@pytest.mark.parametrize("rounding", [np.float64, np.float32])
def test_nothing_left_is_exactly_none(rounding):
    made = screen()
    _, _, control, mean = made
    for constant in (mean, np.tile(control, (P, 1)), control + 0.5 * (mean - control)):
        result = score(constant.astype(rounding).astype(np.float64), made)
        assert (result.skill.estimate, result.skill.low, result.skill.high) == (0, 0, 0)
        assert result.skill.reason == NOTHING_LEFT
        assert np.isnan([result.slope.estimate, result.fitted.estimate]).all()
        assert result.category == NOT_SPECIFIC


def test_the_mean_without_each_one_is_nothing():
    """Off each fit's own mean nothing but rounding is left, whose direction is that of the mean of all."""
    true, observed, control, _ = screen()
    without = (observed.sum(axis=0) - observed) / (P - 1)
    result = score(without, (true, observed, control, without))
    assert result.skill.reason == NOTHING_LEFT


def test_no_verdict_without_perturbations_or_response():
    true, observed, control, mean = screen()
    noise = np.full((P, G), 1 / N_CELLS)
    parts = off_axis(true[:9], observed[:9], control, mean[:9], noise[:9])
    few = specific_skill(parts, 1 / G)
    assert np.isnan([few.skill.estimate, few.slope.estimate, few.fitted.estimate]).all()
    assert few.category == ""
    silent = control + np.random.default_rng(1).standard_normal((P, G)) / np.sqrt(N_CELLS)
    none = specific_skill(off_axis(true, silent, control, mean, noise), 1 / G)
    assert np.isnan(none.skill.estimate)
    assert none.category == ""


def test_both_axes_are_taken_out_of_all():
    true, observed, control, mean = screen()
    for n_genes in (30, G):  # fewer genes than perturbations, and more
        x, y, c, m = (values[..., :n_genes] for values in (true, observed, control, mean))
        parts = off_axis(x, y, c, m, np.ones((P, n_genes)))
        first = (m - c)[0] / np.linalg.norm((m - c)[0])
        rest = (x - c) - np.outer((x - c) @ first, first)
        second = np.linalg.svd(rest)[2][0]
        for values in (parts.predicted, parts.observed):
            np.testing.assert_allclose(values @ np.stack([first, second]).T, 0, atol=1e-10)
        np.testing.assert_allclose(parts.noise, n_genes - 2)
