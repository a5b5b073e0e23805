"""Shares of the response in gene sets: in this screen, and in a typical perturbation.

The share in this screen is a share of the summed squared effects; its interval refers to other cells. The share in a typical
perturbation is a mean weighted by reproducibility; its interval refers to other perturbations. Both are compared with genes
in no set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.resampling import MIN_UNITS, NORMAL, jackknife_error, logit_bounds, t_quantile
from scpertbias._core.response import Response

N_NEAREST = 20
MISMATCH = 0.5
MIN_SET = 5
FDR = 0.05
MIN_DRAWS = 1_000
OFFSET = 0.001
ROWS_AT_ONCE = 1_000
DRAWS_OF = 1 << 16


@dataclass(frozen=True)
class SetShare:
    """A share of the response with its standard error and interval."""

    share: float = np.nan
    error: float = np.nan
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True)
class SetNull:
    """Mean share of genes in no set, in this screen and in a typical perturbation, and how well they match in expression.

    ``p`` is the share of draws with as much as the set, ``mismatch`` the mean difference of log mean expression.
    """

    share: float = np.nan
    typical: float = np.nan
    p: float = np.nan
    mismatch: float = np.nan


def screen_shares(response: Response, members: BoolArray) -> list[SetShare]:
    """Share of each set (J, G) in the response of this screen; the interval is for other cells of the same perturbations."""
    total = float(response.energy.sum())
    shares = members @ response.gene_energy.sum(axis=0) / total
    variances = _cell_variances(response, members, shares)
    result = []
    variances = variances + _control_variances(response, members, shares, np.ones(len(response.energy)))
    for share, error in zip(shares.tolist(), (np.sqrt(variances) / abs(total)).tolist(), strict=True):
        result.append(SetShare(share, error, *logit_bounds(share, error, NORMAL)))
    return result


def typical_shares(response: Response, members: BoolArray) -> list[SetShare]:
    """Share of each set (J, G) in a typical perturbation; the interval is for other perturbations."""
    weight = typical_weights(response)
    whole = weight * response.energy
    total, n = float(whole.sum()), len(whole)
    # Weighted energy of each perturbation on each set (P, J)
    on = weight[:, None] * (response.gene_energy @ members.T)
    shares = on.sum(axis=0) / total
    if n < MIN_UNITS:
        return [SetShare(share) for share in shares.tolist()]
    from_control = _control_variances(response, members, shares, weight) / total**2
    result = []
    for of_set, share, variance in zip(on.T, shares.tolist(), from_control.tolist(), strict=True):
        error = float(np.sqrt(jackknife_error((of_set.sum() - of_set) / (total - whole)) ** 2 + variance))
        result.append(SetShare(share, error, *logit_bounds(share, error, t_quantile(n - 1))))
    return result


def typical_weights(response: Response) -> FloatArray:
    """Weights that make the squared effect of each perturbation its reproducibility (P,)."""
    # |Δ_p|² (P,)
    squared = np.einsum("pg,pg->p", response.effect, response.effect)
    return np.asarray(1 / np.maximum(squared, response.parts.total), dtype=np.float64)


def _control_variances(response: Response, members: BoolArray, shares: FloatArray, weight: FloatArray) -> FloatArray:
    """Variance of Σ_p weight_p (energy on each set less its share of all) that comes from the control (J,)."""
    # Σ_p w_pb weight_p Δ_p, half the derivative by the control mean of each batch before genes are signed (S, G)
    by_batch = (response.parts.weights * weight[:, None]).T @ response.effect
    blocks = response.blocks
    products = np.empty((*blocks.scale.shape, len(members)))
    for half, of_half in enumerate(blocks.means):
        for k, block in enumerate(of_half):
            # β_k · V_b by gene (S, G), summed over each set, less its share of the sum over all (S, J)
            along = by_batch * block
            products[half, k] = along @ members.T - along.sum(axis=1)[:, None] * shares
    return np.array([blocks.variance_along(products[..., j]) for j in range(len(members))])


def _cell_variances(response: Response, members: BoolArray, shares: FloatArray) -> FloatArray:
    """Variance of the energy on each set less its share of all (J,), from the cells of the perturbations."""
    parts, vectors = response.parts, response.shape.vectors
    typical = float(np.median(parts.own * parts.n))  # squared length of the noise of one cell, 1 in the vectors
    inverse = np.divide(1.0, parts.n_control, out=np.zeros_like(parts.n_control), where=parts.n_control > 0)
    # 1 / n_p + Σ_b w_pb² / n_0b (P,)
    per_cell = 1 / parts.n + parts.weights**2 @ inverse
    linear = typical * _signed_squares(vectors, response.effect, response.vector, members, shares)
    quadratic = _signed_squares(vectors, vectors, np.arange(len(vectors)), members, shares).mean(axis=1)
    quadratic *= typical**2
    known = np.maximum(linear - quadratic[:, None] * per_cell, 0.0)
    variances: FloatArray = 4 * known @ (1 / parts.n) + 2 * quadratic * np.sum(per_cell**2)
    return variances


def _signed_squares(
    vectors: FloatArray, directions: FloatArray, left_out: IntArray, members: BoolArray, shares: FloatArray
) -> FloatArray:
    """Mean of (ν·U d)² over all noise vectors but one, U = diag(1_S − share), for each set and direction (J, P)."""
    means = np.empty((len(members), len(directions)))
    for start in range(0, len(directions), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        rows, skip = directions[part], left_out[part]
        whole = rows @ vectors.T
        for j, (genes, share) in enumerate(zip(members, shares, strict=True)):
            signed = rows[:, genes] @ vectors[:, genes].T
            signed -= share * whole
            of_same = signed[np.arange(len(skip)), skip] * (skip >= 0)
            # Σ (ν·U d)² over the noise vectors (P,)
            squares = np.einsum("pv,pv->p", signed, signed) - of_same**2
            means[j, part] = squares / (len(vectors) - (skip >= 0))
    return means


# -- genes in no set -----------------------------------------------------------------------------------------------


def nearest_genes(control: FloatArray, genes: BoolArray, pool: BoolArray) -> IntArray:
    """Return for each of some genes those of a pool that are nearest in log mean expression, nearest first (n, k)."""
    logs, places = log_expression(control), np.flatnonzero(pool)
    places = places[np.argsort(logs[places], kind="stable")]
    k = min(N_NEAREST, len(places))
    # In the order of expression the k nearest are among the k on either side (n, 2k)
    at = np.searchsorted(logs[places], logs[genes])[:, None] + np.arange(-k, k)
    inside = (at >= 0) & (at < len(places))
    nearby = places[np.clip(at, 0, len(places) - 1)]
    apart = np.where(inside, np.abs(logs[nearby] - logs[genes][:, None]), np.inf)
    return np.take_along_axis(nearby, np.lexsort((nearby, apart), axis=-1)[:, :k], axis=1)


def log_expression(control: FloatArray) -> FloatArray:
    """Log of the mean expression in control, where it is not negative."""
    logs: FloatArray = np.log(np.maximum(control, 0.0) + OFFSET)
    return logs


def enough_draws(n_sets: int) -> int:
    """Number of draws with which one of many sets can have a significantly large share, plus one draw."""
    return max(MIN_DRAWS, int(np.ceil(2 * n_sets / FDR)))


def gene_draws(n_draws: int, n_genes: int, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Draw for each gene which of the nearest ones takes its place (n_draws, G), so that no set depends on another."""
    return rng.integers(DRAWS_OF, size=(n_draws, n_genes), dtype=np.uint16)


