"""Share of the response accounted for by the composition of the cells: levels of a column, depth, MT %.

Perturbations that are unbalanced over the levels of a column (batch, lot, cell line) differ from the control even without
an effect. This difference is computed from the control cells of each level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, random_table

from scpertbias._core.arrays import FloatArray, IntArray

N_RANDOM = 1_000
AT_ONCE = 1 << 22
"""Largest number of table entries that are in memory at once when random tables are drawn."""
NULL_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class BalanceShare:
    """Share of the response accounted for by composition, and the share expected by chance.

    ``null`` is the mean share by chance, which is already subtracted from ``share``; ``null_low`` and ``null_high`` are the 95%
    interval of the shares by chance, minus their mean. NaN without any response.
    """

    share: float
    p: float
    null: float = np.nan
    null_low: float = np.nan
    null_high: float = np.nan


@dataclass(frozen=True)
class Composition:
    """Squared shift by composition, summed over perturbations, as observed and in D random tables (``by_chance``, D)."""

    energy: float
    by_chance: FloatArray

    def share_of(self, response: float) -> BalanceShare:
        """Divide by the squared effect of all perturbations."""
        p = (1 + int((self.by_chance >= self.energy).sum())) / (1 + len(self.by_chance))
        if not response > 0:
            return BalanceShare(np.nan, p)
        null = float(self.by_chance.mean())
        low, high = np.quantile(self.by_chance - null, NULL_INTERVAL) / response
        return BalanceShare((self.energy - null) / response, p, null / response, float(low), float(high))


def composition(
    counts: FloatArray,
    batch: IntArray,
    means: FloatArray,
    noise: FloatArray,
    *,
    n_random: int,
    rng: np.random.Generator,
) -> Composition:
    """Compare the shift due to composition with shifts if levels are randomly assigned to cells within batches.

    Parameters
    ----------
    counts
        Cells of the control (first row) and of each perturbation (P + 1, K), by the K levels.
    batch
        Batch of each level (K,): a level of a column that occurs in several batches is several levels here.
    means
        Control mean of each level (K, G).
    noise
        Sampling variance of that mean, summed over genes (K,).
    n_random
        Number of random tables.
    rng
        Generator.
    """
    about = means - means.mean(axis=0)  # the weights of a perturbation sum to 0
    # c_b · c_b' of the control means (K, K)
    products = about @ about.T
    by_chance = np.empty(n_random)
    step = max(1, AT_ONCE // counts.size)
    for start in range(0, n_random, step):
        tables = _random_tables(counts, batch, min(step, n_random - start), rng)
        by_chance[start : start + len(tables)] = _energy(tables, batch, products, noise)
    return Composition(float(_energy(counts[None], batch, products, noise)[0]), by_chance)


def _random_tables(counts: FloatArray, batch: IntArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Assign the levels of the cells of each batch to its groups, which keep their sizes (n, P + 1, K)."""
    tables = np.empty((n, *counts.shape))
    for one in np.unique(batch):
        here = counts[:, batch == one]
        table = random_table(here.sum(axis=1).astype(np.int64), here.sum(axis=0).astype(np.int64))
        tables[:, :, batch == one] = table.rvs(n, random_state=rng)
    return tables


def _energy(counts: FloatArray, batch: IntArray, products: FloatArray, noise: FloatArray) -> FloatArray:
    """Sum over perturbations the squared shift by composition without noise, for each of D tables (D,)."""
    _, code = np.unique(batch, return_inverse=True)
    onto = (code[:, None] == np.arange(code.max() + 1)).astype(np.float64)
    in_batch = (counts @ onto)[..., code]
    in_control = counts[:, :1] / in_batch[:, :1]
    n = np.maximum(counts[:, 1:].sum(axis=2, keepdims=True), 1.0)
    # w_ps (w_pb|s − w_0b|s), by perturbation and level (D, P, K)
    weights = (counts[:, 1:] - in_batch[:, 1:] * in_control) / n
    # Σ_p u_pᵀ (C Cᵀ) u_p − Σ_p u_p² · τ (D,)
    energy: FloatArray = np.einsum("dpk,dpk->d", weights @ products, weights)
    energy -= (weights**2).sum(axis=1) @ noise
    return energy


def quality_shares(
    mean: FloatArray,
    var: FloatArray,
    n: FloatArray,
    weights: FloatArray,
    control_mean: FloatArray,
    control_var: FloatArray,
    n_control: FloatArray,
    slopes: FloatArray,
    response: float,
) -> list[BalanceShare]:
    """Share of the response accounted for by differences in depth (or MT %) between perturbations.

    Parameters
    ----------
    mean, var
        Mean and variance over the cells of P perturbations, of k measures (P, k).
    n
        Cells (P,).
    weights
        Shares of the batches in them (P, S).
    control_mean, control_var
        The same of the control of each batch (S, k).
    n_control
        Its cells (S,).
    slopes
        Of the genes on each measure, within the control halves (2, k, G).
    response
        Squared effect of all perturbations.
    """
    away = mean - weights @ control_mean
    noise = var / n[:, None] + weights**2 @ (control_var / np.maximum(n_control, 1)[:, None])
    # g¹ · g² of each measure (k,)
    along = np.einsum("kg,kg->k", slopes[0], slopes[1])
    shares = []
    for j in range(mean.shape[1]):
        known = noise[:, j] > 0
        squares, expected = away[known, j] ** 2, noise[known, j]
        p = float(chi2.sf(np.sum(squares / expected), known.sum())) if known.any() else np.nan
        share = float(along[j] * np.sum(squares - expected)) / response if response > 0 else np.nan
        shares.append(BalanceShare(share, p))
    return shares
