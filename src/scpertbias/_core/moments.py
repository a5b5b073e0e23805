"""Moments of a screen, from which all fits and statistics are computed.

Rows are groups of cells (perturbation × split). Everything after the pass over the cells is arithmetic on these.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.cell_columns import DEPTH, Covariates, Levels, Quality


@dataclass(frozen=True)
class Moments:
    """Moments of R rows on G genes, in S batches.

    ``counts`` (2, R, S) cells by half and batch. ``mean`` (R, G): the control mean plus the effect, which is the raw mean
    less the control means of the row's own batches. ``half`` (2, R, G): the mean of the control half plus the effect in
    that half, less the *control half's* means of the row's own batches (NaN where empty), so that the two halves share
    no cell. ``var`` (R, G): unbiased variance of cells within batches (NaN under two cells). ``control_half`` (2, S, G)
    means and ``control_var`` (S, G) variance of the control by batch. ``blocks`` (K, G): means of the control blocks
    about the mean of their half and batch (the first K/2 are control half 1), ``n_blocks`` (K, S) their cells.
    ``reference`` is the row of the control. ``levels`` and ``quality`` are what is kept of columns of ``obs`` and of depth
    and MT %, None where nothing is. ``guide_half`` (2, R, G) are as ``half``, of either half of a row's
    guides, with ``n_guide_half`` (2, R) cells, None without guides. ``value_sums`` (2, R, G) are the sums of the cells'
    values and of their squares before covariates were regressed, None where ``mean`` and ``var`` are of those values.
    """

    counts: FloatArray
    mean: FloatArray
    var: FloatArray
    half: FloatArray
    control_half: FloatArray
    control_var: FloatArray
    blocks: FloatArray
    n_blocks: FloatArray
    reference: int
    covariates: Covariates | None = None
    levels: Levels | None = None
    quality: Quality | None = None
    value_sums: FloatArray | None = None
    guide_half: FloatArray | None = None
    n_guide_half: FloatArray | None = None
    known: dict[str, bool] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Facts about all values, such as whether any is negative, which are computed only once."""

    @cached_property
    def n(self) -> FloatArray:
        """Cells of each row (R,)."""
        n: FloatArray = self.counts.sum(axis=(0, 2))
        return n

    @cached_property
    def n_half(self) -> FloatArray:
        """Cells of each half of a row (2, R)."""
        n_half: FloatArray = self.counts.sum(axis=2)
        return n_half

    @cached_property
    def weights(self) -> FloatArray:
        """Share of each batch in the cells of a row (R, S); NaN without cells."""
        return shares(self.counts.sum(axis=0))

    @cached_property
    def half_weights(self) -> FloatArray:
        """Share of each batch in the cells of a half (2, R, S); NaN without cells."""
        return np.stack([shares(counts) for counts in self.counts])

    @cached_property
    def n_control(self) -> FloatArray:
        """Control cells of each batch (S,)."""
        n_control: FloatArray = self.counts[:, self.reference].sum(axis=0)
        return n_control

    @cached_property
    def control_batch(self) -> FloatArray:
        """Control mean of each batch (S, G); 0 where a batch has none."""
        return control_by_batch(self.control_half, self.counts[:, self.reference])

    @property
    def raw_mean(self) -> FloatArray:
        """Mean of the cells of each row, batches included (R, G)."""
        raw: FloatArray = self.mean + self.weights @ (self.control_batch - self.control)
        return raw

    @property
    def raw_var(self) -> FloatArray:
        """Unbiased variance of the cells of each row about their raw mean, batches included (R, G)."""
        raw: FloatArray = self.var + _between(
            self.counts.sum(axis=0), self.control_batch, self.control_var, self.n_control
        )
        return raw

    @property
    def noise(self) -> FloatArray:
        """Sampling variance of each effect, the control's included (R, G)."""
        return self.noise_of(np.arange(len(self.n)))

    def noise_of(self, rows: IntArray) -> FloatArray:
        """Sampling variance of the effects of some rows, the control's included (P, G)."""
        noise: FloatArray = self.var[rows]
        noise /= np.where(self.n > 0, self.n, np.nan)[rows, None]
        noise += self.weights[rows] ** 2 @ _per_cell(self.control_var, self.n_control)
        return noise

    @property
    def depth_slopes(self) -> FloatArray | None:
        """Slopes of the genes on log depth within each control half (2, G), None where no depth is known."""
        return None if self.quality is None else self.quality.slopes_on(DEPTH)

    @property
    def control(self) -> FloatArray:
        """Mean of the control cells (G,)."""
        control: FloatArray = self.mean[self.reference]
        return control

    @property
    def pooled_var(self) -> FloatArray:
        """Pooled variance within rows and batches of the control (G,): Σ(n−1)s² / Σ(n−1)."""
        freedom = np.maximum(self.n - 1, 0)
        freedom[self.reference] = 0
        of_control = np.maximum(self.n_control - 1, 0)
        total = freedom.sum() + of_control.sum()
        if total == 0:
            return np.full(self.mean.shape[1], np.nan)
        known = bool(np.isfinite(self.var[freedom == 0]).all())  # nearly always: no copy then
        pooled: FloatArray = freedom @ (self.var if known else np.where(freedom[:, None] > 0, self.var, 0.0))
        pooled += of_control @ np.where(of_control[:, None] > 0, self.control_var, 0.0)
        pooled /= total
        return pooled

    def genes(self, keep: BoolArray | IntArray | slice) -> Moments:
        """Keep some genes."""
        covariates = self.covariates
        if covariates is not None:
            cross, control_cross = last_axis(covariates.cross, keep), last_axis(covariates.control_cross, keep)
            covariates = replace(covariates, cross=cross, control_cross=control_cross)
        return replace(
            self,
            mean=last_axis(self.mean, keep),
            var=last_axis(self.var, keep),
            half=last_axis(self.half, keep),
            control_half=last_axis(self.control_half, keep),
            control_var=last_axis(self.control_var, keep),
            blocks=last_axis(self.blocks, keep),
            levels=None if self.levels is None else self.levels.genes(keep),
            quality=None if self.quality is None else self.quality.genes(keep),
            covariates=covariates,
            value_sums=None if self.value_sums is None else last_axis(self.value_sums, keep),
            guide_half=None if self.guide_half is None else last_axis(self.guide_half, keep),
        )

    def merge(self, codes: IntArray, n_rows: int) -> Moments:
        """Sum rows with the same code (the splits of one perturbation); the order is that of the codes."""
        if np.array_equal(codes, np.arange(n_rows)):
            return replace(self, covariates=None)
        weight = csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(n_rows, len(codes)))
        counts = np.stack([weight @ part for part in self.counts])
        # Effects are linear in the cells, and so are those of halves: each is a mean weighted by its cells.
        raw_mean, raw_var = self.raw_mean, self.raw_var
        n, mean = _weighted(weight, self.n, self.mean)
        _, raw = _weighted(weight, self.n, raw_mean)
        within = weight @ np.nan_to_num(raw_var * np.maximum(self.n - 1, 0)[:, None])
        between = weight @ (self.n[:, None] * np.nan_to_num(raw_mean - raw[codes]) ** 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            var = np.where(n[:, None] > 1, (within + between) / (n[:, None] - 1), np.nan)
        halves = [_weighted(weight, self.n_half[a], self.half[a])[1] for a in (0, 1)]
        guide_half = n_guide_half = None
        if self.guide_half is not None and self.n_guide_half is not None:
            guides = [_weighted(weight, self.n_guide_half[a], self.guide_half[a]) for a in (0, 1)]
            n_guide_half, guide_half = (np.stack(parts) for parts in zip(*guides, strict=True))
        return replace(
            self,
            counts=counts,
            guide_half=guide_half,
            n_guide_half=n_guide_half,
            mean=mean,
            var=within_batches(var, counts.sum(axis=0), self.control_batch, self.control_var, self.n_control),
            half=np.stack(halves),
            reference=int(codes[self.reference]),
            covariates=None,
            levels=None if self.levels is None else self.levels.merge(weight),
            quality=None if self.quality is None else self.quality.merge(weight, self.n),
            value_sums=None if self.value_sums is None else np.stack([weight @ part for part in self.value_sums]),
        )


def last_axis(values: FloatArray, keep: BoolArray | IntArray | slice) -> FloatArray:
    """Keep some entries of the last axis; what is copied stays in the order of rows, which an index would turn."""
    if isinstance(keep, slice):
        return values[..., keep]
    some: FloatArray = np.take(values, np.flatnonzero(keep) if keep.dtype == np.bool_ else keep, axis=-1)
    return some


def control_by_batch(control_half: FloatArray, n_control: FloatArray) -> FloatArray:
    """Control mean of each batch (S, G) from those of the halves (2, S, G) and their cells (2, S); 0 without any."""
    # Σ_a n^a_0b c^a_b, over the halves of the control (S, G)
    totals = np.einsum("as,asg->sg", n_control, np.nan_to_num(control_half))
    by_batch: FloatArray = totals / np.maximum(n_control.sum(axis=0), 1)[:, None]
    return by_batch


def center(
    raw: FloatArray, raw_half: FloatArray, counts: FloatArray, control_half: FloatArray, reference: int
) -> dict[str, FloatArray]:
    """Center means (R, G) and half means (2, R, G) by the control of each row's batches, halves by their own half."""
    n_control = counts[:, reference]
    by_batch = control_by_batch(control_half, n_control)
    in_control = n_control.sum(axis=0) / n_control.sum()
    half = np.empty_like(raw_half)
    for a in (0, 1):
        own = np.nan_to_num(control_half[a])
        half[a] = raw_half[a] - shares(counts[a]) @ (own - in_control @ own)
    return {"mean": raw - shares(counts.sum(axis=0)) @ (by_batch - in_control @ by_batch), "half": half}


def within_batches(
    raw_var: FloatArray, counts: FloatArray, control_batch: FloatArray, control_var: FloatArray, n_control: FloatArray
) -> FloatArray:
    """Variance of cells within batches (R, G) from the unbiased one about the raw mean of each row (R, G).

    ``counts`` (R, S) are the cells by row and batch; ``control_batch`` and ``control_var`` (S, G) are mean and variance of
    the control by batch, of ``n_control`` (S,) cells.
    """
    if counts.shape[1] == 1:
        return raw_var
    return raw_var - _between(counts, control_batch, control_var, n_control)


def _between(
    counts: FloatArray, control_batch: FloatArray, control_var: FloatArray, n_control: FloatArray
) -> FloatArray:
    """Part of the raw variance that lies between the batches of a row, without the noise of their control means."""
    n, w = counts.sum(axis=1), shares(counts)
    about = control_batch - control_batch.mean(axis=0)  # any origin gives the same, a near one keeps the digits
    # Σ_b w_b c_b² − (Σ_b w_b c_b)² − Σ_b w_b (1 − w_b) s²_0b / n_0b (R, G)
    squares = w @ about**2 - (w @ about) ** 2 - (w * (1 - w)) @ _per_cell(control_var, n_control)
    with np.errstate(invalid="ignore", divide="ignore"):
        between: FloatArray = squares * np.where(n > 1, n / (n - 1), np.nan)[:, None]
    return between


def _per_cell(control_var: FloatArray, n_control: FloatArray) -> FloatArray:
    """Sampling variance of the control mean of each batch (S, G); 0 where a batch has no control."""
    return np.nan_to_num(control_var) / np.maximum(n_control, 1)[:, None]


def shares(counts: FloatArray) -> FloatArray:
    """Shares of the columns in each row; NaN in a row without cells."""
    totals = counts.sum(axis=1, keepdims=True)
    return counts / np.where(totals > 0, totals, np.nan)


def _weighted(weight: csr_array, n: FloatArray, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cells and mean of merged rows; a row without cells is NaN."""
    total = weight @ n
    with np.errstate(invalid="ignore", divide="ignore"):
        return total, (weight @ (n[:, None] * np.where(n[:, None] > 0, mean, 0.0))) / total[:, None]


def standardize(moments: Moments, *, center: FloatArray, scale: FloatArray) -> Moments:
    """Apply (x − center) / scale to every moment, gene by gene."""
    return replace(
        moments,
        mean=(moments.mean - center) / scale,
        var=moments.var / scale**2,
        half=(moments.half - center) / scale,
        control_half=(moments.control_half - center) / scale,
        control_var=moments.control_var / scale**2,
        blocks=moments.blocks / scale,
        guide_half=None if moments.guide_half is None else (moments.guide_half - center) / scale,
        covariates=None,
        levels=None,
        quality=None if moments.quality is None else moments.quality.scale(scale),
    )


def total_mean_var(moments: Moments, rows: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Mean and population variance (divided by n) over all cells of some rows."""
    n, x = moments.n[rows], moments.mean[rows]
    middle = n @ x / n.sum()
    within = np.maximum(n - 1, 0) @ np.nan_to_num(moments.var[rows])
    return middle, (within + n @ (x - middle) ** 2) / n.sum()
