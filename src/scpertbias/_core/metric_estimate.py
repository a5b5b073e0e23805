"""Scores of a model by a function, scaled between mean baseline and matched truth, with null distribution and interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scpertbias._core.any_metric import PER, MetricFunction, Observations, Prediction, exchanged
from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.confounding import NO_RESPONSE
from scpertbias._core.mismatch import TIE
from scpertbias._core.resampling import CONFIDENCE, MIN_PERTURBATIONS, NO_ROOM, TOO_FEW, mean_of

N_DRAWS = 100


@dataclass(frozen=True)
class MetricEstimate:
    """Mean scores of a model, the baseline, the matched truth and a replicate, and derived values.

    ``scaled`` is 0 for the baseline and 1 for the truth, with the interval ``low`` to ``high``; ``gain`` is what the own
    prediction scores above those of others (better is positive), ``p`` that of the permutations.
    """

    n: int
    score: float
    baseline: float
    ceiling: float
    replicate: float
    scaled: float = np.nan
    low: float = np.nan
    high: float = np.nan
    gain: float = np.nan
    p: float = np.nan
    reason: str = ""


@dataclass(frozen=True)
class MetricJudge:
    """Scorer of all models that predict the same perturbations.

    Parameters
    ----------
    function
        The metric.
    data
        The observed effects.
    higher_is_better, uses_control
        Direction, and whether the function compares with the control.
    known
        Whether the perturbations respond at all.
    permuted
        Orders in which predictions are exchanged (B x P).
    n_boot
        Resamples for the interval.
    seed
        Of resamples and of draws of the control.
    """

    function: MetricFunction
    data: Observations
    higher_is_better: bool
    uses_control: bool
    known: bool
    permuted: IntArray
    n_boot: int
    seed: int

    @property
    def sign(self) -> float:
        return 1.0 if self.higher_is_better else -1.0

    def judge(self, prediction: Prediction, shared: FloatArray, *, constant: bool) -> MetricEstimate:
        """Score the predictions of a model.

        ``shared`` are the control weights of the truth given as these predictions are, ``constant`` says that the model
        predicts one and the same for all.
        """
        data, baseline = self.data, self._baseline()
        parts = self._parts(prediction, baseline, data.control_half, data, shared)
        replicate = data.replicate(self.function.of_halves())
        known: BoolArray = np.asarray(np.isfinite(parts).all(axis=0))
        score, mean, ceiling, of_half = (
            float(row[np.isfinite(row)].mean()) if np.isfinite(row).any() else np.nan for row in (*parts, replicate)
        )
        n = len(data.effect) if self.function.per == PER[1] else int(np.isfinite(parts[0]).sum())
        gain, p = (0.0, 1.0) if constant and n else self._mismatch(prediction, parts[0])
        estimate = MetricEstimate(n, score, mean, ceiling, of_half, gain=gain, p=p)
        reason = self._no_scale(n, parts, known)
        if reason:
            return replace(estimate, reason=reason)
        total, base, truth = parts[:, known].sum(axis=1)
        estimate = replace(estimate, scaled=float((total - base) / (truth - base)) + 0.0)
        if not self.n_boot:
            return estimate
        totals = self._resampled(prediction, baseline, parts, known, shared)
        room = totals[:, 2] - totals[:, 1]
        ends = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
        if self.function.per == PER[1] and not np.quantile(self.sign * room, ends[0]) > 0:
            return replace(estimate, scaled=np.nan, reason=NO_ROOM)
        low, high = np.quantile((totals[:, 0] - totals[:, 1]) / room, ends)
        return replace(estimate, low=float(low), high=float(high))

    def _baseline(self) -> Prediction:
        """Return the mean baseline; one common mean if the function compares perturbations with each other."""
        data = self.data
        control = data.shares @ data.control_batch
        predicted, observed = control + data.mean.effect, control + data.effect
        if not self.function.compares_rows(predicted, observed, control):
            return data.mean
        return Prediction(*(np.broadcast_to(x.mean(axis=0), x.shape) for x in (data.mean.effect, data.mean.weights)))

    def _parts(
        self,
        prediction: Prediction,
        baseline: Prediction,
        halves: FloatArray,
        data: Observations,
        shared: FloatArray,
    ) -> FloatArray:
        """Return the scores of model, baseline and matched truth (3 x P)."""
        how = {"uses_control": self.uses_control}
        model, mean = (data.score(self.function, x, halves, **how) for x in (prediction, baseline))
        return np.stack([model, mean, data.ceiling(self.function, halves, shared, **how)])

    def _no_scale(self, n: int, parts: FloatArray, known: BoolArray) -> str:
        """Return the reason for a missing scaled value, or an empty text."""
        if n < MIN_PERTURBATIONS:
            return TOO_FEW
        if not self.known:
            return NO_RESPONSE
        if self.function.per == PER[0] and not mean_of(self.sign * (parts[2] - parts[1])[known]).low > 0:
            return NO_ROOM
        return "" if known.any() else NO_ROOM

    def _mismatch(self, prediction: Prediction, own: FloatArray) -> tuple[float, float]:
        """Return the gain of own over exchanged predictions, and its permutation p."""
        data, others = self.data, self.permuted != np.arange(len(self.data.effect))
        if not others.any():
            return np.nan, np.nan
        how = {"uses_control": self.uses_control}
        scores = np.stack(
            [
                data.score(self.function, exchanged(prediction, data.mean, o), data.control_half, **how)
                for o in self.permuted
            ]
        )
        known = np.isfinite(own) & np.isfinite(scores).all(axis=0)
        if not known.any():
            return np.nan, np.nan
        others = others if self.function.per == PER[0] else np.ones_like(scores, dtype=np.bool_)
        counted = known & others.any(axis=0)
        exchanged_mean = np.where(others, scores, 0.0).sum(axis=0)[counted] / others.sum(axis=0)[counted]
        gain = self.sign * float((own[counted] - exchanged_mean).mean())
        null, real = scores[:, known].mean(axis=1), float(own[known].mean())
        tolerance = TIE * max(1.0, float(np.abs(own[known]).max()))
        p = (1 + int(np.count_nonzero(self.sign * null >= self.sign * real - tolerance))) / (1 + len(null))
        return gain, p

    def _resampled(
        self,
        prediction: Prediction,
        baseline: Prediction,
        parts: FloatArray,
        known: BoolArray,
        shared: FloatArray,
    ) -> FloatArray:
        """Return the summed scores of model, baseline and truth in resamples of perturbations and control (n_boot x 3)."""
        rng = np.random.default_rng(self.seed)
        has_blocks = bool(np.isfinite(self.data.blocks.scale).all())
        draws = [self.data.draw(rng) for _ in range(min(N_DRAWS, self.n_boot) if has_blocks else 0)]
        drawn = np.stack([self._parts(prediction, baseline, d, self.data, shared) for d in draws] or [parts])
        shifts = np.nan_to_num(drawn - drawn.mean(axis=0))
        totals = np.empty((self.n_boot, 3))
        n = len(self.data.effect)
        for r in range(self.n_boot):
            shift = shifts[r % len(shifts)]
            if self.function.per == PER[1]:
                rows = rng.integers(n, size=n)
                data = self.data.rows(rows)
                some = Prediction(baseline.effect[rows], baseline.weights[rows])
                values = self._parts(prediction.rows(rows), some, data.control_half, data, shared[rows]) + shift
            else:
                rows = np.flatnonzero(known)
                values = (parts + shift)[:, rows[rng.integers(len(rows), size=len(rows))]]
            totals[r] = values.sum(axis=1)
        return totals
