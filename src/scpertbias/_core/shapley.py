"""Overlap of directions: squared effects on their joint span, and the contribution of each direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np

from scpertbias._core.arrays import FloatArray

NO_AXIS = 0.1
"""A direction is measurable only if the estimates from the two halves of the cells have at least this cosine."""
ROUNDING = 1e-7
"""If less than this share of the length of a direction remains after others are removed, the rest is rounding error."""


@dataclass(frozen=True)
class Basis:
    """J directions with two half estimates, by their products: with each other and with the effects.

    ``cross`` (J, J) products of the first with the second estimates, ``within`` those of the first (second) with
    themselves, ``energy`` (J, J) Σ_p (D1_p·u2_i)(D2_p·u1_j).
    """

    cross: FloatArray
    within: tuple[FloatArray, FloatArray]
    energy: FloatArray

    @classmethod
    def of(cls, half: FloatArray, axes_1: FloatArray, axes_2: FloatArray) -> Basis:
        """Compute the products of effects in two halves (2, P, G) with the directions (J, G)."""
        # Σ_p (D1_p·u2_i)(D2_p·u1_j) (J, J)
        energy = (half[0] @ axes_2.T).T @ (half[1] @ axes_1.T)
        # u1_i·u2_j, u1_i·u1_j and u2_i·u2_j (J, J)
        return cls(axes_1 @ axes_2.T, (axes_1 @ axes_1.T, axes_2 @ axes_2.T), energy)

    def on(self, subset: Sequence[int]) -> float:
        """Energy on the joint span of some directions, D1ᵀB²(B¹ᵀB²)⁻¹B¹ᵀD².

        They are taken one by one; one whose remainder, given the others, differs between halves adds nothing.
        """
        taken: list[int] = []
        for j in subset:
            if self._remainder(j, taken) >= NO_AXIS:
                taken.append(j)
        if not taken:
            return 0.0
        chosen = np.ix_(taken, taken)
        # Σ_ij (C⁻¹)_ij E_ij over the directions taken: C their own products, E those with the effects
        return float(np.sum(np.linalg.inv(self.cross[chosen]) * self.energy[chosen]))

    def _remainder(self, j: int, taken: Sequence[int]) -> float:
        """Cosine of the two estimates of a direction after those taken."""
        first, second = np.zeros(len(self.cross)), np.zeros(len(self.cross))
        first[j] = second[j] = 1.0
        if taken:
            inner = self.cross[np.ix_(taken, taken)]
            # Coefficients that leave u1_j without product with the second estimates of those taken
            first[list(taken)] = -np.linalg.solve(inner.T, self.cross[j, taken])
            # Coefficients that leave u2_j without product with the first estimates of those taken
            second[list(taken)] = -np.linalg.solve(inner, self.cross[taken, j])
        # Squared norm of what is left of u1_j, times that of u2_j
        size = float(first @ self.within[0] @ first) * float(second @ self.within[1] @ second)
        whole = float(self.within[0][j, j] * self.within[1][j, j])
        # Product of what is left of u1_j and of u2_j, over their norms
        return float(first @ self.cross @ second) / np.sqrt(size) if size > ROUNDING**4 * whole else 0.0


def shapley(parts: Sequence[Basis], n: int) -> FloatArray:
    """Mean gain of each of n directions over all orders, exact; energies are summed over the parts."""
    value = {s: sum(part.on(s) for part in parts) for k in range(n + 1) for s in combinations(range(n), k)}
    gains = np.zeros(n)
    for j in range(n):
        for subset in value:
            if j not in subset:
                k = len(subset)
                weight = factorial(k) * factorial(n - k - 1) / factorial(n)
                gains[j] += weight * (value[tuple(sorted((*subset, j)))] - value[subset])
    return gains
