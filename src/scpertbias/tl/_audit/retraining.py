"""Effect of retraining: every regime compared with the full model on the genes of the regime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations, groupby
from typing import NamedTuple

import numpy as np
import pandas as pd

from ... import _tables
from ..._core.arrays import FloatArray, IntArray
from ..._core.noise import NoiseShape
from ..._core.resampling import Estimate, mean_of
from ..._keys import NEGLIGIBLE
from ..._moments import Screen
from .._control_noise import ControlNoise
from .._reference import Reference, reference
from .._score import InOrder, Scored, one_by_one, score_table
from .._summary import average, averaged, with_q

Predictions = Mapping[str, Mapping[str, FloatArray]]
ModelPredictions = tuple[str, str, FloatArray]
"""A model, the regime in which it was trained, and its predictions."""
UNCHANGED = "retraining does not change the predictions of this model"
NO_GAIN = 1e-9


class RegimeFacts(NamedTuple):
    """Noise of the data in a regime, and whether the response exceeds it."""

    shape: NoiseShape
    known: bool


class ScoredRegimes(NamedTuple):
    """Scores in all regimes, derivatives with respect to the control by regime and model, and facts by regime."""

    table: pd.DataFrame
    noise: dict[tuple[str, str], ControlNoise]
    facts: dict[str, RegimeFacts]


def score_regimes(
    screens: Mapping[str, Screen],
    predictions: Predictions,
    folds: Mapping[str, int],
    *,
    n_top_genes: int,
    held: Mapping[tuple[str, str], FloatArray | None] | None = None,
    unseen: Mapping[str, Sequence[str]] | None = None,
    weights: Mapping[str, Mapping[str, FloatArray]] | None = None,
    run: InOrder = one_by_one,
) -> ScoredRegimes:
    """Score the models of each regime, and the full models, on the genes of the regime.

    ``regressed`` has the genes of ``full`` but other values, so the full models keep their own truth there. ``unseen``
    contains the unseen perturbations of models with one split; the others are cross-fitted. ``held`` is that of
    :func:`score_table`, ``weights`` are the control weights of external models by the regime of their training. ``run`` calls
    the scoring of the models.
    """
    frames: list[pd.DataFrame] = []
    noise: dict[tuple[str, str], ControlNoise] = {}
    facts: dict[str, RegimeFacts] = {}
    references = partial(
        References, folds=folds, n_top_genes=n_top_genes, held=held, unseen=unseen or {}, weights=weights or {}, run=run
    )
    for regime in screens:  # a regime is freed before the next one is made: nothing here refers to it
        for scored in _score_regime(regime, screens, predictions, references):
            frames.append(scored.table.assign(regime=regime))
            noise |= scored.noise
        facts[regime] = RegimeFacts(screens[regime].noise_size, screens[regime].detection.response_known)
    scores = pd.concat(frames, ignore_index=True)
    columns = ["model", "regime", *(c for c in scores.columns if c not in {"model", "regime"})]
    return ScoredRegimes(scores[columns], noise, facts)


def _score_regime(
    regime: str, screens: Mapping[str, Screen], predictions: Predictions, references: Callable[..., References]
) -> list[Scored]:
    """Score the models of a regime, and the full models on its genes."""
    screen, full = screens[regime], screens["full"]
    on_regime = references(screen, regime=regime)
    on_genes: Iterable[ModelPredictions]
    on_genes = ((name, regime, table) for name, table in predictions[regime].items())  # one table at a time
    columns = full.genes.get_indexer(screen.genes)
    if regime not in ("full", "regressed"):
        on_genes = chain(on_genes, ((name, "full", table[:, columns]) for name, table in predictions["full"].items()))
    tables, genes = on_regime.scores(on_genes), columns[on_regime.genes]
    del on_regime  # references are large
    if regime == "regressed":
        on_full = references(full, regime=regime, genes=genes)
        tables += on_full.scores((name, "full", table) for name, table in predictions["full"].items())
    return tables


@dataclass
class References:
    """The references of a screen: observed effects, with the baseline for the training data of each model."""

    screen: Screen
    folds: Mapping[str, int]
    n_top_genes: int
    held: Mapping[tuple[str, str], FloatArray | None] | None
    unseen: Mapping[str, Sequence[str]]
    weights: Mapping[str, Mapping[str, FloatArray]]
    regime: str
    genes: IntArray | None = None
    run: InOrder = one_by_one

    def __post_init__(self) -> None:
        self._by_unseen: dict[tuple[str, ...] | None, Reference] = {}
        self.genes = self._of(None).genes

    def scores(self, predictions: Iterable[ModelPredictions]) -> list[Scored]:
        """Score models in their order; those that follow each other and were trained on the same share a reference."""
        return [
            score_table(
                self.screen,
                self._of(unseen),
                models,
                held=self.held,
                weights=self.weights.get(trained_on),
                with_noise=self.regime,
                run=self.run,
            )
            for (unseen, trained_on), models in groupby(predictions, lambda model: (self._unseen(model[0]), model[1]))
        ]

    def _unseen(self, name: str) -> tuple[str, ...] | None:
        return tuple(sorted(self.unseen[name])) if name in self.unseen else None

    def _of(self, unseen: tuple[str, ...] | None) -> Reference:
        if unseen not in self._by_unseen:
            self._by_unseen[unseen] = reference(
                self.screen, n_top_genes=self.n_top_genes, folds=self.folds, genes=self.genes, unseen=unseen
            )
        return self._by_unseen[unseen]


def retraining_table(scores: pd.DataFrame, metric: str = "l2_ratio") -> pd.DataFrame:
    """Compare each regime with the full model on the genes of the regime, perturbation by perturbation.

    ``full`` is the score of the model trained on all genes, ``retrained`` that of the model trained in the regime,
    ``gain`` full − retrained (positive: retraining helps), on the perturbations that both predict.
    """
    rows = []
    for regime, models in score_pairs(scores, metric).items():
        for model, (full, retrained) in models.items():
            gain = mean_of(full - retrained)
            same = bool(gain.n) and float(np.nanmax(np.abs(full - retrained))) <= NO_GAIN
            rows.append(
                {
                    "model": model,
                    "regime": regime,
                    "metric": metric,
                    "n": gain.n,
                    "n_effective": np.nan if same else gain.n_effective,
                    "full": average(full),
                    "retrained": average(retrained),
                    "gain": 0.0 if same else gain.estimate,
                    "ci_low": 0.0 if same and np.isfinite(gain.low) else gain.low,
                    "ci_high": 0.0 if same and np.isfinite(gain.high) else gain.high,
                    "p": np.nan if same else gain.p,
                    "q": np.nan,
                    "note": UNCHANGED if same else "",
                }
            )
    if not rows:
        return _tables.empty("retraining")
    return with_q(pd.DataFrame(rows, columns=_tables.columns("retraining")))


def score_pairs(scores: pd.DataFrame, metric: str) -> dict[str, dict[str, tuple[FloatArray, FloatArray]]]:
    """Return by regime and model the scores of the held-out perturbations before and after retraining.

    Both are on the genes of the regime, and NaN if either is unknown.
    """
    held_out = scores[(scores["split"] == "test") & (scores["regime"] != "full")]
    names = np.unique(held_out["perturbation"].to_numpy(str))
    pairs: dict[str, dict[str, tuple[FloatArray, FloatArray]]] = {}
    for (regime, model), frame in held_out.groupby(["regime", "model"], sort=False):
        if not (frame["trained_on"] == regime).any():
            continue
        post_hoc, retrained = (
            averaged(frame[frame["trained_on"] == trained_on], names, [metric])[metric]
            for trained_on in ("full", regime)
        )
        both = np.isfinite(post_hoc) & np.isfinite(retrained)
        pair = np.where(both, post_hoc, np.nan), np.where(both, retrained, np.nan)
        pairs.setdefault(str(regime), {})[str(model)] = pair
    return pairs


def ranking_table(scores: pd.DataFrame, metric: str = "l2_ratio") -> pd.DataFrame:
    """Compare pairs of models before and after retraining, on the genes of the regime and the perturbations of both.

    ``full`` is the mean of a − b of the models trained on all genes, ``retrained`` that of the models trained in the
    regime (negative: a is better). ``order`` is ``kept`` or ``reversed`` if both intervals exclude 0, ``same`` if both
    contain only differences below 0.0005, otherwise ``undetermined``.
    """
    score_of = score_pairs(scores, metric)
    pairs = [
        (regime, a, b, score_of[regime][a], score_of[regime][b])
        for regime in score_of
        for a, b in combinations(score_of[regime], 2)
    ]
    if not pairs:
        return _tables.empty("ranking")
    rows = []
    for regime, a, b, first, second in pairs:
        before, after = (mean_of(first[when] - second[when]) for when in (0, 1))
        rows.append(
            {
                "regime": regime,
                "model_a": a,
                "model_b": b,
                "metric": metric,
                "n": before.n,
                **_columns("full", before),
                **_columns("retrained", after),
                "order": _order(before, after),
            }
        )
    return pd.DataFrame(rows, columns=_tables.columns("ranking"))


def _columns(name: str, mean: Estimate) -> dict[str, float]:
    return {name: mean.estimate, f"{name}_ci_low": mean.low, f"{name}_ci_high": mean.high}


def _order(before: Estimate, after: Estimate) -> str:
    ends = np.array([before.low, before.high, after.low, after.high])
    if not np.isfinite(ends).all():
        return "undetermined"
    if np.abs(ends).max() < NEGLIGIBLE:
        return "same"
    signs = [0 if low <= 0 <= high else int(np.sign(low)) for low, high in (ends[:2], ends[2:])]
    return "undetermined" if 0 in signs else "kept" if signs[0] == signs[1] else "reversed"
