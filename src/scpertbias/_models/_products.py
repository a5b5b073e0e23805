"""Products of the means of perturbations, which the fits of all folds share: low rank parts follow from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._core.arrays import BoolArray, FloatArray, IntArray
from .._moments import Screen

EFFECTS, PROFILES = "effects", "profiles"


def products_of(screen: Screen, keep: BoolArray | IntArray | slice = slice(None)) -> ScreenProducts:
    """Return the products of the perturbations of a screen on some genes."""
    m = screen.moments
    every_row = np.ones(len(m.n), dtype=np.bool_)
    return ScreenProducts(lambda: means_by_perturbation(screen, every_row, keep)[0], m.control[keep])


def means_by_perturbation(
    screen: Screen, rows: BoolArray, keep: BoolArray | IntArray | slice = slice(None)
) -> tuple[FloatArray, FloatArray]:
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

    A fit reads those of the perturbations that it is trained on. ``means`` returns the means of all perturbations (P × G;
    NaN without cells), ``control`` is the point that effects are taken against.
    """

    def __init__(self, means: Callable[[], FloatArray], control: FloatArray) -> None:
        self._means, self._control = means, control
        self._computed: dict[str, FloatArray] = {}

    def of(self, kind: str, trained: BoolArray) -> FloatArray:
        """Return the products of some perturbations."""
        if kind not in self._computed:
            self._computed[kind] = self._compute(kind)
        some: FloatArray = self._computed[kind][np.ix_(trained, trained)]
        return some

    def _compute(self, kind: str) -> FloatArray:
        rows = self._rows(kind)
        # Products of all pairs of rows (P, P)
        products: FloatArray = rows @ rows.T
        return products

    def _rows(self, kind: str) -> FloatArray:
        means = self._means()
        rows = means - (self._control if kind == EFFECTS else means.mean(axis=1, keepdims=True))
        rows[np.isnan(rows[:, 0])] = 0.0
        return rows


class ScreenProducts(Products):
    """Products of a screen, and of the same means with another control mean.

    Nothing refers in a circle to the means, so that a regime is freed as soon as its last fit is finished.
    """

    def __init__(self, means: Callable[[], FloatArray], control: FloatArray) -> None:
        super().__init__(means, control)
        self._before = Products(means, control)
        self._moved: dict[bytes, Products] = {}

    def of(self, kind: str, trained: BoolArray) -> FloatArray:
        """Return the products of some perturbations."""
        return self._before.of(kind, trained)

    def moved(self, move: FloatArray) -> Products:
        """Return the products of the same means, that of the control moved (G)."""
        key = move.tobytes()
        if key not in self._moved:
            self._moved[key] = _Moved(self._before, move)
        return self._moved[key]


class _Moved(Products):
    def __init__(self, before: Products, move: FloatArray) -> None:
        super().__init__(before._means, before._control)
        self._before, self._move = before, move

    def _compute(self, kind: str) -> FloatArray:
        move = self._move if kind == EFFECTS else self._move - self._move.mean()
        with_move = self._rows(kind) @ move
        products = self._before.of(kind, np.ones(len(with_move), dtype=np.bool_))
        products[0] += with_move
        products[:, 0] += with_move
        products[0, 0] += move @ move
        return products
