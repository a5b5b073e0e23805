"""Effects in two halves of a screen, and how much of their energy lies on an axis.

An energy is a product of the two half effects, each of which has its own half of the control: their noise is
independent, so nothing is added by it. Energy on an axis is a bilinear form of the two halves. How it changes when
other blocks of control cells are drawn follows from a few products with those blocks, so that every resample is a
product with a matrix of weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.moments import Moments
from scpertbias._core.resampling import bootstrap_weights

MIN_BLOCKS = 4
SURE = 3.0


@dataclass(frozen=True)
class Effects:
    """Effects of P perturbations in two halves of the cells, each from its own half of the control.

    ``first`` and ``second`` are (P, G), ``mean`` the means of all cells (P, G), ``control`` those of the control halves
    (2, G); ``blocks`` are, for either half, the control blocks about their common mean (K, G), ``n_blocks`` their cells.
    """

    first: FloatArray
    second: FloatArray
    mean: FloatArray
    control: FloatArray
    n_half: FloatArray
    blocks: tuple[FloatArray, FloatArray]
    n_blocks: tuple[FloatArray, FloatArray]

    @property
    def energy(self) -> FloatArray:
        """Energy of each perturbation (P,)."""
        # D1_p · D2_p: the effect in half 1 times that in half 2 (P,)
        energy: FloatArray = np.einsum("pg,pg->p", self.first, self.second)
        return energy


def half_effects(moments: Moments, rows: IntArray, genes: IntArray | slice = slice(None)) -> Effects:
    """Take the effects of some rows of the moments, which need cells in both halves."""
    control = moments.half[:, moments.reference][:, genes]
    half = moments.half[:, rows][:, :, genes]
    cut = len(moments.n_blocks) // 2
    blocks, cells = [], []
    for part in (slice(None, cut), slice(cut, None)):
        n, means = moments.n_blocks[part].sum(axis=1), moments.blocks[part][:, genes]
        blocks.append(means - n @ means / n.sum())
        cells.append(n)
    return Effects(
        first=half[0] - control[0],
        second=half[1] - control[1],
        mean=moments.mean[rows][:, genes],
        control=control,
        n_half=moments.n_half[:, rows],
        blocks=(blocks[0], blocks[1]),
        n_blocks=(cells[0], cells[1]),
    )


def noise_error(effects: Effects) -> float:
    """Standard error that sampling of cells alone gives the summed energy where nothing responds.

    The products of the halves' differences of two perturbations, which hold no effect, show the noise with all its
    correlations between genes. (Resampled perturbations would show how different they are: a screen of which a few
    respond strongly would then seem to respond less surely than one of which all respond weakly.)
    """
    n1, n2 = effects.n_half
    c1, c2 = (float(n.sum()) for n in effects.n_blocks)
    apart = effects.control[0] - effects.control[1]
    noise = np.vstack([effects.first - effects.second + apart, apart])
    noise /= np.sqrt(1 / np.append(n1, c1) + 1 / np.append(n2, c2))[:, None]
    # Products of the noise of all pairs of perturbations (P + 1, P + 1)
    products = noise @ noise.T
    np.fill_diagonal(products, 0.0)
    spread = float(np.sum(products**2)) / (len(noise) * max(len(noise) - 1, 1))
    cells = (1 / (n1 * n2)).sum() + (1 / n1).sum() / c2 + (1 / n2).sum() / c1 + len(n1) ** 2 / (c1 * c2)
    return float(np.sqrt(spread * cells))


def is_known(effects: Effects) -> bool:
    """Whether the summed energy is more than noise: at least 3 standard errors above 0."""
    return len(effects.first) > 0 and float(effects.energy.sum()) > SURE * noise_error(effects)


@dataclass(frozen=True)
class Resamples:
    """Draws of perturbations and of control blocks: ``perturbations`` (R, P) counts, ``control`` two (R, K) shares."""

    perturbations: FloatArray
    control: tuple[FloatArray, FloatArray]

    @property
    def pairs(self) -> FloatArray:
        """Products of the shares of the blocks of both halves (R, K·K)."""
        first, second = self.control
        return np.asarray(first[:, :, None] * second[:, None, :], dtype=np.float64).reshape(len(first), -1)


def resample(effects: Effects, n_boot: int, rng: np.random.Generator) -> Resamples | None:
    """Draw perturbations and, within each half, control blocks; None where there are too few blocks."""
    if sum(map(len, effects.n_blocks)) < MIN_BLOCKS:
        return None
    weights = bootstrap_weights(len(effects.first), n_boot, rng).astype(np.float64)
    shares = []
    for n in effects.n_blocks:
        drawn = bootstrap_weights(len(n), n_boot, rng) * n
        shares.append(drawn / drawn.sum(axis=1, keepdims=True))
    return Resamples(weights, (shares[0], shares[1]))


@dataclass(frozen=True)
class AxisEnergy:
    """Energy on one axis by perturbation, ``own`` (P,), and its products with the control blocks.

    ``first`` (P, K) are those of the blocks of half 1 with the second effects, ``second`` the reverse, ``both`` (1 or P,
    K·K) those of the blocks of half 1 with those of half 2.
    """

    own: FloatArray
    first: FloatArray
    second: FloatArray
    both: FloatArray

    def draws(self, resamples: Resamples) -> FloatArray:
        """Summed energy in each resample (R,)."""
        w, (q1, q2) = resamples.perturbations, resamples.control
        # Products of the blocks of half 1 with those of half 2, summed over the drawn perturbations (R, K·K)
        both = w @ self.both if len(self.both) > 1 else w.sum(axis=1, keepdims=True) * self.both
        # Σ_p w_p D1_p·D2_p, and q1 · (B1 B2ᵀ) · q2: the drawn blocks of one half with those of the other (R,)
        total: FloatArray = w @ self.own + np.einsum("rk,rk->r", both, resamples.pairs)
        # Less the drawn blocks of each half with the drawn effects of the other half (R,)
        total -= np.einsum("rk,rk->r", w @ self.first, q1) + np.einsum("rk,rk->r", w @ self.second, q2)
        return total


def energy_on_genes(effects: Effects, genes: BoolArray | slice = slice(None)) -> AxisEnergy:
    """Energy on some genes."""
    d1, d2 = effects.first[:, genes], effects.second[:, genes]
    b1, b2 = (b[:, genes] for b in effects.blocks)
    # D1_p · D2_p (P,), D2 B1ᵀ and D1 B2ᵀ (P, K), B1 B2ᵀ (K·K): the same on the genes of the axis
    return AxisEnergy(np.einsum("pg,pg->p", d1, d2), d2 @ b1.T, d1 @ b2.T, (b1 @ b2.T).reshape(1, -1))


def energy_on_direction(
    effects: Effects, axis_1: FloatArray, axis_2: FloatArray, code: IntArray | None = None
) -> AxisEnergy:
    """Energy on a direction with two half estimates: (D1·u2)(D2·u1) / (u1·u2).

    Parameters
    ----------
    effects
        Effects in two halves.
    axis_1, axis_2
        Half estimates of the direction, (F, G): one of F directions for each perturbation.
    code
        Which of them (P,); by default there is one.
    """
    code = np.zeros(len(effects.first), dtype=np.int64) if code is None else code
    # 1 / (u1 · u2) of the direction of each perturbation (P,)
    scale = 1 / np.einsum("fg,fg->f", axis_1, axis_2)[code]
    # D1_p · u2 and D2_p · u1, either half of an effect on the other half's axis (P,)
    a = _own(effects.first @ axis_2.T, code)
    b = _own(effects.second @ axis_1.T, code) * scale
    # B1 · u2 and B2 · u1, the control blocks on the other half's axis (P, K)
    z1, z2 = (effects.blocks[0] @ axis_2.T).T[code], (effects.blocks[1] @ axis_1.T).T[code]
    both = z1[:, :, None] * z2[:, None, :] * scale[:, None, None]
    return AxisEnergy(a * b, z1 * b[:, None], z2 * (a * scale)[:, None], both.reshape(len(a), -1))


def _own(products: FloatArray, code: IntArray) -> FloatArray:
    return np.asarray(products[np.arange(len(code)), code], dtype=np.float64)


def cosine(axis_1: FloatArray, axis_2: FloatArray) -> float:
    """Cosine of the two half estimates of a direction; 0 where one vanishes."""
    size = float(np.linalg.norm(axis_1) * np.linalg.norm(axis_2))
    return float(axis_1 @ axis_2) / size if size > 0 else 0.0


def leading_axes(means: FloatArray, fold: IntArray, n_axes: int) -> FloatArray:
    """Directions in which perturbations differ most, for each fold from all other folds (F x n_axes x G).

    They are the right singular vectors of the centered means; the sign is that of the largest entry. Where other folds
    span fewer directions the rest are NaN.
    """
    n_folds = int(fold.max(initial=-1)) + 1
    axes = np.full((n_folds, n_axes, means.shape[1]), np.nan)
    for f in range(n_folds):
        axes[f] = top_directions(means[fold != f], n_axes)
    return axes


def top_directions(means: FloatArray, n_axes: int) -> FloatArray:
    """Right singular vectors of the centered rows (n_axes x G); NaN where they span fewer directions."""
    directions = np.full((n_axes, means.shape[1]), np.nan)
    centered = means - means.mean(axis=0) if len(means) else means
    n = min(n_axes, len(centered) - 1, means.shape[1])
    if n < 1:
        return directions
    # Gram matrix of the rows: its eigenvectors are their left singular vectors
    values, vectors = np.linalg.eigh(centered @ centered.T)
    known = values[::-1][:n] > 1e-12 * max(float(values[-1]), 0.0)
    # Uᵀ X = S Vᵀ: right singular vectors, before they are scaled to length 1 (n, G)
    axes = vectors[:, ::-1][:, :n].T @ centered
    axes[known] /= np.linalg.norm(axes[known], axis=1, keepdims=True)
    axes[~known] = np.nan
    largest = np.abs(np.nan_to_num(axes)).argmax(axis=1)
    directions[:n] = axes * np.where(axes[np.arange(n), largest] < 0, -1.0, 1.0)[:, None]
    return directions
