"""The response of a screen: effects of its perturbations, their energy without noise, and whether there is any."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.control_variance import ControlBlocks
from scpertbias._core.moments import Moments
from scpertbias._core.noise import SURE, NoiseParts, NoiseShape, noise_parts, null_error
from scpertbias._core.resampling import effective_number


@dataclass(frozen=True)
class Response:
    """Effects of P perturbations on G genes, and their noise.

    ``effect`` (P, G) and ``half`` (2, P, G) are the effects in all cells and in the halves, ``gene_energy`` (P, G) are the
    squared effects without noise, which may be negative, and ``parts`` is the noise summed over genes. ``n_half`` (2, P) are the cells of the halves and
    ``half_weights`` (2, P, S) the shares of the batches in them. ``vector`` (P,) is the noise vector in ``shape`` that is
    of the same cells as an effect, −1 for none. ``blocks`` are those of the control.
    """

    effect: FloatArray
    half: FloatArray
    gene_energy: FloatArray
    parts: NoiseParts
    n_half: FloatArray
    half_weights: FloatArray
    vector: IntArray
    shape: NoiseShape
    blocks: ControlBlocks

    @classmethod
    def of(cls, moments: Moments, rows: IntArray, shape: NoiseShape) -> Response:
        """Return the effects of some rows of the moments, which need cells in both halves."""
        place = np.full(len(moments.n), -1)
        place[shape.row[shape.row >= 0]] = np.flatnonzero(shape.row >= 0)
        effect, half = moments.mean[rows], moments.half[:, rows]
        effect -= moments.control
        half -= moments.half[:, [moments.reference]]
        gene_energy = effect**2
        gene_energy -= moments.noise_of(rows)
        return cls(
            effect=effect,
            half=half,
            gene_energy=gene_energy,
            parts=noise_parts(moments, rows),
            n_half=moments.n_half[:, rows],
            half_weights=moments.half_weights[:, rows],
            vector=place[rows],
            shape=shape,
            blocks=ControlBlocks.of(moments),
        )

    @cached_property
    def energy(self) -> FloatArray:
        """Squared effect of each perturbation without noise (P,); may be negative."""
        # |Δ_p|² − N_p (P,)
        energy: FloatArray = np.einsum("pg,pg->p", self.effect, self.effect) - self.parts.total
        return energy

    @property
    def n_effective(self) -> float:
        """Number of perturbations, all alike, that would account for the response."""
        return effective_number(self.energy)

    @cached_property
    def known(self) -> bool:
        """Whether the summed squared effect is more than noise."""
        return self.is_known(np.ones(len(self.energy), dtype=np.bool_))

    def is_known(self, keep: BoolArray) -> bool:
        """Whether the summed squared effect of some perturbations is at least ``SURE`` standard errors above 0."""
        if not keep.any():
            return False
        parts = self.parts
        some = NoiseParts(parts.own[keep], parts.control, parts.weights[keep], parts.n[keep], parts.n_control)
        return float(self.energy[keep].sum()) >= SURE * null_error(some, self.shape.a2_raised)
