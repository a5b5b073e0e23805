"""Scorer for specificity on held-out perturbations, and the rows of the table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .._core.arrays import FloatArray, IntArray
from .._core.ceilings import Truth
from .._core.confounding import NO_RESPONSE
from .._core.mismatch import Mismatch, mismatch, only_drift, permutations
from .._core.noise import response_known
from .._core.resampling import MIN_PERTURBATIONS, TOO_FEW
from .._core.shapley import NO_AXIS
from .._core.specific_skill import off_axis, specific_skill
from .._core.specificity import (
    ERRORS,
    METRICS,
    HeldOutData,
    axes_agree,
    axis_only,
    ceiling_matrix,
    half_scores,
    observed_off_share,
    off_share,
    own_scores,
    score_matrix,
)
from .._keys import OBSERVED
from .._models._base import CONSTANT
from .._moments import Screen
from ._compared import HeldOut, Training, predicts_one_constant
from ._reference import score_genes

SKILLS = {"skill": "specific_skill", "slope": "specific_slope", "fitted": "specific_fitted"}
OFF_SHARE = "off_share"
NO_EFFECT = "no predicted effect"


@dataclass
class SpecificityScorer:
    """Data for scoring all models with the same perturbations and permutations.

    ``a2`` is one over the effective number of genes of the noise, ``known`` whether there is a response above the noise.
    """

    data: HeldOutData
    genes: IntArray
    rows: IntArray
    several_fits: bool
    permuted: IntArray
    a2: float
    known: bool

    @property
    def n(self) -> int:
        return len(self.rows)

    @property
    def few_note(self) -> str:
        return f"only {self.n} perturbations: no interval, no ranking" if self.n < MIN_PERTURBATIONS else ""

    @cached_property
    def ceilings(self) -> dict[str, Mismatch]:
        return {metric: self._compare(metric, ceiling_matrix(metric, self.data)) for metric in METRICS}

    @cached_property
    def axis_scores(self) -> dict[str, float]:
        """Return the scores of a prediction with the shared axis only; NaN if the axis differs between halves."""
        agree = self.n > 0 and axes_agree(self.data.axes, NO_AXIS).all()
        predicted = axis_only(self.data)
        return {
            m: float(half_scores(m, predicted, self.data).mean()) if agree and m != "off_axis" else np.nan
            for m in METRICS
        }

    @cached_property
    def observed_off(self) -> float:
        return observed_off_share(self.data) if self.known else np.nan

    def _compare(self, metric: str, matrix: FloatArray) -> Mismatch:
        return mismatch(matrix, self.data.truth.groups, self.permuted, error=metric in ERRORS)

    def observed_rows(self) -> list[dict[str, object]]:
        """Return the rows of the observed data."""
        rows = []
        for metric in METRICS:
            row = self._row(OBSERVED, metric, self.ceilings[metric])
            repeats = half_scores(metric, (self.data.half[1], self.data.half[0]), self.data)
            rows.append({**row, "score_half": float(repeats.mean())})
        return [*rows, self._off_row(OBSERVED, self.observed_off, "" if self.known else NO_RESPONSE)]

    def model_rows(self, name: str, table: FloatArray, *, known_constant: bool) -> list[dict[str, object]]:
        """Return the rows of a model from its predictions for all perturbations and genes of the screen."""
        predictions = table[self.rows][:, self.genes]
        constant = predicts_one_constant(name, predictions, self.data.fit, (name,) if known_constant else ())
        constant |= self.several_fits and only_drift(predictions, self.data.mean)
        rows = self._skill_rows(name, predictions, constant=constant)
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
        off = off_share(predictions, self.data)
        return [*rows, self._off_row(name, off, "" if np.isfinite(off) else NO_EFFECT)]

    def _skill_rows(self, name: str, predictions: FloatArray, *, constant: bool) -> list[dict[str, object]]:
        data = self.data
        parts = off_axis(predictions, data.observed, data.control, data.mean, data.noise)
        # One prediction for all differs between fits by their training data alone.
        result = specific_skill(replace(parts, nothing=np.inf) if constant else parts, self.a2)
        rows: list[dict[str, object]] = []
        for field, metric in SKILLS.items():
            estimate = getattr(result, field)
            rows.append(
                {
                    "model": name,
                    "metric": metric,
                    "n": self.n,
                    "category": result.category if field == "skill" else "",
                    "score": estimate.estimate,
                    "ci_low": estimate.low,
                    "ci_high": estimate.high,
                    "ceiling": np.nan if field == "slope" else 1.0,
                    "note": self._note(CONSTANT if constant else "" if estimate.reason == TOO_FEW else estimate.reason),
                }
            )
        return rows

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
            "note": self._note(note),
        }

    def _off_row(self, name: str, share: float, note: str) -> dict[str, object]:
        row: dict[str, object] = {"model": name, "metric": OFF_SHARE, "n": self.n, "score": share}
        return {**row, "ceiling": self.observed_off, "note": self._note(note)}

    def _note(self, *parts: str) -> str:
        return "; ".join(part for part in (*parts, self.few_note) if part)


def make_scorer(
    screen: Screen, held_out: HeldOut, n_top_genes: int, n_perm: int, rng: np.random.Generator
) -> SpecificityScorer:
    """Return the scorer for some held-out perturbations of a screen."""
    m = screen.merged.moments
    genes = score_genes(screen, n_top_genes)
    has_halves = np.asarray(np.isfinite(m.half[:, held_out.rows]).all(axis=(0, 2)), dtype=np.bool_)
    rows, trained, fit = held_out.rows[has_halves], held_out.training, held_out.training.fit[has_halves]
    truth = Truth.of(
        m,
        rows,
        genes,
        screen.noise_shape,
        centroid=held_out.means[:, genes][fit],
        centroid_weights=trained.mean(trained.screen.moments.weights)[has_halves],
        centroid_noise=_noise_of_means(trained, genes)[fit],
        groups=held_out.groups[has_halves],
        target_columns=np.zeros(len(genes), dtype=np.bool_),
    )
    data = HeldOutData(
        truth=truth,
        half=m.half[:, rows][:, :, genes],
        control_half=m.half[:, m.reference][:, genes],
        axes=_half_effects(trained, genes),
        fit=fit,
    )
    return SpecificityScorer(
        data=data,
        genes=genes,
        rows=rows,
        several_fits=held_out.several_fits,
        permuted=permutations(truth.groups, n_perm, rng),
        a2=screen.noise_shape.a2_raised,
        known=response_known(m, rows, screen.noise_shape),
    )


def _noise_of_means(trained: Training, genes: IntArray) -> FloatArray:
    """Return the sampling variance of the training mean of each fit, due to its own cells, summed over genes."""
    m = trained.screen.moments
    var = np.where(np.isfinite(m.var[:, genes]), m.var[:, genes], m.pooled_var[genes])
    own = var.sum(axis=1) / np.maximum(m.n, 1)
    return np.array([own[rows].sum() / len(rows) ** 2 for rows in trained.rows])


def _half_effects(trained: Training, genes: IntArray) -> FloatArray:
    """Return the mean effects of the training perturbations of each fit in both halves (2, F, G)."""
    m = trained.screen.moments
    axes = np.zeros((2, len(trained.rows), len(genes)))
    for f, rows in enumerate(trained.rows):
        both = rows[(m.n_half[:, rows] > 0).all(axis=0)]
        if len(both):
            axes[:, f] = (m.half[:, both].mean(axis=1) - m.half[:, m.reference])[:, genes]
    return axes
