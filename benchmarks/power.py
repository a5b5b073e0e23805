"""Is the predicted reproducibility with fewer cells what such cells have? ``python -m benchmarks.power``.

Predicted: by ``spb.tl.power`` from all cells. Measured: effects of two disjoint samples of n cells of each perturbation, each
against its own half of the control cells; the cosine of the two, averaged over perturbations, and of all effects together.
Half of the controls has twice the noise, which the prediction takes into account. Means over samples, and the correlation of
predicted and measured over perturbations.
"""

import argparse
import logging
import warnings

import numpy as np
from scipy import sparse

import scpertbias as spb
from scpertbias import _moments
from scpertbias._core.power import Power

from . import screens

SCREENS = ("bundled screen", "own", "axis")
SIZES = (20, 50, 100, 200)
SIMULATED = {"cells_per_perturbation": 400, "n_control": 2_000, "n_perturbations": 60, "n_genes": 500, "truth_cells": 0}


def cells_of(name):
    """Return a screen with its batches in ``bio_rep``, and the label of the control."""
    if name == "bundled screen":
        return spb.ds.papalexi_2021(), "non-targeting"
    adata = screens.normalize(screens.draw(5, shape="balanced", plant=name, **SIMULATED))
    adata.obs["bio_rep"] = adata.obs.pop("batch")
    return adata, screens.CONTROL


def half_effects(x, row, batch, n_rows, n, rng):
    """Return the effects of two disjoint samples of n cells (2 × perturbations × genes); NaN where there are too few."""
    effects, half = np.full((2, n_rows, x.shape[1]), np.nan), np.full(len(row), -1)
    for p in range(n_rows + 1):
        cells = rng.permutation(np.flatnonzero(row == p))
        half[cells] = np.arange(len(cells)) % 2
    for a in (0, 1):
        controls = (row == 0) & (half == a)
        control = np.array([x[controls & (batch == b)].mean(axis=0) for b in range(batch.max() + 1)])
        for p in range(n_rows):
            cells = rng.permutation(np.flatnonzero((row == p + 1) & (half == a)))[:n]
            if len(cells) == n:
                effects[a, p] = x[cells].mean(axis=0) - control[batch[cells]].mean(axis=0)
    return effects


def compare(name, n, n_samples):
    """Return how many perturbations have the cells, and predicted and measured: of all together, on average, correlation."""
    adata, control = cells_of(name)
    screen = _moments.of(adata, batch_key="bio_rep", reference=control)
    rows = np.flatnonzero(screen.detection.counted)
    power = Power.of(screen.moments, rows, screen.noise_shape)
    x, rng = (
        np.asarray(adata.X.todense() if sparse.issparse(adata.X) else adata.X, dtype=np.float64),
        np.random.default_rng(n),
    )
    batch = adata.obs["bio_rep"].astype("category").cat.codes.to_numpy()
    samples = [
        half_effects(x, screen.codes, batch, len(screen.names) - 1, n, rng)[:, rows - 1] for _ in range(n_samples)
    ]
    enough = np.isfinite(samples).all(axis=(0, 1, 3))
    first, second = np.array(samples)[:, :, enough].transpose(1, 0, 2, 3)
    products, sizes = (first * second).sum(axis=2), [(e**2).sum(axis=2) for e in (first, second)]
    cosine = (products / np.sqrt(sizes[0] * sizes[1])).mean(axis=0)
    of_all = 2 * products.sum() / (sizes[0].sum() + sizes[1].sum())
    effect, noise = power.effect[1:], power.per_cell[1:] / n + 2 * power.control[1:]
    positive = np.maximum(effect, 0)
    expected = (positive / (positive + noise))[enough]
    predicted_of_all = effect[enough].sum() / (effect + noise)[enough].sum()
    r = np.corrcoef(expected, cosine)[0, 1]
    return int(enough.sum()), predicted_of_all, of_all, expected.mean(), cosine.mean(), r


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--only", help="only this screen", choices=SCREENS)
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    print("screen | cells | perturbations | all together: predicted | measured | mean: predicted | measured | r")
    for name in SCREENS if args.only is None else (args.only,):
        for n in SIZES:
            n_rows, *values = compare(name, n, args.samples)
            print(f"{name} | {n} | {n_rows} | " + " | ".join(f"{value:.3f}" for value in values), flush=True)


if __name__ == "__main__":
    main()
