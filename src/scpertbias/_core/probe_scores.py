"""What each probe scores by each metric, scaled between the mean baseline and the matched truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from scpertbias._core import metrics as registry
from scpertbias._core.any_metric import MetricFunction
from scpertbias._core.arrays import BoolArray, FloatArray
from scpertbias._core.ceilings import Truth, row_norm
from scpertbias._core.confounding import NO_RESPONSE
from scpertbias._core.de import DE_SCORES, ObservedChanges, de_scores
from scpertbias._core.metrics import TIE_TOLERANCE
from scpertbias._core.probes import PROBES, SpeakingHalf
from scpertbias._core.resampling import CONFIDENCE, MIN_PERTURBATIONS, NO_ROOM, jackknifed, linear_bounds
from scpertbias._core.z_scores import scaled

MSE, COSINE = "mse", "pds_cosine"
DEFAULT = (MSE, "mae", "pearson_delta", "pearson_delta_perturbed", "discrimination", COSINE, *DE_SCORES)
"""Metrics with which probes are scored. Of errors that differ only by a power or a factor, one is used."""
# A probe and what it is judged by share no noise, so scores without shared noise are the plain ones.
METRICS = {name: metric for name, metric in registry.METRICS.items() if not metric.unshared}
KNOWN = (*DEFAULT, *(name for name in METRICS if name not in DEFAULT))
RANKS = ("discrimination", COSINE)
CHANCE = 0.5
LOWER = (MSE, "de_nmae", *(name for name, metric in METRICS.items() if not metric.higher_is_better))


@dataclass(frozen=True)
class JudgedHalf:
    """What predicted effects are compared with: observed effects (P x G) against a control (G), and their errors.

    ``error`` is NaN where too few cells carry the gene, ``mean`` (P, G) is the mean effect that the perturbed Pearson
    correlation is about, ``target_columns`` (G,) are the targets of any perturbation and ``targets`` (P, G) the own ones.
    """

    effect: FloatArray
    control: FloatArray
    error: FloatArray
    mean: FloatArray
    targets: BoolArray
    target_columns: BoolArray
    truth: Truth = field(init=False)
    changes: ObservedChanges = field(init=False)

    def __post_init__(self) -> None:
        """Put the observed effects in the form that metrics take."""
        rows = len(self.effect)
        one = np.ones((rows, 1))
        truth = Truth(
            observed=self.control + self.effect,
            var=np.zeros_like(self.effect),
            n_cells=one[:, 0],
            weights=one,
            control=self.control,
            control_var=np.zeros((1, len(self.control))),
            n_control=np.ones(1),
            centroid=self.control + self.mean,
            centroid_weights=one,
            centroid_noise=np.zeros(rows),
            groups=np.zeros(rows, dtype=np.int64),
            target_columns=self.target_columns,
            z=scaled(self.effect, self.error),
            centered_share=1.0,
            a2=0.0,
            centered_a2=0.0,
        )
        object.__setattr__(self, "truth", truth)
        object.__setattr__(self, "changes", ObservedChanges.of(self.effect, self.error, self.targets))

    def scores(
        self, predicted: FloatArray, metrics: Sequence[str], functions: Mapping[str, MetricFunction]
    ) -> dict[str, FloatArray]:
        """Score predicted effects (P x G) by each metric and each function."""
        out: dict[str, FloatArray] = {}
        of_genes = de_scores([predicted], [self.changes]) if set(metrics) & set(DE_SCORES) else {}
        for name in metrics:
            if name in METRICS:
                score = cast("Callable[[FloatArray, Truth], FloatArray]", METRICS[name].function)
                out[name] = score(self.control + predicted, self.truth)
            elif name in of_genes:
                out[name] = of_genes[name]
            elif name == MSE:
                out[name] = ((predicted - self.effect) ** 2).mean(axis=1)
            else:
                out[name] = self._cosine_rank(predicted)
        known = np.isfinite(predicted).all(axis=1)
        for name, function in functions.items():
            out[name] = np.full(len(predicted), np.nan)
            if known.any():
                control = self.control
                out[name][known] = function(control + predicted[known], control + self.effect[known], control)
        return out

    def _cosine_rank(self, predicted: FloatArray) -> FloatArray:
        """Share of the other effects that are less similar to the prediction than the own one, ties half."""
        x, y = (values[:, ~self.target_columns] for values in (predicted, self.effect))
        x, y = (
            np.divide(v, s, out=np.zeros_like(v), where=s > 0) for v, s in ((v, row_norm(v)[:, None]) for v in (x, y))
        )
        above = np.diagonal(cosine := x @ y.T)[:, None] - cosine
        n_tied = np.count_nonzero(np.abs(above) <= TIE_TOLERANCE, axis=1) - 1
        share = (np.count_nonzero(above > TIE_TOLERANCE, axis=1) + 0.5 * n_tied) / max(len(x) - 1, 1)
        return np.where(np.isfinite(predicted).all(axis=1), share, np.nan)


@dataclass(frozen=True)
class ProbeData:
    """Both halves of the cells in both roles, and the effect without noise that stands for the truth.

    ``speaking`` are the halves as probes know them, ``judging`` as they are compared with; each is judged by the other.
    ``matched`` (P, G) is the observed effect at its size without noise, ``errors`` (P, G) are of the size that half of the
    cells have. ``axis`` says whether there is a mean effect to move along, ``known`` whether perturbations respond.
    """

    speaking: tuple[SpeakingHalf, SpeakingHalf]
    judging: tuple[JudgedHalf, JudgedHalf]
    matched: FloatArray
    errors: FloatArray
    axis: bool
    known: bool

    def predictions(self, probe: str, rng: np.random.Generator) -> Iterator[tuple[JudgedHalf, FloatArray]]:
        """Yield what a probe predicts, and the half that judges it."""
        for speaking, judging in zip(self.speaking, reversed(self.judging), strict=True):
            for predicted in speaking.predictions(probe, rng, has_axis=self.axis):
                yield judging, predicted

    def truths(self) -> Iterator[tuple[JudgedHalf, FloatArray]]:
        """Yield the matched truth, and what it is observed as with errors of either sign."""
        for sign, judging in zip((1.0, -1.0), self.judging, strict=True):
            observed = JudgedHalf(
                effect=self.matched + sign * self.errors,
                control=judging.control,
                error=judging.error,
                mean=judging.mean,
                targets=judging.targets,
                target_columns=judging.target_columns,
            )
            yield observed, self.matched


@dataclass(frozen=True)
class ProbeEstimate:
    """Mean score of a probe, of the baseline and of the matched truth, and the scaled score with its interval."""

    probe: str
    metric: str
    n: int
    score: float
    baseline: float
    truth: float
    scaled: float = np.nan
    low: float = np.nan
    high: float = np.nan
    reason: str = ""


def score_probes(
    data: ProbeData,
    metrics: Sequence[str],
    functions: Mapping[str, MetricFunction],
    *,
    n_boot: int,
    rng: np.random.Generator,
) -> list[ProbeEstimate]:
    """Score every probe by every metric and function."""
    seed = int(rng.integers(2**63))
    by_probe = {p: _averaged(data.predictions(p, np.random.default_rng(seed)), metrics, functions) for p in PROBES}
    truth = _averaged(data.truths(), metrics, functions)
    estimates = []
    resamples = _Resamples(n_boot, seed)
    for metric in (*metrics, *functions):
        baseline = by_probe["mean"][metric]
        if metric in RANKS:
            baseline = np.where(np.isfinite(baseline), CHANCE, np.nan)
        sign = 0.0 if metric in functions else -1.0 if metric in LOWER else 1.0
        for probe, scores in by_probe.items():
            parts = np.stack([scores[metric], baseline, truth[metric]])
            estimate = _estimate(parts, sign, resamples, known=data.known)
            estimates.append(ProbeEstimate(probe, metric, *estimate))
    return estimates


@dataclass(frozen=True)
class _Resamples:
    """How often each of n perturbations is in each resample, drawn once for every n."""

    n_boot: int
    seed: int
    counts: dict[int, FloatArray] = field(default_factory=dict)

    def of(self, n: int) -> FloatArray:
        """Return resamples of n perturbations (n_boot x n)."""
        if n not in self.counts:
            drawn = np.random.default_rng(self.seed).multinomial(n, np.full(n, 1 / n), size=self.n_boot)
            self.counts[n] = drawn.astype(np.float64)
        return self.counts[n]


def _averaged(
    judged: Iterator[tuple[JudgedHalf, FloatArray]], metrics: Sequence[str], functions: Mapping[str, MetricFunction]
) -> dict[str, FloatArray]:
    """Average the scores of several predictions, over those that have one."""
    parts = [half.scores(predicted, metrics, functions) for half, predicted in judged]
    out = {}
    for name in parts[0]:
        scores = np.stack([part[name] for part in parts])
        n = np.isfinite(scores).sum(axis=0)
        out[name] = np.where(np.isfinite(scores), scores, 0.0).sum(axis=0) / np.where(n > 0, n, np.nan)
    return out


def _estimate(
    parts: FloatArray, sign: float, resamples: _Resamples, *, known: bool
) -> tuple[int, float, float, float, float, float, float, str]:
    """Return n, mean score, baseline and truth, the scaled score with its interval, and why one is missing."""
    rows = np.isfinite(parts).all(axis=0)
    n = int(rows.sum())
    if not n:
        return 0, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, ""
    score, base, truth = (float(row) for row in parts[:, rows].mean(axis=1))
    missing = n, score, base, truth, np.nan, np.nan, np.nan
    if not known:
        return *missing, NO_RESPONSE
    if not _has_room(parts[2, rows] - parts[1, rows], sign):
        return *missing, NO_ROOM
    value = (score - base) / (truth - base) + 0.0
    if n < MIN_PERTURBATIONS or not resamples.n_boot:
        return n, score, base, truth, value, np.nan, np.nan, ""
    totals = resamples.of(n) @ parts[:, rows].T
    room = totals[:, 2] - totals[:, 1]
    ratios = np.divide(totals[:, 0] - totals[:, 1], room, out=np.full(len(room), np.nan), where=room != 0)
    low, high = np.nanquantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return n, score, base, truth, value, float(low), float(high), ""


def _has_room(room: FloatArray, sign: float) -> bool:
    """Whether the truth scores better than the baseline; by a function of unknown direction, whether it differs."""
    mean, n = float(room.mean()), len(room)
    if n < MIN_PERTURBATIONS:
        return sign * mean > 0 if sign else mean != 0
    interval = jackknifed(mean, (room.sum() - room) / (n - 1), float(n), linear_bounds)
    low, high = sorted((sign * interval.low, sign * interval.high)) if sign else (interval.low, interval.high)
    return low > 0 or (not sign and high < 0)
