"""Variance of a statistic due to the sampling of control cells, which all effects have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import FloatArray, IntArray
from scpertbias._core.moments import Moments
from scpertbias._core.noise import block_freedom


@dataclass(frozen=True)
class ControlBlocks:
    """Blocks of control cells in each half.

    ``means`` (2, K/2, G) are those of the blocks about the mean of their half and batches, ``scale`` (2, K/2, S) is what
    the square of each counts in the variance of the control mean of each batch; it is NaN where the blocks are too few.
    """

    means: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, moments: Moments, genes: IntArray | None = None) -> ControlBlocks:
        """Return the control blocks of the moments, on some genes or all."""
        half_of_blocks = len(moments.n_blocks) // 2
        cells = moments.n_blocks.sum(axis=1).reshape(2, half_of_blocks)
        in_half = moments.counts[:, moments.reference]
        per_cell = np.divide(1.0, in_half, out=np.zeros_like(in_half), where=in_half > 0)
        freedom = block_freedom(moments)
        per_cell = per_cell / np.where(freedom > 1e-9, freedom, np.nan)[:, None]
        blocks = moments.blocks if genes is None else np.take(moments.blocks, genes, axis=1)
        return cls(blocks.reshape(2, half_of_blocks, blocks.shape[1]), cells[:, :, None] * per_cell[:, None])

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """Draw differences between control means of two samples, for each half and batch (2, S, G)."""
        normal = rng.standard_normal(self.scale.shape)
        # Σ_k g_kab √(n_k / (n^a_0b d_a)) β_k, by half and batch (2, S, G)
        drawn: FloatArray = np.einsum("aks,akg->asg", normal * np.sqrt(self.scale), self.means)
        return drawn

    def variance(self, gradient: FloatArray) -> float:
        """Variance of a statistic from its derivatives by the control means of each half and batch (2, S, G)."""
        # β_k · V^a_b, each block along the derivatives of its half (2, K/2, S)
        return self.variance_along(np.einsum("akg,asg->aks", self.means, gradient))

    def variance_along(self, products: FloatArray) -> float:
        """Variance of a statistic from the products of the blocks with its derivatives (2, K/2, S)."""
        return float(np.sum(self.scale * products**2)) if self.scale.size else float("nan")
