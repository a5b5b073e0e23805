"""z of an effect: divided by its standard error, if enough cells express the gene."""

from __future__ import annotations

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.moments import Moments

MIN_DETECTING = 10.0
SLAB = 512
"""Genes that are taken together."""


def z_scores(moments: Moments, rows: IntArray, genes: IntArray | None = None) -> FloatArray:
    """Effects of rows over their standard errors, in some genes or all (P, G); NaN where too few cells carry the gene."""
    columns = np.arange(moments.mean.shape[1]) if genes is None else genes
    z = np.full((len(rows), len(columns)), np.nan)
    can_be_negative = has_negative(moments)
    for start in range(0, len(columns), SLAB):
        some = columns[start : start + SLAB]
        part = moments.genes(some if genes is not None else slice(start, start + SLAB))
        z_part = scaled(part.mean[rows] - part.control, z_errors(part, rows))
        if not can_be_negative:
            z_part[_too_rare(value_sums(part), rows, moments.reference)] = np.nan
        z[:, start : start + SLAB] = z_part
    return z


def scaled(effects: FloatArray, errors: FloatArray) -> FloatArray:
    """Effects over their standard errors; NaN where there is no error."""
    z = np.full(errors.shape, np.nan)
    np.divide(effects, errors, out=z, where=errors > 0)
    return z


def z_errors(
    moments: Moments, rows: IntArray, half: int | None = None, *, control_half: int | None = None
) -> FloatArray:
    """Standard error of the effect of each row in each gene (P, G), in all cells or in one half of them.

    With ``control_half`` all cells of the row are compared with one half of the control. The variances of a row and of the
    control are not below the pooled one: few cells may show none by chance.
    """
    pooled, control = moments.pooled_var, moments.reference
    n, weights, n_control = moments.n, moments.weights, moments.n_control
    if half is not None:
        n, weights, control_half = moments.n_half[half], moments.half_weights[half], half
    if control_half is not None:
        n_control = moments.counts[control_half, control]
    of_control = np.maximum(np.nan_to_num(moments.control_var), pooled) / np.maximum(n_control, 1)[:, None]
    errors: FloatArray = np.nan_to_num(moments.var[rows], copy=False)
    np.maximum(errors, pooled, out=errors)
    errors /= np.where(n > 0, n, np.nan)[rows, None]
    errors += weights[rows] ** 2 @ of_control
    return np.sqrt(errors, out=errors)


def undetectable(moments: Moments, rows: IntArray) -> BoolArray:
    """Whether too few cells of a row and of the control carry the gene (P, G); never where values can be negative."""
    too_rare = np.zeros((len(rows), moments.mean.shape[1]), dtype=np.bool_)
    if has_negative(moments):
        return too_rare
    for start in range(0, too_rare.shape[1], SLAB):
        genes = slice(start, start + SLAB)
        too_rare[:, genes] = _too_rare(value_sums(moments.genes(genes)), rows, moments.reference)
    return too_rare


def _too_rare(sums: FloatArray, rows: IntArray, reference: int) -> BoolArray:
    carrying = n_carrying(sums)
    # Cells of one value each make a whole number, to rounding: that must not tip the scale.
    rare: BoolArray = carrying[rows] + carrying[reference] < MIN_DETECTING * (1 - 1e-9)
    return rare


def has_negative(moments: Moments) -> bool:
    """Whether a sum of values is below 0 by more than rounding; it is looked for once."""
    if "negative" not in moments.known:
        moments.known["negative"] = any(
            bool((sums[0] < -1e-9 * np.sqrt(sums[1].max(initial=0.0))).any())
            for start in range(0, moments.mean.shape[1], SLAB)
            for sums in [value_sums(moments.genes(slice(start, start + SLAB)))]
        )
    return moments.known["negative"]


def value_sums(moments: Moments) -> FloatArray:
    """Sums of the values of each row's cells and of their squares (2, R, G), before covariates were regressed."""
    if moments.value_sums is not None:
        return moments.value_sums
    n, mean = moments.n[:, None], np.nan_to_num(moments.raw_mean)
    squares = n * mean**2 + np.maximum(n - 1, 0) * np.nan_to_num(moments.raw_var)
    return np.array([n * mean, squares], dtype=np.float64)


def n_carrying(sums: FloatArray) -> FloatArray:
    """Effective number of cells that carry each gene, (Σx)² / Σx² (R, G)."""
    total, squares = sums
    # What is left of cells without the gene, after batches are taken out and put back, is rounding.
    least = 1e-12 * squares.max(axis=0, initial=0.0)
    n: FloatArray = np.zeros_like(squares)
    np.divide(total**2, squares, out=n, where=squares > least)
    return n
