"""The shared axis: its share of the response, its main contributors, and the shift common to all perturbations.

Each perturbation is projected onto the summed effect of all others, so it does not contribute to its own axis. Effects in
one half of the cells are projected onto the axis of the other half, so that they have no noise in common.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.noise import SURE, null_error
from scpertbias._core.resampling import MIN_UNITS, NORMAL, effective_number, jackknife_error, logit_bounds, t_quantile
from scpertbias._core.response import Response

HALF = 0.5
CARRY = 0.8
EXISTS = 2.0
ROWS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Gradient:
    """Derivatives of the energy on the axis by the products of half effects D¹_q · D²_r (P, P), less ``share`` of K_pp.

    Off the diagonal they are ``first`` (P,) of q plus ``second`` (P,) of r less ``all``, to which ``own`` (P,) is added on
    the diagonal.
    """

    first: FloatArray
    second: FloatArray
    all: float
    own: FloatArray

    @classmethod
    def of(cls, x: FloatArray, y: FloatArray, z: FloatArray, share: float) -> Gradient:
        """Compute the derivatives from the products of each perturbation with all others; z is NaN without an axis."""
        by_x, by_y, by_z = (np.nan_to_num(part) for part in (y / z, x / z, x * y / z**2))
        return cls(by_x + by_z, by_y + by_z, float(by_z.sum()), -share - by_x - by_y - by_z)

    def by_half(self, half: FloatArray, a: int) -> FloatArray:
        """Derivatives by the effects in one of the two halves (P, G)."""
        other = half[1 - a]
        summed, (of_row, of_column) = other.sum(axis=0), (self.first, self.second)[:: 1 - 2 * a]
        # G D² or Gᵀ D¹ (P, G)
        derivatives: FloatArray = self.own[:, None] * other
        derivatives += np.outer(of_row, summed)
        derivatives += of_column @ other - self.all * summed
        return derivatives

    def times(self, columns: FloatArray) -> FloatArray:
        """Product with some columns (P, k)."""
        shared = np.outer(self.first, columns.sum(axis=0)) + (self.second - self.all) @ columns
        product: FloatArray = shared + self.own[:, None] * columns
        return product

    def noise_products(self, noise_1: FloatArray, noise_2: FloatArray) -> float:
        """Σ_qr s_q G²_qr s'_r, with the noise of the first halves (P,) and of the second (P,)."""
        f, g = self.first, self.second - self.all
        total = noise_1 @ f**2 * noise_2.sum() + 2 * (noise_1 @ f) * (noise_2 @ g) + noise_1.sum() * (noise_2 @ g**2)
        return float(total + np.sum(noise_1 * noise_2 * ((f + g + self.own) ** 2 - (f + g) ** 2)))


@dataclass(frozen=True)
class SharedAxis:
    """Energy of each perturbation along the axis of the others, ``own`` (P,), and its share of the response.

    ``measurable`` (P,) says where the axis of the others is more than noise; elsewhere ``own`` is 0. ``share`` and its
    interval, which holds for these perturbations, are NaN where the screen has no measurable axis. ``carriers`` are the
    fewest perturbations that account for most of it, the strongest first, ``n_axis`` is how many equal ones would.
    """

    own: FloatArray
    measurable: BoolArray
    share: float
    low: float
    high: float
    n_axis: float
    carriers: IntArray

    @property
    def exists(self) -> bool:
        """Whether the screen has a measurable axis."""
        return bool(np.isfinite(self.share))


def shared_axis(response: Response) -> SharedAxis:
    """Compute the share of the response on the shared axis."""
    x, y, z = _products_with_others(response)
    measurable, exists = _is_measurable(response, z)
    z = np.where(measurable, z, np.nan)
    own = np.nan_to_num(x * y / z)
    who = carriers(own)
    total = float(response.energy.sum())
    if not exists:
        return SharedAxis(own, measurable, np.nan, np.nan, np.nan, *who)
    share = float(own.sum()) / total
    gradient = Gradient.of(x, y, z, share)
    variance = axis_variance(response, gradient) + total_variance(response, gradient, share)
    low, high = logit_bounds(share, np.sqrt(np.maximum(variance, 0.0)) / abs(total), NORMAL)
    return SharedAxis(own, measurable, share, low, high, *who)


def _products_with_others(response: Response) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Products of D¹_p with all others' D², of D²_p with all others' D¹, and of all others' D¹ with their D² (P,)."""
    d1, d2 = response.half
    u1, u2 = d1.sum(axis=0), d2.sum(axis=0)
    # D¹_p · D²_p (P,)
    same = np.einsum("pg,pg->p", d1, d2)
    by_1, by_2 = d1 @ u2, d2 @ u1
    return by_1 - same, by_2 - same, float(u1 @ u2) - by_1 - by_2 + same


def _is_measurable(response: Response, z: FloatArray) -> tuple[BoolArray, bool]:
    """Whether the summed effect of all others is more than noise (P,), and whether that of the screen is."""
    parts = response.parts
    summed, cells = response.effect.sum(axis=0), parts.weights.sum(axis=0)
    noise = float(parts.own.sum() + cells**2 @ parts.control)
    noise_of_others = parts.own.sum() - parts.own + (cells - parts.weights) ** 2 @ parts.control
    size = float(summed @ summed)
    # |Σ_{q≠p} Δ_q|² (P,)
    size_of_others = size - 2 * response.effect @ summed + np.einsum("pg,pg->p", response.effect, response.effect)
    least = 1 + SURE * np.sqrt(2 * response.shape.a2_raised)
    measurable = (size_of_others > least * noise_of_others) & (z > 0)
    positive = np.maximum(response.energy, 0.0)
    enough = float(positive[measurable].sum()) >= HALF * float(positive.sum())
    return measurable, bool(size > least * noise and enough and measurable.any())


