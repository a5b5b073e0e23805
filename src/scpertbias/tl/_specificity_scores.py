"""Held-out perturbations on which specificity is judged, the draws that models share, and the rows of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._core.arrays import FloatArray, IntArray
from .._core.axes import Effects, Resamples, half_effects, is_known, resample
from .._core.confounding import NO_RESPONSE
from .._core.mismatch import Mismatch, mismatch, only_drift, permutations
from .._core.resampling import MIN_PERTURBATIONS
from .._core.shapley import NO_AXIS
from .._core.specificity import (
    ERRORS,
    METRICS,
    HeldOutData,
    OffShare,
    as_effects,
    axes_agree,
    axis_only,
    ceiling_matrix,
    half_scores,
    off_share,
    own_scores,
    score_matrix,
)
from .._keys import OBSERVED
from .._models._base import CONSTANT
from .._moments import Screen
from ._compared import HeldOut, predicts_one_constant
from ._reference import score_genes, truth_ceilings

OFF_SHARE = "off_share"
NO_AXIS_NOTE = "no reproducible axis"
NO_EFFECT = "no predicted effect beyond the noise of the control"


@dataclass
class SpecificityScorer:
    """What all models are scored on, and the draws that they share."""

    data: HeldOutData
    effects: Effects
    genes: IntArray
    rows: IntArray
    several_fits: bool
    permuted: IntArray
    weights: FloatArray
    resamples: Resamples | None

    @property
    def n(self) -> int:
        return len(self.data.observed)

    @property
    def few_note(self) -> str:
        return f"{self.n} perturbations: no interval, no ranking" if self.n < MIN_PERTURBATIONS else ""

    @cached_property
    def ceilings(self) -> dict[str, Mismatch]:
        return {metric: self._compare(metric, ceiling_matrix(metric, self.data)) for metric in METRICS}

    @cached_property
    def axis_scores(self) -> dict[str, float]:
        """Return the scores of the axis alone; NaN where it is not the same in both halves."""
        agree = len(self.data.axes[0]) > 0 and axes_agree(self.data.axes, NO_AXIS).all()
        predicted = axis_only(self.data)
        return {
            m: float(half_scores(m, predicted, self.data).mean()) if agree and m != "off_axis" else np.nan
            for m in METRICS
        }

    @cached_property
    def observed_off(self) -> OffShare:
        if not (self._axis_is_known and is_known(self.effects)):
            return OffShare(np.nan, np.nan, np.nan)
        return off_share(self.effects, self.data, self.resamples)

    @cached_property
    def _axis_is_known(self) -> bool:
        return bool(self.n and axes_agree(self.data.axes, NO_AXIS).all())

    def _compare(self, metric: str, matrix: FloatArray) -> Mismatch:
        return mismatch(matrix, self.data.pool, self.weights, self.permuted, error=metric in ERRORS)

    def observed_rows(self) -> list[dict[str, object]]:
        """Write the rows of the truth."""
        rows = []
        for metric in METRICS:
            row = self._row(OBSERVED, metric, self.ceilings[metric])
            repeats = half_scores(metric, (self.data.half[1], self.data.half[0]), self.data)
            rows.append({**row, "score_half": float(repeats.mean())})
        off, note = self.observed_off, "" if self._axis_is_known else NO_AXIS_NOTE
        return [*rows, self._off_row(OBSERVED, off, note or ("" if np.isfinite(off.share) else NO_RESPONSE))]

    def model_rows(self, name: str, table: FloatArray, *, known_constant: bool) -> list[dict[str, object]]:
        """Write the rows of a model from its predictions for all perturbations and genes of the screen."""
        predictions = table[self.rows][:, self.genes]
        constant = predicts_one_constant(name, predictions, self.data.fit, (name,) if known_constant else ())
        constant |= self.several_fits and only_drift(predictions, self.data.mean)
        rows = []
        for metric in METRICS:
            if constant:  # whichever perturbation it is given to
                scores = own_scores(metric, predictions, self.data)
                matrix = np.repeat(scores[:, None], self.n, axis=1)
            else:
                matrix = score_matrix(metric, predictions, self.data)
            comparison = self._compare(metric, matrix)
            if constant:
                comparison = comparison._replace(mismatched=comparison.score, gain=0.0, low=0.0, high=0.0, p=1.0)
            half = float(half_scores(metric, (predictions, predictions), self.data).mean())
            rows.append({**self._row(name, metric, comparison, CONSTANT if constant else ""), "score_half": half})
        off = OffShare(np.nan, np.nan, np.nan)
        if self._axis_is_known:
            off = off_share(as_effects(predictions, self.effects), self.data, self.resamples)
        note = NO_EFFECT if self._axis_is_known else NO_AXIS_NOTE
        return [*rows, self._off_row(name, off, "" if np.isfinite(off.share) else note)]

    def _row(self, name: str, metric: str, comparison: Mismatch, note: str = "") -> dict[str, object]:
        ceiling = self.ceilings[metric]
        return {
            "model": name,
            "metric": metric,
            "n": self.n,
            "score": comparison.score,
            "mismatched": comparison.mismatched,
            "specific_gain": comparison.gain,
            "ci_low": comparison.low,
            "ci_high": comparison.high,
            "p": comparison.p,
            "ceiling": ceiling.score,
            "ceiling_mismatched": ceiling.mismatched,
            "ceiling_gain": ceiling.gain,
            "axis_only": self.axis_scores[metric],
            "note": "; ".join(part for part in (note, self.few_note) if part),
        }

    def _off_row(self, name: str, off: OffShare, note: str) -> dict[str, object]:
        return {
            "model": name,
            "metric": OFF_SHARE,
            "n": self.n,
            "score": off.share,
            "ci_low": off.low,
            "ci_high": off.high,
            "ceiling": self.observed_off.share,
            "note": "; ".join(part for part in (note, self.few_note) if part),
        }


def make_scorer(
    screen: Screen,
    held_out: HeldOut,
    folds: Mapping[str, int] | None,
    n_top_genes: int,
    n_perm: int,
    n_boot: int,
    rng: np.random.Generator,
) -> SpecificityScorer:
    """Take from the screen what models are judged by on some held-out perturbations."""
    m = screen.merged.moments
    genes = score_genes(screen, n_top_genes)
    has_halves = np.asarray(np.isfinite(m.half[:, held_out.rows]).all(axis=(0, 2)), dtype=np.bool_)
    rows = held_out.rows[has_halves]
    fit, axes = _training_axes(screen, rows, folds, genes)
    effects = half_effects(m, rows, genes)
    pooled = m.pooled_var[genes]
    var = np.where(np.isfinite(m.var[rows][:, genes]), m.var[rows][:, genes], pooled)
    data = HeldOutData(
        observed=effects.mean,
        half=m.half[:, rows][:, :, genes],
        control=m.control[genes],
        control_half=effects.control,
        mean=held_out.mean[has_halves][:, genes],
        noise=(var / m.n[rows, None]).sum(axis=1),
        axes=axes,
        fit=fit,
        pool=held_out.groups[has_halves],
        known_ceilings=truth_ceilings(screen, rows, folds, genes),
    )
    resamples = resample(effects, n_boot, rng) if len(rows) and n_boot else None
    empty = np.zeros((0, len(rows)))
    return SpecificityScorer(
        data=data,
        effects=effects,
        genes=genes,
        rows=rows,
        several_fits=held_out.several_fits,
        permuted=permutations(data.pool, n_perm, rng),
        weights=empty if resamples is None else resamples.perturbations,
        resamples=resamples,
    )


def _training_axes(
    screen: Screen, rows: IntArray, folds: Mapping[str, int] | None, genes: IntArray
) -> tuple[IntArray, FloatArray]:
    """Return which fit predicts each row, and the mean half effects of the perturbations that it was trained on."""
    data = screen if folds is None else screen.merged
    m = data.moments
    usable = data.used & (data.perturbation > 0) & np.isfinite(m.half).all(axis=(0, 2))
    fold = np.array([-1 if folds is None else folds.get(name, -1) for name in screen.names])
    codes, fit = np.unique(fold[rows], return_inverse=True)
    axes = np.zeros((2, len(codes), len(genes)))
    for f, code in enumerate(codes):
        train = usable & (screen.split == "train") if folds is None else usable & (fold[data.perturbation] != code)
        if train.any():
            axes[:, f] = (m.half[:, train].mean(axis=1) - m.half[:, m.reference])[:, genes]
    return fit.astype(np.int64), axes
