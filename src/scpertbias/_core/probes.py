"""Probes: predictions with a single piece of information about each perturbation, computed from half of the cells.

Probes are computed from one half of the cells and scored on the other half, so that no cell is used for both. ``D`` is the
effect in the first half, ``M`` the mean effect of the training perturbations in this half.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.ceilings import row_norm
from scpertbias._core.shapley import NO_AXIS

N_TOP = 20
N_SHIFTS = 10
PROBES = {
    "no_change": "no effect",
    "mean": "the mean effect of the training perturbations",
    "mean_x0.5": "half of the mean effect of the training perturbations",
    "mean_x2": "twice the mean effect of the training perturbations",
    "axis_only": "the part of the effect along the mean effect of the training perturbations",
    "off_axis_only": "the effect without its part along the mean effect of the training perturbations",
    "depth_only": "the part of the effect along the direction of sequencing depth",
    "right_size_wrong_genes": "the values of the effect, assigned to random genes of similar expression",
    "sign_only": "the direction of change of each gene",
    "replicate_flipped": "the effect with the opposite sign",
    "replicate_x0.3": "0.3 times the effect",
    "replicate_x3": "3 times the effect",
    "spread_x0.5": "halfway between the mean effect and the effect",
    "spread_x2": "the mean effect plus twice the difference between the effect and the mean effect",
    "nearest_other": "the effect of the most similar other perturbation",
    "random_other": "the effect of a random other perturbation",
    "target_only": "the effect on the target gene",
    "top20_only": "the effect on the 20 strongest genes",
    "all_but_top20": "the effect on all but the 20 strongest genes",
    "replicate_noisier": "the effect with additional noise, as large as the sampling noise of its cells",
    "replicate": "the effect in the other half of the cells",
}
"""The information in each probe."""


@dataclass(frozen=True)
class SpeakingHalf:
    """The half of the cells that a probe knows, of P perturbations on G genes.

    ``effect`` (P, G) is against its own half of the control, ``cell_noise`` (P, G) the variance of the mean of the own
    cells, ``error`` (P, G) the standard error of the effect, NaN where too few cells carry the gene. ``weights`` (P, S)
    are the shares of the batches, ``control_noise`` (S,) is the variance of the control mean of each batch, summed over
    genes. ``mean`` (P, G) is the mean effect of the training perturbations of each, ``mean_weights`` (P, S) their mean
    shares and ``mean_noise`` (P,) the variance that it has of their own cells. ``depth`` (G,) are the slopes on log depth
    in the control, None if unknown; ``targets`` (P, G) marks the own targets; ``bins`` (G,) are of expression.
    """

    effect: FloatArray
    cell_noise: FloatArray
    error: FloatArray
    weights: FloatArray
    control_noise: FloatArray
    mean: FloatArray
    mean_weights: FloatArray
    mean_noise: FloatArray
    depth: FloatArray | None
    targets: BoolArray
    bins: IntArray

    @cached_property
    def along_mean(self) -> FloatArray:
        """How far each perturbation moves along the mean, without the noise that both share (P x 1)."""
        shared = (self.weights * self.mean_weights) @ self.control_noise
        noise = self.mean_weights**2 @ self.control_noise + self.mean_noise
        # D·M (P,)
        products = np.einsum("pg,pg->p", self.effect, self.mean) - shared
        # |M|² (P,)
        squares = np.einsum("pg,pg->p", self.mean, self.mean) - noise
        along: FloatArray = np.divide(products, squares, out=np.zeros_like(products), where=squares > 0)
        return along[:, None]

    @cached_property
    def nearest(self) -> IntArray:
        """The most similar other perturbation of each, without the noise of the control that both share."""
        shared = (self.weights * self.control_noise) @ self.weights.T
        size = row_norm(self.effect)
        sizes = np.outer(size, size)
        cosine = np.divide(self.effect @ self.effect.T - shared, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        np.fill_diagonal(cosine, -np.inf)
        return np.asarray(np.argmax(cosine, axis=1), dtype=np.int64)

    @cached_property
    def strongest(self) -> BoolArray:
        """The 20 genes of largest effect over its standard error (P x G)."""
        t = np.abs(np.divide(self.effect, self.error, out=np.full_like(self.effect, np.nan), where=self.error > 0))
        size = np.where(np.isnan(t), -1.0, t)
        marked = np.zeros(size.shape, dtype=np.bool_)
        np.put_along_axis(marked, np.argsort(-size, axis=1, kind="stable")[:, :N_TOP], values=True, axis=1)
        return marked & (size >= 0)

    def on_wrong_genes(self, rng: np.random.Generator) -> FloatArray:
        """Permute the genes of each effect within bins of expression, and give it its size without noise."""
        moved = np.empty_like(self.effect)
        for b in np.unique(self.bins):
            genes = np.flatnonzero(self.bins == b)
            moved[:, genes] = rng.permuted(self.effect[:, genes], axis=1)
        size = row_norm(self.effect)
        noise = self.cell_noise.sum(axis=1) + self.weights**2 @ self.control_noise
        true = np.sqrt(np.maximum(size**2 - noise, 0.0))
        wrong: FloatArray = moved * np.divide(true, size, out=np.zeros_like(size), where=size > 0)[:, None]
        return wrong

    def predictions(self, probe: str, rng: np.random.Generator, *, has_axis: bool) -> list[FloatArray]:
        """Return the predicted effects of a probe: one array, or several whose scores are averaged.

        Without an axis, what lies along it is NaN.
        """
        effect, mean = self.effect, self.mean
        if probe == "random_other":
            return [np.roll(effect, shift, axis=0) for shift in range(1, min(N_SHIFTS, len(effect) - 1) + 1)]
        along = self.along_mean * mean if has_axis else np.full_like(mean, np.nan)
        name, _, factor = probe.partition("_x")
        scale = float(factor) if factor else 1.0
        makers: dict[str, Callable[[], FloatArray]] = {
            "no_change": lambda: np.zeros_like(effect),
            "mean": lambda: scale * mean,
            "axis_only": lambda: along,
            "off_axis_only": lambda: effect - along,
            "depth_only": self._along_depth,
            "right_size_wrong_genes": lambda: self.on_wrong_genes(rng),
            "sign_only": lambda: np.sign(effect) * np.abs(effect).mean(axis=1, keepdims=True),
            "replicate_flipped": lambda: -effect,
            "replicate": lambda: scale * effect,
            "spread": lambda: mean + scale * (effect - mean),
            "nearest_other": lambda: effect[self.nearest],
            "target_only": lambda: np.where(self.targets, effect, 0.0),
            "top20_only": lambda: np.where(self.strongest, effect, 0.0),
            "all_but_top20": lambda: np.where(self.strongest, 0.0, effect),
            "replicate_noisier": lambda: effect + np.sqrt(self.cell_noise) * rng.standard_normal(effect.shape),
        }
        return [makers[name]()]

    def _along_depth(self) -> FloatArray:
        if self.depth is None or not (squares := float(self.depth @ self.depth)) > 0:
            return np.full_like(self.effect, np.nan)
        return np.outer(self.effect @ self.depth / squares, self.depth)


def has_axis(first: FloatArray, second: FloatArray) -> bool:
    """Whether the summed effects of two halves (P x G) agree in their direction."""
    x, y = first.sum(axis=0), second.sum(axis=0)
    return bool(x @ y >= NO_AXIS * np.sqrt((x @ x) * (y @ y)) > 0)
