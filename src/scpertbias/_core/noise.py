"""The sampling noise of a screen: how far it is spread over genes, and what it makes of squared effects by chance.

Rows are perturbations of :class:`~scpertbias._core.moments.Moments` with one row each (merged over splits). A noise
vector is a difference of two halves of the same cells: it holds no effect, and all the correlations between genes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.moments import Moments

SURE = 3.0
SHAPE_SE = 1.0
ROWS_AT_ONCE = 1_000
N_SOME = 40
OF_CONTROL = -1


@dataclass(frozen=True)
class NoiseShape:
    """Noise vectors of a screen (Q, G), scaled to an expected square of 1, and how concentrated the noise is.

    ``row`` (Q,) is the row of the moments that a vector is of, −1 for the control. ``a2`` is the mean squared product of
    two vectors: 1 / ``a2`` is the effective number of genes. ``a2_raised`` is that with one standard error on top, and
    ``a3_raised`` the mean product around three vectors, raised as much (to the power 3/2). NaN under three vectors.
    """

    vectors: FloatArray
    row: IntArray
    a2: float
    a2_raised: float
    a3_raised: float

    @property
    def alone(self) -> NoiseShape:
        """The numbers without the vectors, which are large."""
        return replace(self, vectors=self.vectors[:0].copy(), row=self.row[:0])

    def without(self, row: int) -> FloatArray:
        """Noise vectors of all but one row of the moments."""
        vectors: FloatArray = self.vectors[self.row != row]
        return vectors

    def some(self, genes: IntArray) -> FloatArray:
        """Return some of the noise vectors on some genes, scaled to a squared length of 1 on average (V, G)."""
        step = max(len(self.vectors) // N_SOME, 1)
        vectors = self.vectors[::step, genes]
        size = float(np.sqrt(np.mean(np.sum(vectors**2, axis=1)))) if len(vectors) else 0.0
        return vectors / size if size > 0 else vectors

    def a2_of(self, genes: IntArray, *, centered: bool) -> float:
        """Return ``a2`` on some genes, of vectors as they are or centered over them; NaN under two vectors."""
        vectors = self.some(genes)
        if len(vectors) < 2:
            return float("nan")
        if centered:
            vectors = vectors - vectors.mean(axis=1, keepdims=True)
        products = vectors @ vectors.T
        size = float(np.trace(products)) / len(vectors)
        np.fill_diagonal(products, 0.0)
        pairs = len(vectors) * (len(vectors) - 1)
        return float(np.sum(products**2)) / pairs / size**2 if size > 0 else float("nan")

    def centered_share(self, genes: IntArray) -> float:
        """Share of the squared noise on some genes that is left when each vector is centered over them (φ)."""
        vectors = self.vectors[:, genes]
        if not len(vectors):
            return 1 - 1 / len(genes)  # of independent genes
        # Σ|ν − mean|² / Σ|ν|²
        return 1 - len(genes) * float(np.sum(vectors.mean(axis=1) ** 2)) / float(np.einsum("vg,vg->", vectors, vectors))


@dataclass(frozen=True)
class NoiseParts:
    """Sampling variance of P effects, summed over genes, by the means that it comes from.

    ``own`` (P,) is that of the perturbations' means t_p / n_p, ``control`` (S,) that of the control mean of each batch,
    τ_b; ``weights`` (P, S) are the shares of the batches in the cells, ``n`` (P,) and ``n_control`` (S,) the cells.
    """

    own: FloatArray
    control: FloatArray
    weights: FloatArray
    n: FloatArray
    n_control: FloatArray

    @property
    def total(self) -> FloatArray:
        """Sampling variance of each effect, N_p (P,)."""
        total: FloatArray = self.own + self.weights**2 @ self.control
        return total


def counted_rows(moments: Moments, used: BoolArray) -> IntArray:
    """Return the used rows, other than the control, that have cells in both halves: two cells at least."""
    counted = used & (moments.n_half > 0).all(axis=0)
    counted[moments.reference] = False
    return np.flatnonzero(counted)


def noise_parts(moments: Moments, rows: IntArray, genes: IntArray | slice = slice(None)) -> NoiseParts:
    """Sum the sampling variance of the effects of some rows over genes."""
    return NoiseParts(
        own=moments.var[rows][:, genes].sum(axis=1) / moments.n[rows],
        control=np.nan_to_num(moments.control_var[:, genes]).sum(axis=1) / np.maximum(moments.n_control, 1),
        weights=moments.weights[rows],
        n=moments.n[rows],
        n_control=moments.n_control,
    )


def squared_effects(moments: Moments, rows: IntArray) -> FloatArray:
    """Squared effect of some rows without noise, |Δ_p|² − N_p (P,): may be negative."""
    squared: FloatArray = ((moments.mean[rows] - moments.control) ** 2).sum(axis=1)
    squared -= noise_parts(moments, rows).total
    return squared


def noise_shape(moments: Moments, rows: IntArray) -> NoiseShape:
    """Measure how the noise of some rows and of the control is spread over genes."""
    rows = rows[moments.var[rows].sum(axis=1) > 0]
    of_rows, of_control = _row_vectors(moments, rows), _control_vectors(moments)
    vectors = np.concatenate([of_rows, of_control])
    row = np.concatenate([rows, np.full(len(of_control), OF_CONTROL)])
    q = len(vectors)
    if q < 3:
        return NoiseShape(vectors, row, np.nan, np.nan, np.nan)
    # Products of all pairs of noise vectors (Q, Q)
    products = vectors @ vectors.T
    np.fill_diagonal(products, 0.0)
    by_vector = (products**2).sum(axis=1)
    total = float(by_vector.sum())
    a2 = total / (q * (q - 1))
    without_one = (total - 2 * by_vector) / ((q - 1) * (q - 2))
    error = float(np.sqrt((q - 1) / q * np.sum((without_one - without_one.mean()) ** 2)))
    parts = (products[start : start + ROWS_AT_ONCE] for start in range(0, q, ROWS_AT_ONCE))
    # tr M³: the sum of products around all triangles of vectors
    a3 = sum(float(np.sum((part @ products) * part)) for part in parts) / (q * (q - 1) * (q - 2))
    factor = 1 + SHAPE_SE * error / a2 if a2 > 0 else 1.0
    return NoiseShape(vectors, row, a2, a2 * factor, max(a3, 0.0) * factor**1.5)


def half_differences(moments: Moments, rows: IntArray) -> FloatArray:
    """Differences of the halves of rows (P, G), each half about all control cells of its batches."""
    apart = np.zeros((len(rows), moments.mean.shape[1]))
    for a, sign in ((0, 1.0), (1, -1.0)):
        # The effect in a half has its own half of the control, which goes: Σ_b w^a_pb (c^a_b − c_b)
        of_control = np.nan_to_num(moments.control_half[a]) - moments.control_batch
        effects = moments.half[a, rows] - moments.half[a, moments.reference]
        apart += sign * (effects + moments.half_weights[a, rows] @ of_control)
    return apart


def _row_vectors(moments: Moments, rows: IntArray) -> FloatArray:
    """Differences of the halves of rows (P, G), scaled to an expected square of 1."""
    apart = half_differences(moments, rows)
    scale = np.sqrt((1 / moments.n_half[:, rows]).sum(axis=0) * moments.var[rows].sum(axis=1))
    apart /= scale[:, None]
    return apart


def _control_vectors(moments: Moments) -> FloatArray:
    """Differences of the blocks of the two halves of the control (K/2, G)."""
    freedom = np.maximum(moments.n_control - 1, 0)
    variance = float(freedom @ np.nan_to_num(moments.control_var).sum(axis=1)) / max(float(freedom.sum()), 1.0)
    k = len(moments.n_blocks)
    freedom_of_blocks = float(block_freedom(moments).sum())
    if not (variance > 0 and freedom_of_blocks > 0):
        return np.empty((0, moments.mean.shape[1]))
    first, second = moments.n_blocks[: k // 2].sum(axis=1), moments.n_blocks[k // 2 :].sum(axis=1)
    scale = np.sqrt((1 / first + 1 / second) * freedom_of_blocks / k * variance)
    vectors: FloatArray = (moments.blocks[: k // 2] - moments.blocks[k // 2 :]) / scale[:, None]
    return vectors


def block_freedom(moments: Moments) -> FloatArray:
    """Degrees of freedom of the control blocks of each half (2,): Σ_k (1 − Σ_b n_kb² / (n^a_0b n_k))."""
    k = len(moments.n_blocks)
    freedom = np.empty(2)
    for a in (0, 1):
        n = moments.n_blocks[a * (k // 2) : (a + 1) * (k // 2)]
        in_half = np.maximum(moments.counts[a, moments.reference], 1)
        freedom[a] = len(n) - float(((n**2) @ (1 / in_half) / n.sum(axis=1)).sum())
    return freedom


def null_error(parts: NoiseParts, a2: float) -> float:
    """Standard error of the summed squared effect where nothing responds."""
    own, control, w = parts.own, parts.control, parts.weights
    squares = float(np.sum(own**2 * parts.n / (parts.n - 1)) + 2 * own @ (w**2 @ control))
    # Control noise that perturbations share: Σ_bb' (WᵀW)²_bb' τ_b τ_b'
    squares += float(control @ (w.T @ w) ** 2 @ control)
    return float(np.sqrt(2 * a2 * squares))


def response_known(moments: Moments, rows: IntArray, shape: NoiseShape) -> bool:
    """Whether the summed squared effect of some rows is more than noise: at least 3 standard errors above 0."""
    if not len(rows):
        return False
    return float(squared_effects(moments, rows).sum()) >= SURE * null_error(noise_parts(moments, rows), shape.a2_raised)