def set_null(
    response: Response, genes: BoolArray, pool: BoolArray, control: FloatArray, draws: npt.NDArray[np.uint16]
) -> SetNull:
    """Replace each gene of a set by a random one of the nearest genes of a pool, and compute the shares again."""
    if not (len(draws) and genes.any() and pool.any()):
        return SetNull()
    nearest = nearest_genes(control, genes, pool)
    # Which of the k nearest each draw takes (n_draws, n)
    choice = draws[:, genes].astype(np.int64) * nearest.shape[1] // DRAWS_OF
    drawn = nearest[np.arange(len(nearest)), choice]
    by_gene, weight, logs = response.gene_energy.sum(axis=0), typical_weights(response), log_expression(control)
    total, total_typical = float(response.energy.sum()), float(weight @ response.energy)
    shares = by_gene[drawn].sum(axis=1) / total
    typical = (weight @ response.gene_energy)[drawn].sum(axis=1) / total_typical
    share = float(by_gene[genes].sum()) / total
    # A draw of genes with the same energy has the same share, but for rounding
    as_much = int(np.count_nonzero(shares >= share - 1e-9 * max(1.0, abs(share))))
    mismatch = float(np.abs(logs[drawn] - logs[genes]).mean())
    return SetNull(float(shares.mean()), float(typical.mean()), (1 + as_much) / (1 + len(draws)), mismatch)


def is_beyond(n_genes: int, n_sets: int, share: SetShare, typical: SetShare, null: SetNull) -> bool:
    """Whether the share of a set is above that of genes in no set, in this screen and in a typical perturbation."""
    return bool(
        n_genes >= MIN_SET
        and null.mismatch <= MISMATCH
        and null.p <= FDR / n_sets
        and share.low > null.share
        and typical.low > null.typical
    )
