"""Noise vectors, their shape and the noise of squared effects, against the same from single cells."""

import numpy as np
import pytest

from scpertbias._core.halves import assign_halves
from scpertbias._core.noise import (
    OF_CONTROL,
    NoiseParts,
    NoiseShape,
    counted_rows,
    noise_parts,
    noise_shape,
    null_error,
    response_known,
    squared_effects,
)
from scpertbias._core.row_moments import row_moments

P = 8
SHAPES = {
    "one batch": {"n_batches": 1},
    "nested": {"nested": True},
    "uneven": {"uneven": True},
    "few controls": {"n_control": 31},
    "30 genes": {"n_genes": 30},
    "heavy tails": {"heavy": True},
}


def draw(seed, *, n_batches=3, nested=False, uneven=False, n_control=200, n_genes=60, heavy=False, effect=0.0):
    """Draw cells × genes with correlated noise, batch shifts and effects; rows 0 (control) to P."""
    rng = np.random.default_rng(seed)
    row = np.r_[np.zeros(n_control, dtype=np.int64), 1 + np.arange(P * 25) % P]
    share = [0.6, 0.3, 0.1][:n_batches] if uneven else None
    batch = rng.choice(n_batches, size=len(row), p=share)
    batch[row == 0] = np.arange(n_control) % n_batches
    if nested:
        batch[row > 0] = row[row > 0] % n_batches
    x = rng.standard_t(2.5, size=(len(row), n_genes)) if heavy else rng.normal(size=(len(row), n_genes))
    x += rng.normal(size=(len(row), 2)) @ rng.normal(size=(2, n_genes))
    x += rng.normal(size=(n_batches, n_genes))[batch]
    x += effect * np.vstack([np.zeros(n_genes), rng.normal(size=(P, n_genes))])[row]
    return x, row, batch


def assigned(row, batch, seed=0):
    hashes = np.random.default_rng(seed).integers(2**64, size=len(row), dtype=np.uint64)
    return assign_halves(row, P + 1, 0, hashes, batch=batch, n_batches=int(batch.max()) + 1)


def moments_of(x, row, batch, seed=0):
    return row_moments(x, assigned(row, batch, seed), row, P + 1, 0, batch=batch)


def within_variance(x, row, batch, p):
    """Sum over genes of the variance of row p within batches, from the cells."""
    n_p, w, raw = (row == p).sum(), batch_weights(row, batch, row == p), x[row == p].var(axis=0, ddof=1)
    control = [x[(row == 0) & (batch == b)] for b in range(batch.max() + 1)]
    means = np.array([c.mean(axis=0) for c in control])
    errors = np.array([c.var(axis=0, ddof=1) / len(c) for c in control])
    between = n_p * (w @ (means - w @ means) ** 2 - (w * (1 - w)) @ errors)
    return float((raw - between / (n_p - 1)).sum())


def batch_weights(row, batch, cells):
    return np.array([(cells & (batch == b)).sum() for b in range(batch.max() + 1)]) / cells.sum()


