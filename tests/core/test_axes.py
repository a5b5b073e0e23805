"""Energies on axes and their resamples, against loops that rebuild every effect."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.axes import (
    cosine,
    energy_on_direction,
    energy_on_genes,
    half_effects,
    is_known,
    leading_axes,
    noise_error,
    resample,
    top_directions,
)
from scpertbias._core.moments import Moments


def gaussian(true, sd, rng, *, n=20, n0=100, n_blocks=20, common=0.0):
    """Moments of a screen with these effects, drawn directly; row 0 is the control."""
    p, g = true.shape

    def means(cells, rows):
        noise = rng.standard_normal((rows, g)) + common * rng.standard_normal((rows, 1))
        return noise * sd / np.sqrt(cells)

    blocks = means(n0 / n_blocks, n_blocks)
    cut = n_blocks // 2
    halves = np.stack([true + means(n / 2, p) for _ in (0, 1)])
    control = np.stack([blocks[:cut].mean(axis=0), blocks[cut:].mean(axis=0)])
    half = np.concatenate([control[:, None], halves], axis=1)
    cells = np.r_[n0, np.full(p, n)].astype(float)
    return Moments(
        counts=np.tile(cells[:, None] / 2, (2, 1, 1)),
        mean=half.mean(axis=0),
        var=np.tile(sd**2, (p + 1, 1)),
        half=half,
        control_half=control[:, None],
        control_var=sd[None] ** 2,
        blocks=blocks - np.repeat(control, cut, axis=0),
        n_blocks=np.full((n_blocks, 1), n0 / n_blocks),
        reference=0,
    )


@pytest.fixture
def effects():
    rng = np.random.default_rng(0)
    true = rng.standard_normal((12, 30)) + 1
    return half_effects(gaussian(true, np.ones(30), rng), np.arange(1, 13))


def rebuilt(effects, resamples, r):
    """Effects of one resample, from the blocks."""
    shifts = [q[r] @ b for q, b in zip(resamples.control, effects.blocks, strict=True)]
    return effects.first - shifts[0], effects.second - shifts[1]


def test_each_half_has_its_own_control():
    rng = np.random.default_rng(1)
    m = gaussian(rng.standard_normal((4, 6)), np.ones(6), rng)
    effects = half_effects(m, np.array([2, 4]), np.array([5, 0]))
    assert_allclose(effects.first, (m.half[0, [2, 4]] - m.half[0, 0])[:, [5, 0]])
    assert_allclose(effects.second, (m.half[1, [2, 4]] - m.half[1, 0])[:, [5, 0]])
    for blocks, n in zip(effects.blocks, effects.n_blocks, strict=True):
        assert_allclose(n @ blocks, 0, atol=1e-12)


def test_draws_of_gene_sets_and_directions(effects):
    rng = np.random.default_rng(2)
    resamples = resample(effects, 7, rng)
    genes = np.arange(30) % 3 == 0
    u1, u2 = rng.standard_normal((2, 3, 30)) * 0.3 + 1
    code = np.arange(12) % 3
    energies = energy_on_genes(effects, genes), energy_on_genes(effects), energy_on_direction(effects, u1, u2, code)
    drawn = [energy.draws(resamples) for energy in energies]
    for r in range(7):
        d1, d2 = rebuilt(effects, resamples, r)
        expected = np.zeros(3)
        for p, w in enumerate(resamples.perturbations[r]):
            a, b = u1[code[p]], u2[code[p]]
            expected += w * np.array([d1[p, genes] @ d2[p, genes], d1[p] @ d2[p], (d1[p] @ b) * (d2[p] @ a) / (a @ b)])
        assert_allclose([d[r] for d in drawn], expected)


def test_own_energies_are_those_of_no_resample(effects):
    u1, u2 = effects.first.mean(axis=0), effects.second.mean(axis=0)
    energy = energy_on_direction(effects, u1[None], u2[None])
    assert_allclose(energy.own, (effects.first @ u2) * (effects.second @ u1) / (u1 @ u2))
    assert_allclose(energy_on_genes(effects).own, effects.energy)
    assert cosine(u1, u2) == pytest.approx(u1 @ u2 / np.linalg.norm(u1) / np.linalg.norm(u2))
    assert cosine(u1, 0 * u2) == 0


def test_control_blocks_are_weighted_by_their_cells():
    rng = np.random.default_rng(4)
    m = gaussian(rng.standard_normal((5, 3)), np.ones(3), rng, n_blocks=4)
    n = np.array([1.0, 3.0, 2.0, 2.0])[:, None]
    effects = half_effects(Moments(**{**m.__dict__, "n_blocks": n}), np.arange(1, 6))
    shares = resample(effects, 50, rng).control[0]
    assert set(np.round(shares[:, 0], 12)) == {0.0, 0.25, 1.0}
    assert_allclose(shares.sum(axis=1), 1)


def test_too_few_blocks_give_no_resamples():
    rng = np.random.default_rng(5)
    effects = half_effects(gaussian(rng.standard_normal((5, 3)), np.ones(3), rng, n_blocks=2), np.arange(1, 6))
    assert resample(effects, 10, rng) is None


@pytest.mark.parametrize("common", [0.0, 0.5])
def test_noise_error_is_the_spread_of_energy_without_effects(common):
    rng = np.random.default_rng(6)
    energies, errors = [], []
    for _ in range(300):
        effects = half_effects(gaussian(np.zeros((30, 60)), np.ones(60), rng, common=common), np.arange(1, 31))
        energies.append(effects.energy.sum())
        errors.append(noise_error(effects))
    assert abs(np.mean(energies)) < 4 * np.std(energies) / np.sqrt(300)
    assert np.mean(errors) == pytest.approx(np.std(energies), rel=0.2)


def test_noise_error_does_not_see_effects():
    rng = np.random.default_rng(7)
    strong = rng.standard_normal((30, 60)) * 5 * (np.arange(30) < 2)[:, None]
    plain, with_effects = (
        noise_error(half_effects(gaussian(t, np.ones(60), np.random.default_rng(8)), np.arange(1, 31)))
        for t in (0 * strong, strong)
    )
    assert with_effects == pytest.approx(plain)


def test_noise_is_no_known_response():
    rng = np.random.default_rng(11)
    of_noise = [half_effects(gaussian(np.zeros((30, 60)), np.ones(60), rng), np.arange(1, 31)) for _ in range(100)]
    assert np.mean([is_known(effects) for effects in of_noise]) < 0.05
    few_strong = half_effects(gaussian(np.eye(30, 60) * (np.arange(60) < 3) * 9, np.ones(60), rng), np.arange(1, 31))
    assert is_known(few_strong)


def test_top_directions_are_singular_vectors():
    rng = np.random.default_rng(9)
    means = rng.standard_normal((9, 20))
    expected = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:3]
    found = top_directions(means, 3)
    assert_allclose(np.abs(found @ expected.T), np.eye(3), atol=1e-9)
    assert (found[np.arange(3), np.abs(found).argmax(axis=1)] > 0).all()


def test_leading_axes_do_not_see_their_fold():
    rng = np.random.default_rng(10)
    means, fold = rng.standard_normal((20, 8)), np.arange(20) % 4
    axes = leading_axes(means, fold, 2)
    changed = means + 100 * rng.standard_normal((20, 8)) * (fold == 1)[:, None]
    assert_allclose(leading_axes(changed, fold, 2)[1], axes[1])
    assert not np.allclose(leading_axes(changed, fold, 2)[0], axes[0])


def test_directions_that_are_not_spanned_are_missing():
    found = top_directions(np.eye(3)[[0, 1, 1]], 3)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()
    assert np.isnan(leading_axes(np.ones((1, 4)), np.zeros(1, dtype=int), 2)).all()
