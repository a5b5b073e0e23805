"""Screens without effects, made of a control: its cells take the labels of random cells of their own batch."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.resampling import CONFIDENCE

MAX_PERTURBATIONS = 60
MIN_PERTURBATIONS = 10
MIN_MEDIAN = 20.0


def choose_perturbations(n_cells: FloatArray, n_control: float, n_used: int) -> IntArray:
    """Choose the perturbations whose labels null screens have: as many as leave the median one 20 cells.

    Parameters
    ----------
    n_cells
        Cells of each perturbation (P).
    n_control
        Control cells, and as many of them as there are ``n_used`` take labels.

    Returns
    -------
    Perturbations at equal ranks of their cells; none where fewer than 10 would do.
    """
    order = np.argsort(n_cells, kind="stable")
    order = order[n_cells[order] > 0]
    for j in range(min(len(order), MAX_PERTURBATIONS), MIN_PERTURBATIONS - 1, -1):
        chosen = order[np.round(np.linspace(0, len(order) - 1, j)).astype(np.int64)]
        share = n_used / (n_control + n_cells[chosen].sum())
        if share * np.median(n_cells[chosen]) >= MIN_MEDIAN:
            return np.sort(chosen).astype(np.int64)
    return np.empty(0, dtype=np.int64)


def cells_to_copy(control: IntArray, pool: BoolArray, batch: IntArray, rng: np.random.Generator) -> IntArray:
    """Return, for each control cell, a cell of its batch whose label it takes; no cell is taken twice.

    Parameters
    ----------
    control
        Control cells that take labels (m).
    pool
        Which cells have labels to take: the control, and the perturbations of the null screen (n).
    batch
        Batch of each cell (n).
    rng
        Generator.
    """
    copied = np.empty(len(control), dtype=np.int64)
    for code in np.unique(batch[control]):
        taking = np.flatnonzero(batch[control] == code)
        copied[taking] = rng.choice(np.flatnonzero(pool & (batch == code)), len(taking), replace=False)
    return copied


def wilson(k: float, n: int) -> tuple[float, float]:
    """Interval of Wilson for a rate of k in n."""
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    rate, scale = k / n, 1 + z**2 / n
    middle = (rate + z**2 / (2 * n)) / scale
    width = z / scale * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return max(float(middle - width), 0.0), min(float(middle + width), 1.0)
