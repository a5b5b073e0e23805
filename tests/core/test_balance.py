"""The share of the response that the composition of the cells accounts for, held against single cells."""

import numpy as np
import pytest
from scipy.stats import chi2

from scpertbias._core.balance import composition, quality_shares

MIN_CONTROLS = 10


def draw_cells(seed, *, n_genes=6, n_levels=4, n_batches=1, n_perturbations=5, n=900, uneven=True, level_strength=0.6):
    """Cells with a label (0 is the control), a level and a batch; levels and batches shift genes."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, n_perturbations + 1, n)
    label[: n // 4] = 0
    batch = rng.integers(0, n_batches, n)
    parts = (
        rng.dirichlet(np.ones(n_levels), n_perturbations + 1) if uneven else np.ones((n_perturbations + 1, n_levels))
    )
    level = np.array([rng.choice(n_levels, p=parts[p] / parts[p].sum()) for p in label])
    shift = level_strength * rng.normal(size=(n_levels, n_genes))[level] + rng.normal(size=(n_batches, n_genes))[batch]
    return rng.normal(size=(n, n_genes)) + shift + 0.2 * label[:, None], label, level, batch


def composition_share(x, label, level, batch, deals):
    """METRICS 8 by the definition, cell by cell: the energy of C_p, and those of deals of the levels within batches."""
    cells = np.array(
        [np.sum((label == 0) & (level == b) & (batch == s)) >= MIN_CONTROLS for b, s in zip(level, batch, strict=True)]
    )
    untested = np.mean(~cells[label > 0])
    x, label, level, batch = x[cells], label[cells], level[cells], batch[cells]
    means, noise = {}, {}
    for s, b in {*zip(batch.tolist(), level.tolist(), strict=True)}:
        control = x[(label == 0) & (level == b) & (batch == s)]
        means[s, b] = control.mean(axis=0)
        noise[s, b] = control.var(axis=0, ddof=1).sum() / len(control)

    def energy(level):
        total = 0.0
        for p in range(1, label.max() + 1):
            of_p, shift, of_noise = label == p, np.zeros(x.shape[1]), 0.0
            for s, b in means:
                in_batch = batch == s
                in_p = np.sum(of_p & in_batch & (level == b)) / max(np.sum(of_p & in_batch), 1)
                in_control = np.sum((label == 0) & in_batch & (level == b)) / np.sum((label == 0) & in_batch)
                weight = np.sum(of_p & in_batch) / np.sum(of_p) * (in_p - in_control)
                shift += weight * means[s, b]
                of_noise += weight**2 * noise[s, b]
            total += shift @ shift - of_noise
        return total

    rng, dealt = np.random.default_rng(0), []
    for _ in range(deals):
        new = level.copy()
        for s in np.unique(batch):
            new[batch == s] = rng.permutation(level[batch == s])
        dealt.append(energy(new))
    return energy(level), np.array(dealt), untested


def tables(x, label, level, batch):
    """What the pass keeps: counts by level and batch, and mean and noise of the control there."""
    names = sorted({*zip(batch.tolist(), level.tolist(), strict=True)})
    at = [(batch == s) & (level == b) for s, b in names]
    at = [cells for cells in at if np.sum(cells & (label == 0)) >= MIN_CONTROLS]
    counts = np.array([[np.sum(cells & (label == p)) for cells in at] for p in range(label.max() + 1)], dtype=float)
    controls = [x[cells & (label == 0)] for cells in at]
    means = np.array([control.mean(axis=0) for control in controls])
    noise = np.array([control.var(axis=0, ddof=1).sum() / len(control) for control in controls])
    return counts, np.array([batch[cells][0] for cells in at]), means, noise


@pytest.mark.parametrize(
    "shape", [{}, {"n_batches": 3}, {"n_levels": 12, "n": 400}, {"uneven": False}, {"n_levels": 9, "n_batches": 2}]
)
def test_is_that_of_single_cells(shape):
    x, label, level, batch = draw_cells(1, **shape)
    energy, dealt, _ = composition_share(x, label, level, batch, 200)
    result = composition(*tables(x, label, level, batch), n_random=2000, rng=np.random.default_rng(1))
    assert result.energy == pytest.approx(energy, rel=1e-9)
    error = dealt.std() / np.sqrt(len(dealt))
    assert result.by_chance.mean() == pytest.approx(dealt.mean(), abs=4 * error)
    assert result.by_chance.std() == pytest.approx(dealt.std(), rel=0.25)
    share = result.share_of(2.0)
    assert share.share == pytest.approx((energy - result.by_chance.mean()) / 2.0)
    assert share.null == pytest.approx(result.by_chance.mean() / 2.0)
    assert share.p == pytest.approx((1 + np.sum(result.by_chance >= result.energy)) / 2001)
    assert share.null_low < 0 < share.null_high


def test_random_tables_keep_both_margins_within_batches():
    x, label, level, batch = draw_cells(2, n_levels=3, n_batches=2)
    counts, in_batch, means, noise = tables(x, label, level, batch)
    a = composition(counts, in_batch, means, noise, n_random=50, rng=np.random.default_rng(0))
    b = composition(counts, in_batch, means + 1e3, noise, n_random=50, rng=np.random.default_rng(0))
    np.testing.assert_allclose(a.by_chance, b.by_chance, rtol=1e-6, err_msg="a shift of all levels is no composition")
    np.testing.assert_allclose(a.energy, b.energy, rtol=1e-6)
    even = np.tile(counts[:1], (len(counts), 1))
    assert composition(
        even, in_batch, means, 0 * noise, n_random=5, rng=np.random.default_rng(0)
    ).energy == pytest.approx(0)


def test_p_of_random_labels_is_uniform():
    p = []
    for seed in range(60):
        x, label, level, batch = draw_cells(seed, uneven=False, n=300)
        result = composition(*tables(x, label, level, batch), n_random=99, rng=np.random.default_rng(seed))
        p.append(result.share_of(1.0).p)
    assert 0.35 < np.mean(p) < 0.65
    assert np.mean(np.array(p) <= 0.05) < 0.2


def test_without_a_response_there_is_no_share():
    x, label, level, batch = draw_cells(1)
    result = composition(*tables(x, label, level, batch), n_random=20, rng=np.random.default_rng(1))
    assert np.isnan(result.share_of(0.0).share)
    assert np.isnan(result.share_of(-1.0).null)
    assert result.share_of(-1.0).p <= 1


def test_a_perturbation_in_no_tested_level_counts_nothing():
    x, label, level, batch = draw_cells(3)
    counts, in_batch, means, noise = tables(x, label, level, batch)
    alone = composition(counts, in_batch, means, noise, n_random=1, rng=np.random.default_rng(1)).energy
    counts = np.vstack([counts, np.zeros(counts.shape[1])])
    assert composition(counts, in_batch, means, noise, n_random=1, rng=np.random.default_rng(1)).energy == alone


def test_depth_by_the_definition():
    rng = np.random.default_rng(0)
    n_rows, n_batches, n_genes = 8, 2, 30
    weights = rng.dirichlet(np.ones(n_batches), n_rows)
    mean, var, n = rng.normal(8, 0.3, n_rows), rng.uniform(0.1, 0.3, n_rows), rng.integers(20, 60, n_rows)
    control, control_var, n_control = np.array([8.0, 8.2]), np.array([0.2, 0.1]), np.array([100, 150])
    slopes = rng.normal(0.2, 0.1, (2, n_genes))
    away, noise = [], []
    for p in range(n_rows):
        away.append(mean[p] - sum(weights[p, b] * control[b] for b in range(n_batches)))
        noise.append(var[p] / n[p] + sum(weights[p, b] ** 2 * control_var[b] / n_control[b] for b in range(n_batches)))
    away, noise = np.array(away), np.array(noise)
    share = quality_shares(
        mean[:, None], var[:, None], n, weights, control[:, None], control_var[:, None], n_control, slopes[:, None], 3.0
    )
    assert share[0].share == pytest.approx(np.sum(slopes[0] * slopes[1]) * np.sum(away**2 - noise) / 3.0)
    assert share[0].p == pytest.approx(chi2.sf(np.sum(away**2 / noise), n_rows))