def axis_variance(response: Response, gradient: Gradient) -> float:
    """Variance of the energy on the axis less the share of all energy, where cells are drawn anew."""
    cell_noise = response.parts.own * response.parts.n / response.n_half
    variance, by_batch = 0.0, []
    for a, noise in enumerate(cell_noise):
        derivatives = gradient.by_half(response.half, a)
        variance += float(noise @ mean_squares(response.shape.vectors, derivatives, response.vector))
        # V^a_b = Σ_p w^a_pb A^a_p (S, G)
        by_batch.append(response.half_weights[a].T @ derivatives)
    variance -= response.shape.a2 * gradient.noise_products(*cell_noise)
    return variance + response.blocks.variance(np.stack(by_batch))


def total_variance(response: Response, gradient: Gradient, share: float) -> float:
    """Variance that the share has because the response is summed over all pairs of cells, and the axis over halves.

    What noise adds to a product of halves D¹_p · D²_p is not what it adds to a squared effect: the two differ by
    (|D¹_p − D²_p|² less its expected value) / 4, the noise of which is as large as that of the squared effect itself.
    """
    own, w, control = response.parts.own, response.parts.weights, response.parts.control
    of_own = own[:, None] * w
    by_batch = gradient.times(w)
    # Σ_pq G_pq (N²)_pq, N the noise that effects have and share: diag(t_p / n_p) + W diag(τ) Wᵀ
    diagonal = gradient.first + gradient.second - gradient.all + gradient.own
    products = diagonal @ own**2 + control @ (
        np.sum(of_own * by_batch, axis=0) + np.sum(w * gradient.times(of_own), axis=0)
    )
    products += control @ ((w.T @ w) * (w.T @ by_batch)) @ control
    a2 = response.shape.a2
    return share**2 * null_error(response.parts, a2) ** 2 + 4 * share * a2 * float(products)


def mean_squares(vectors: FloatArray, directions: FloatArray, left_out: IntArray) -> FloatArray:
    """Mean squared product of each direction (P, G) with all noise vectors but one (P,), −1 for none."""
    squares = np.empty(len(directions))
    for start in range(0, len(directions), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        products = (directions[part] @ vectors.T) ** 2
        skip = left_out[part]
        of_same = np.where(skip >= 0, products[np.arange(len(skip)), skip], 0.0)
        squares[part] = (products.sum(axis=1) - of_same) / (len(vectors) - (skip >= 0))
    return squares


def carriers(own: FloatArray) -> tuple[float, IntArray]:
    """Return the effective number of perturbations on the axis, and the fewest that make up most of it, largest first."""
    positive = np.maximum(own, 0.0)
    total = float(positive.sum())
    if not total > 0:
        return float("nan"), np.empty(0, dtype=np.int64)
    order = np.argsort(-positive, kind="stable")
    n = int(np.searchsorted(np.cumsum(positive[order]), CARRY * total * (1 - 1e-12))) + 1
    return effective_number(own), order[:n]


@dataclass(frozen=True)
class CommonShift:
    """Share of the response that is a common shift of all perturbations, with its interval over perturbations.

    ``exists`` says whether it is at least two standard errors.
    """

    share: float = np.nan
    low: float = np.nan
    high: float = np.nan
    exists: bool = False


def common_to_all(response: Response) -> CommonShift:
    """Compute the share of a common shift: mean product of two effects over the mean squared effect."""
    n, total = len(response.energy), float(response.energy.sum())
    if n < 3 or not total > 0:
        return CommonShift()
    parts, effect = response.parts, response.effect
    summed, cells = effect.sum(axis=0), parts.weights.sum(axis=0)
    # Σ_q K̂_pq, each effect times that of all, without noise (P,)
    with_all = effect @ summed - parts.own - parts.weights @ (cells * parts.control)
    pairs = float(with_all.sum()) - total
    share = pairs / ((n - 1) * total)
    without_one = (pairs - 2 * (with_all - response.energy)) / ((n - 2) * (total - response.energy))
    by_batch = parts.weights.T @ effect
    # V_b = ½ Σ_p w_pb A_p, A_p the derivative by Δ_p (S, G)
    gradient = (np.outer(cells, summed) - by_batch) / ((n - 1) * total) - share * by_batch / total
    variance = jackknife_error(without_one) ** 2 + response.blocks.variance(np.stack([gradient, gradient]))
    # Control noise that all pairs share: Σ_bb' [W_b W_b' − (WᵀW)_bb']² τ_b τ_b'
    shared = parts.control @ (np.outer(cells, cells) - parts.weights.T @ parts.weights) ** 2 @ parts.control
    error = float(np.sqrt(variance + 2 * response.shape.a2_raised * shared / ((n - 1) * total) ** 2))
    low = high = np.nan
    if n >= MIN_UNITS:
        low, high = logit_bounds(share, error, t_quantile(response.n_effective - 1))
    return CommonShift(share, low, high, bool(share >= EXISTS * error))
