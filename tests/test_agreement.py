"""The package beside a plain-numpy implementation of the same definitions by another hand, on six screens."""

from types import SimpleNamespace

import numpy as np
import pytest
from benchmarks import oracle, screens

from scpertbias._core.halves import assign_halves
from scpertbias._core.noise import counted_rows, noise_shape
from scpertbias._core.row_moments import row_moments
from scpertbias._core.specific_skill import off_axis, specific_skill
from scpertbias._core.variance import ObservedMeans, spread

SCREENS = {
    "no_batch": {"shape": "one_batch", "plant": "axis"},
    "nested": {"shape": "nested", "plant": "own"},
    "uneven": {"shape": "uneven", "plant": "pathway"},
    "few_controls": {"shape": "few_controls", "plant": "own"},
    "thirty_genes": {"shape": "small_panel", "plant": "axis"},
    "heavy_tails": {"shape": "balanced", "plant": "axis_heavy"},
}
TOLERANCE = {"rtol": 1e-6, "atol": 1e-9}


@pytest.fixture(scope="module", params=SCREENS)
def pair(request):
    """Moments of the same cells, halves and control blocks by both."""
    adata = screens.draw(1, **SCREENS[request.param], n_genes=120, n_perturbations=12, truth_cells=0)
    adata = screens.normalize(adata)
    x = np.asarray(adata.X.todense(), dtype=np.float64)
    labels = adata.obs["perturbation"].to_numpy(str)
    names = ["control", *sorted(set(labels) - {"control"})]
    row = np.array([names.index(label) for label in labels], dtype=np.int64)
    batches, batch = np.unique(adata.obs["batch"].to_numpy(str), return_inverse=True)
    hashes = np.random.default_rng(0).integers(2**64, size=len(row), dtype=np.uint64)
    assignment = assign_halves(row, len(names), 0, hashes, batch=batch, n_batches=len(batches))
    half, block = assignment.half[assignment.group], assignment.block[assignment.group]
    return SimpleNamespace(
        ours=row_moments(x, assignment, row, len(names), 0, batch=batch),
        theirs=oracle.compute_moments(x, labels, "control", batch, half, block),
    )


def test_moments(pair):
    ours, theirs = pair.ours, pair.theirs
    for name, one, other in (
        ("mean", ours.mean[1:], theirs.mean_star),
        ("control", ours.control, theirs.c),
        ("control by batch", ours.control_batch, theirs.c_b),
        ("control by half and batch", ours.control_half, theirs.c_b_half),
        ("variance of the control", ours.control_var, theirs.s2_0b),
        ("effects of the halves", (ours.half - ours.half[:, :1])[:, 1:], theirs.effect_half),
        ("variance within batches", ours.var[1:], theirs.s2),
        ("pooled variance", ours.pooled_var, theirs.s2_pooled),
        ("noise", ours.noise[1:], theirs.v),
        ("raw mean", ours.raw_mean[1:], theirs.raw_mean),
        ("raw variance", ours.raw_var[1:], theirs.raw_variance),
        ("blocks", ours.blocks, theirs.block_mean),
        ("cells of the blocks", ours.n_blocks, theirs.block_nb),
        ("weights of the batches", ours.weights[1:], theirs.w),
    ):
        np.testing.assert_allclose(one, other, **TOLERANCE, err_msg=name)


FOLD = np.arange(12) % 3
PREDICTIONS = {
    "truth_and_noise": lambda effects, rng: effects + 0.05 * rng.standard_normal(effects.shape),
    "half_size": lambda effects, rng: 0.5 * effects,
    "wrong": lambda effects, rng: effects[rng.permutation(len(effects))],
    "shared": lambda effects, rng: np.outer(np.arange(len(effects)), effects.mean(axis=0)),
}


@pytest.mark.parametrize("model", PREDICTIONS)
def test_specific_skill(pair, model):
    ours, theirs = pair.ours, pair.theirs
    effects = theirs.effect
    predicted = PREDICTIONS[model](effects, np.random.default_rng(3))
    means, weights = (
        np.stack([values[fold != FOLD].mean(axis=0) for fold in FOLD]) for values in (theirs.mean_star, theirs.w)
    )
    shape = oracle.noise_shape(theirs)
    expected = oracle.specific_skill(theirs, shape, np.arange(12), predicted + theirs.c, means, weights)
    control_noise = np.nan_to_num(ours.control_var) / np.maximum(ours.n_control, 1)[:, None]
    noise = ours.var[1:] / ours.n[1:, None] + (ours.weights[1:] - weights) ** 2 @ control_noise
    parts = off_axis(predicted + theirs.c, ours.mean[1:], ours.control, means, noise)
    a2 = noise_shape(ours, counted_rows(ours, np.ones(13, dtype=bool))).a2_raised
    score = specific_skill(parts, a2)
    for name in ("skill", "slope", "fitted"):
        estimate = getattr(score, name)
        keys = (name, "low" if name == "skill" else f"{name}_low", "high" if name == "skill" else f"{name}_high")
        values = (estimate.estimate, estimate.low, estimate.high)
        np.testing.assert_allclose(values, [expected[key] for key in keys], **TOLERANCE, err_msg=name)
    assert score.category == (oracle.specific_words(expected) if np.isfinite(expected["low"]) else "")


def test_variance_ratio(pair):
    ours, theirs = pair.ours, pair.theirs
    predicted = 0.7 * theirs.mean_star + 0.02 * np.random.default_rng(4).standard_normal(theirs.effect.shape)
    expected = oracle.variance_ratio(predicted, oracle.gram(theirs))
    observed = ObservedMeans(
        means=ours.mean[1:],
        own=ours.var[1:] / ours.n[1:, None],
        weights=ours.weights[1:],
        control=np.nan_to_num(ours.control_var) / np.maximum(ours.n_control, 1)[:, None],
        a2=noise_shape(ours, counted_rows(ours, np.ones(13, dtype=bool))).a2_raised,
    )
    ratio = spread(predicted, observed, np.zeros(12, dtype=np.int64)).ratio
    values = (ratio.estimate, ratio.low, ratio.high)
    np.testing.assert_allclose(values, [expected[key] for key in ("value", "low", "high")], **TOLERANCE)


def test_nested_batches_without_effect_have_no_squared_effect():
    """Halves share no control: a screen without any effect, nested in batches, has products of halves about 0."""
    shares = []
    for seed in range(8):
        adata = screens.normalize(screens.draw(seed, shape="nested", plant="none", n_genes=200, truth_cells=0))
        x = np.asarray(adata.X.todense(), dtype=np.float64)
        labels, batch = adata.obs["perturbation"].to_numpy(str), adata.obs["batch"].cat.codes.to_numpy(np.int64)
        names = ["control", *sorted(set(labels) - {"control"})]
        row = np.array([names.index(label) for label in labels], dtype=np.int64)
        hashes = np.random.default_rng(seed).integers(2**64, size=len(row), dtype=np.uint64)
        n_batches = int(batch.max()) + 1
        assignment = assign_halves(row, len(names), 0, hashes, batch=batch, n_batches=n_batches)
        moments = row_moments(x, assignment, row, len(names), 0, batch=batch)
        effects = moments.half - moments.half[:, :1]
        shares.append((effects[0] * effects[1])[1:].sum() / moments.noise[1:].sum())
    assert abs(np.mean(shares)) < 3 * np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert abs(np.mean(shares)) < 0.05
