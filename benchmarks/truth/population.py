"""A large population of perturbations with known effects, from which the perturbations of each screen are taken.

What an interval about other perturbations should hold is the value over all of them. Their cells are drawn once more, by
themselves, so that a mean of noisy scores has its expected value, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from benchmarks import screens

from .shapes import SHAPES

Array = NDArray[np.float64]

SIZE = 2000
N_POPULATIONS = 2
# With heavy tails few perturbations hold most of the response: twice as much, so that typical ones have some.
STRENGTH = {"gamma": 1.0, "pareto": 2.0}
SETTINGS = {
    "n_genes": 150,
    "cells_per_perturbation": 40,
    "n_control": 300,
    "truth_cells": 512,
    "largest_size": 15.0,  # without it the strongest of 2,000 would hold everything
}


@dataclass(frozen=True, eq=False)
class Population:
    """A world of perturbations ``P0001``, …, and what is seen of each in cells of its own.

    ``effects`` (P × G) are the true ones, ``control`` (G) the true mean of the control. ``means`` and ``variances``
    (P × G) are those of cells, variances within batches; ``weights`` (P × B) the batches of the cells.
    """

    world: screens.World
    effects: Array
    control: Array
    means: Array
    variances: Array
    weights: Array

    @property
    def genes(self) -> pd.Index:
        """Names of the genes."""
        return self.world.genes.index

    @property
    def control_weights(self) -> Array:
        """Batches of the control."""
        cells = self.world.cells.iloc[0].to_numpy(float)
        return cells / cells.sum()

    def names(self, rows: NDArray[np.int64]) -> list[str]:
        """Names of perturbations."""
        return [str(name) for name in self.world.cells.index[1 + rows]]

    def part(self, rows: NDArray[np.int64]) -> screens.World:
        """Return the world with some of the perturbations only."""
        world = self.world
        return replace(
            world,
            cells=world.cells.iloc[[0, *(rows + 1)]],
            log_fold=world.log_fold[rows],
            depth=world.depth[rows],
            perturbations=world.perturbations.iloc[rows],
            truth={},
        )

    def draw(self, rows: NDArray[np.int64], seed: int) -> AnnData:
        """Draw cells of a control and of some perturbations, normalized."""
        return screens.normalize(self.part(rows).draw(seed))

    def draw_control(self, seed: int) -> Array:
        """Return means of the control in batches (B × G), in cells of their own."""
        adata = self.draw(np.empty(0, dtype=np.int64), 2 * 10**9 + seed)
        return batch_means(adata, [screens.CONTROL])[0]

    def observed(self, control: Array) -> Array:
        """Return the means of all perturbations as a screen sees them that has this control (B × G; P × G)."""
        return self.control_weights @ control + self.means - self.weights @ control


@lru_cache(maxsize=N_POPULATIONS)
def population(shape: str, tails: str, seed: int, size: int = SIZE) -> Population:
    """Plant a population: an axis that all share, effects of their own, and a rise of ribosomal genes in most."""
    strength = STRENGTH[tails]
    settings = SETTINGS | SHAPES[shape] | {"n_perturbations": size, "tails": tails}
    settings |= {"axis_strength": 0.15 * strength, "own_strength": 0.15 * strength}
    settings |= {"set_changes": (("ribo", 0.6 * strength),)}
    world = screens.Screen(**settings).plant(seed)
    labels = [screens.CONTROL, *(f"P{p + 1:04d}" for p in range(size))]
    world = replace(world, cells=world.cells.set_axis(labels), perturbations=world.perturbations.set_axis(labels[1:]))
    adata = screens.normalize(world.draw(seed + 10**9))
    means, variances = moments(adata, labels[1:])
    cells = world.cells.to_numpy(float)[1:]
    weights = cells / cells.sum(axis=1, keepdims=True)
    return Population(world, world.truth["effects"], world.truth["means"][0], means, variances, weights)


def moments(adata: AnnData, labels: list[str]) -> tuple[Array, Array]:
    """Return means of labels and their variances within batches (labels × genes), in plain numpy."""
    by_batch = batch_means(adata, labels)
    code, batch = codes(adata, labels)
    kept = code >= 0
    code, batch, values = code[kept], batch[kept], adata.X[kept]
    member = np.zeros((len(labels), by_batch.shape[1]))
    np.add.at(member, (code, batch), 1)
    n = member.sum(axis=1, keepdims=True)
    means = np.einsum("lb,lbg->lg", member / n, np.nan_to_num(by_batch))
    squares = np.zeros_like(means)
    for label in range(len(labels)):
        own = values[code == label].toarray().astype(float) - by_batch[label, batch[code == label]]
        squares[label] = np.square(own).sum(axis=0)
    return means, squares / np.maximum(n - (member > 0).sum(axis=1, keepdims=True), 1)


def codes(adata: AnnData, labels: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the label of each cell (−1: none of these) and its batch."""
    code = pd.Index(labels).get_indexer(adata.obs["perturbation"].astype(str))
    return code, adata.obs["batch"].cat.codes.to_numpy(np.int64)


def batch_means(adata: AnnData, labels: list[str]) -> Array:
    """Return means of the cells of labels in batches (labels × batches × genes), NaN where there is no cell."""
    code, batch = codes(adata, labels)
    n_batches = len(adata.obs["batch"].cat.categories)
    place = np.where(code >= 0, code * n_batches + batch, len(labels) * n_batches)
    order = np.argsort(place, kind="stable")
    sums = np.zeros((len(labels) * n_batches + 1, adata.n_vars))
    n = np.bincount(place, minlength=len(sums))
    values = adata.X[order]
    ends = np.cumsum(n)
    for i in np.flatnonzero(n):
        sums[i] = values[ends[i] - n[i] : ends[i]].sum(axis=0, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / n[:, None]
    return means[:-1].reshape(len(labels), n_batches, -1)
