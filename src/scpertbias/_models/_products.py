"""Products of the means of perturbations, which the fits of all folds share: low rank parts follow from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from .._core.arrays import BoolArray, FloatArray, IntArray
from .._moments import Screen

EFFECTS, PROFILES = "effects", "profiles"
Genes = BoolArray | IntArray | slice
ALL_GENES = slice(None)


def products_of(screen: Screen) -> ScreenProducts:
    """Return the products of the perturbations of a screen."""
    every_row = np.ones(len(screen.moments.n), dtype=np.bool_)
    return ScreenProducts(lambda genes: means_by_perturbation(screen, every_row, genes)[0], screen.moments.control)


def means_by_perturbation(screen: Screen, rows: BoolArray, keep: Genes = ALL_GENES) -> tuple[FloatArray, FloatArray]:
    """Return means and number of cells by perturbation over some rows that are used; NaN and 0 if there are none."""
    m = screen.moments
    genes = np.arange(m.mean.shape[1])[keep]
    with_cells = np.flatnonzero(rows & screen.used & (m.n > 0))
    to, of_rows = screen.perturbation[with_cells], m.n[with_cells]
    n: FloatArray = np.bincount(to, weights=of_rows, minlength=len(screen.names)).astype(np.float64)
    means = np.full((len(screen.names), len(genes)), np.nan)
    means[to] = m.mean[with_cells] if len(genes) == m.mean.shape[1] else m.mean[np.ix_(with_cells, genes)]
    # A perturbation with cells in several splits has several rows: their mean, weighted by cells
    several = np.flatnonzero(of_rows < n[to])
    means[to[several]] = 0.0
    np.add.at(means, to[several], (of_rows / n[to])[several, None] * m.mean[np.ix_(with_cells[several], genes)])
    return means, n


class Products:
    """Products of all perturbations (P, P): of effects, and of means about their mean over genes; computed when first read.

    A fit reads those of the perturbations that it is trained on.
    """

    def __init__(self, compute: Callable[[str], FloatArray]) -> None:
        self._compute = compute
        self._computed: dict[str, FloatArray] = {}

    def of(self, kind: str, trained: BoolArray) -> FloatArray:
        """Return the products of some perturbations."""
        some: FloatArray = self.every(kind)[np.ix_(trained, trained)]
        return some

    def every(self, kind: str) -> FloatArray:
        """Return the products of all perturbations, which must not be changed."""
        if kind not in self._computed:
            self._computed[kind] = self._compute(kind)
        return self._computed[kind]


@dataclass(frozen=True)
class Means:
    """Means of all perturbations on some genes (P × genes; NaN without cells), and the control, the origin of effects (G)."""

    on: Callable[[Genes], FloatArray]
    control: FloatArray

    @cached_property
    def over_genes(self) -> FloatArray:
        """Mean over all genes (P,)."""
        means: FloatArray = self.on(ALL_GENES).mean(axis=1)
        return means

    def rows(self, kind: str, genes: Genes = ALL_GENES) -> FloatArray:
        """Return what the products of a kind are taken of, on some genes; 0 without cells."""
        rows = self.on(genes) - (self.control[genes] if kind == EFFECTS else self.over_genes[:, None])
        rows[np.isnan(self.over_genes)] = 0.0
        return rows


class ScreenProducts:
    """Products of a screen, of the same means with another control mean, and on fewer genes.

    Nothing refers in a circle to the means, so that a regime is freed as soon as its last fit is finished.
    """

    def __init__(self, means: Callable[[Genes], FloatArray], control: FloatArray) -> None:
        self._means = Means(means, control)
        self._products = Products(partial(_from_means, self._means))
        self._moved: dict[bytes, Products] = {}

    def of(self, kind: str, trained: BoolArray) -> FloatArray:
        """Return the products of some perturbations."""
        return self._products.of(kind, trained)

    def moved(self, move: FloatArray) -> Products:
        """Return the products of the same means, that of the control moved (G)."""
        key = move.tobytes()
        if key not in self._moved:
            self._moved[key] = Products(partial(_with_control_moved, self._products, self._means, move))
        return self._moved[key]

    def without(self, genes: IntArray) -> Products:
        """Return the products on all but a few genes."""
        return Products(partial(_without, self._products, self._means, genes))


def _from_means(means: Means, kind: str) -> FloatArray:
    rows = means.rows(kind)
    # Products of all pairs of rows (P, P)
    products: FloatArray = rows @ rows.T
    return products


def _with_control_moved(before: Products, means: Means, move: FloatArray, kind: str) -> FloatArray:
    move = move if kind == EFFECTS else move - move.mean()
    with_move = means.rows(kind) @ move
    products = before.every(kind).copy()
    products[0] += with_move
    products[:, 0] += with_move
    products[0, 0] += move @ move
    return products


def _without(before: Products, means: Means, genes: IntArray, kind: str) -> FloatArray:
    rows = means.rows(kind, genes)
    products: FloatArray = before.every(kind) - rows @ rows.T
    if kind == PROFILES:
        # About the mean over all genes, the other genes sum to minus the sum of these: s sᵀ / n of them centers (P, P)
        sums = rows.sum(axis=1)
        products -= np.outer(sums, sums) / (len(means.control) - len(genes))
    return products