def brute_force(x, row, batch, seed=0):
    """Return noise vectors, squared effects, noise and the error of their sum, all from single cells."""
    assignment = assigned(row, batch, seed)
    half, block = assignment.half[assignment.group], assignment.block[assignment.group]
    n_batches = batch.max() + 1
    is_control = row == 0
    control = [x[is_control & (batch == b)] for b in range(n_batches)]
    means = np.array([c.mean(axis=0) for c in control])
    tau = np.array([c.var(axis=0, ddof=1).sum() / len(c) for c in control])
    vectors, squared, own, weights = [], [], [], []
    for p in range(1, P + 1):
        t = within_variance(x, row, batch, p)
        centered = x - means[batch]
        parts = [centered[(row == p) & (half == a)] for a in (0, 1)]
        vectors.append((parts[0].mean(axis=0) - parts[1].mean(axis=0)) / np.sqrt(t * sum(1 / len(c) for c in parts)))
        w = batch_weights(row, batch, row == p)
        own.append(t / (row == p).sum())
        weights.append(w)
        squared.append(np.sum(centered[row == p].mean(axis=0) ** 2) - own[-1] - w**2 @ tau)
    k = block.max() + 1
    in_half = np.array([[(is_control & (half == a) & (batch == b)).sum() for b in range(n_batches)] for a in (0, 1)])
    freedom, blocks = 0.0, []
    for i in range(k):
        a = int(i >= k // 2)
        cells = np.flatnonzero(block == i)
        own_half = [x[is_control & (half == a) & (batch == b)].mean(axis=0) for b in range(n_batches)]
        blocks.append((np.mean([x[j] - own_half[batch[j]] for j in cells], axis=0), len(cells)))
        freedom += 1 - sum((batch[cells] == b).sum() ** 2 / in_half[a, b] for b in range(n_batches)) / len(cells)
    t_0 = sum((len(c) - 1) * c.var(axis=0, ddof=1).sum() for c in control) / sum(len(c) - 1 for c in control)
    for (first, n_1), (second, n_2) in zip(blocks[: k // 2], blocks[k // 2 :], strict=True):
        vectors.append((first - second) / np.sqrt((1 / n_1 + 1 / n_2) * freedom / k * t_0))
    own, weights, n = np.array(own), np.array(weights), np.bincount(row)[1:]
    error = np.sum(own**2 * n / (n - 1)) + 2 * np.sum(own * (weights**2 @ tau))
    shared = weights.T @ weights
    error += sum(shared[b, c] ** 2 * tau[b] * tau[c] for b in range(n_batches) for c in range(n_batches))
    return np.array(vectors), np.array(squared), own + weights**2 @ tau, error


@pytest.mark.parametrize("shape", SHAPES)
def test_all_is_as_from_single_cells(shape):
    x, row, batch = draw(1, **SHAPES[shape], effect=0.2)
    moments, rows = moments_of(x, row, batch), np.arange(1, P + 1)
    vectors, squared, noise, error = brute_force(x, row, batch)
    noise_vectors = noise_shape(moments, rows)
    np.testing.assert_allclose(noise_vectors.vectors, vectors, rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(noise_vectors.row, [*rows, *[OF_CONTROL] * (len(vectors) - P)])
    np.testing.assert_allclose(squared_effects(moments, rows), squared, rtol=1e-8, atol=1e-8)
    parts = noise_parts(moments, rows)
    np.testing.assert_allclose(parts.total, noise, rtol=1e-8)
    np.testing.assert_allclose(null_error(parts, 0.3) ** 2, 0.6 * error, rtol=1e-8)


def test_shape_is_that_of_all_pairs_and_triangles_of_vectors():
    x, row, batch = draw(2)
    shape = noise_shape(moments_of(x, row, batch), np.arange(1, P + 1))
    v = shape.vectors
    q = len(v)

    def pairs(keep):
        return np.mean([(v[i] @ v[j]) ** 2 for i in keep for j in keep if i != j])

    a2 = pairs(range(q))
    without_one = np.array([pairs([i for i in range(q) if i != left_out]) for left_out in range(q)])
    error = np.sqrt((q - 1) * np.mean((without_one - without_one.mean()) ** 2))
    a3 = np.mean(
        [
            (v[i] @ v[j]) * (v[j] @ v[k]) * (v[k] @ v[i])
            for i in range(q)
            for j in range(q)
            for k in range(q)
            if i not in (j, k) and j != k
        ]
    )
    assert shape.a2 == pytest.approx(a2, rel=1e-10)
    assert shape.a2_raised == pytest.approx(a2 + error, rel=1e-10)
    assert shape.a3_raised == pytest.approx(max(a3, 0) * ((a2 + error) / a2) ** 1.5, rel=1e-10)
    assert shape.without(3).shape == (q - 1, x.shape[1])


def test_vectors_hold_no_effect():
    rows = np.arange(1, P + 1)
    with_effects = noise_shape(moments_of(*draw(3, effect=3.0)), rows)
    np.testing.assert_allclose(with_effects.vectors, noise_shape(moments_of(*draw(3)), rows).vectors, atol=1e-10)


@pytest.mark.parametrize("shape", ["one batch", "nested", "few controls"])
def test_without_effects_squared_effects_are_0_on_average_and_as_wide_as_told(shape):
    rows, sums, errors = np.arange(1, P + 1), [], []
    for seed in range(150):
        moments = moments_of(*draw(seed, **SHAPES[shape]), seed)
        sums.append(squared_effects(moments, rows).sum())
        errors.append(null_error(noise_parts(moments, rows), noise_shape(moments, rows).a2))
    assert abs(np.mean(sums)) < 4 * np.std(sums) / np.sqrt(len(sums))
    assert np.median(errors) == pytest.approx(np.std(sums), rel=0.25)


def test_a_response_is_known_where_there_is_one_and_not_in_batches_alone():
    rows = np.arange(1, P + 1)
    strong = moments_of(*draw(4, effect=0.5, nested=True))
    assert response_known(strong, rows, noise_shape(strong, rows))
    assert not response_known(strong, rows[:0], noise_shape(strong, rows))
    nulls = [moments_of(*draw(seed, nested=True)) for seed in range(60)]
    assert sum(response_known(m, rows, noise_shape(m, rows)) for m in nulls) <= 3


def test_shape_of_too_few_vectors_is_not_known():
    x, row, batch = draw(5, n_batches=1, n_control=4)
    moments = moments_of(x, row, batch)
    shape = noise_shape(moments, np.array([1]))
    assert np.isnan(shape.a2)
    assert not response_known(moments, np.array([1]), shape)


def test_centering_leaves_what_genes_do_not_share_and_some_vectors_stand_for_all():
    rng, genes = np.random.default_rng(8), np.arange(3, 28)
    own, common = rng.normal(size=(400, 30)), rng.normal(size=(400, 1))
    for loading in (0.0, 0.5):
        vectors = own + loading * common
        shape = NoiseShape(vectors, np.zeros(400, dtype=np.int64), np.nan, np.nan, np.nan)
        expected = (1 - 1 / 25) / (1 + loading**2)
        assert shape.centered_share(genes) == pytest.approx(expected, rel=0.03)
        cut = vectors[:, genes]
        assert shape.centered_share(genes) == pytest.approx(25 * np.var(cut, axis=1).sum() / np.sum(cut**2))
        for centered in (False, True):
            part = shape.some(genes)
            part = part - part.mean(axis=1, keepdims=True) if centered else part
            pairs = [float(u @ v) ** 2 for i, u in enumerate(part) for j, v in enumerate(part) if i != j]
            size = np.mean([float(u @ u) for u in part])
            assert shape.a2_of(genes, centered=centered) == pytest.approx(np.mean(pairs) / size**2)
        assert shape.a2_of(genes, centered=True) == pytest.approx(1 / 24, rel=0.15)
    some = shape.some(genes)
    assert 40 <= len(some) <= 80
    assert np.mean(np.sum(some**2, axis=1)) == pytest.approx(1)
    nothing = NoiseShape(np.empty((0, 30)), np.empty(0, dtype=np.int64), np.nan, np.nan, np.nan)
    assert nothing.centered_share(genes) == 1 - 1 / 25
    assert nothing.some(genes).shape == (0, 25)
    assert np.isnan(nothing.a2_of(genes, centered=True))


def test_rows_that_count_have_two_halves():
    x, row, batch = draw(6)
    keep = (row != 2) | (np.cumsum(row == 2) <= 1)
    moments = moments_of(x[keep], row[keep], batch[keep])
    used = np.ones(P + 1, dtype=bool)
    used[5] = False
    np.testing.assert_array_equal(counted_rows(moments, used), [1, 3, 4, 6, 7, 8])


def test_noise_is_that_of_a_mean_and_of_its_control():
    parts = NoiseParts(np.array([2.0]), np.array([4.0, 8.0]), np.array([[0.5, 0.5]]), np.array([9.0]), np.ones(2))
    assert parts.total == pytest.approx([2 + 0.25 * 12])
