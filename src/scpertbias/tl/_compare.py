"""What retraining without some genes changes: every regime beside the full model on that regime's own genes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

import numpy as np
import numpy.typing as npt
import pandas as pd

from .._core.resampling import bootstrap_weights
from .._moments import Screen
from ._intervals import means
from ._scoring import score_table
from ._summary import average, averaged, with_q
from ._truth import reference

FloatArray = npt.NDArray[np.float64]
Predictions = Mapping[str, Mapping[str, FloatArray]]
UNCHANGED = "retraining changes nothing for this model"
NO_GAIN = 1e-9
COLUMNS = ["model", "regime", "metric", "n", "full", "retrained", "gain", "low", "high", "p", "q", "note"]


def score_regimes(
    screens: Mapping[str, Screen], predictions: Predictions, folds: Mapping[str, int], *, n_top_genes: int
) -> pd.DataFrame:
    """Score each regime's models on its own genes, and the full models there too.

    ``regressed`` has the genes of ``full`` but other values, so the full models keep their own truth there.
    """
    full, frames = screens["full"], []
    for regime, screen in screens.items():
        truth = reference(screen, n_top_genes=n_top_genes, folds=folds)
        own: Iterable[tuple[str, str, FloatArray]]
        own = ((name, regime, table) for name, table in predictions[regime].items())  # one table at a time
        columns, anything = full.genes.get_indexer(screen.genes), bool(predictions[regime])
        if regime not in ("full", "regressed"):
            own = chain(own, ((name, "full", table[:, columns]) for name, table in predictions["full"].items()))
            anything |= bool(predictions["full"])
        if anything:
            frames.append(score_table(screen, truth, own).assign(regime=regime))
        if regime == "regressed":
            other = reference(full, n_top_genes=n_top_genes, folds=folds, genes=columns[truth.genes])
            post_hoc = ((name, "full", table) for name, table in predictions["full"].items())
            frames.append(score_table(full, other, post_hoc).assign(regime=regime))
    scores = pd.concat(frames, ignore_index=True)
    return scores[["model", "regime", *(c for c in scores.columns if c not in {"model", "regime"})]]


def regime_table(
    scores: pd.DataFrame, *, n_boot: int, rng: int | np.random.Generator | None, metric: str = "l2_ratio"
) -> pd.DataFrame:
    """Compare each regime with the full model on that regime's own genes, perturbation by perturbation.

    ``full`` is the score of the model trained on all genes, ``retrained`` that of the model trained in the regime,
    ``gain`` full − retrained (positive: retraining helps), on the perturbations that both predict.
    """
    names, found = paired(scores, metric)
    weights = bootstrap_weights(len(names), n_boot, np.random.default_rng(rng)).astype(np.float64)
    pairs = [(model, regime, *of) for regime, models in found.items() for model, of in models.items()]
    if not pairs:
        return pd.DataFrame(columns=COLUMNS)
    gain = means(np.column_stack([full - retrained for _, _, full, retrained in pairs]), weights)
    rows = []
    for k, (model, regime, full, retrained) in enumerate(pairs):
        same = bool(gain.n[k]) and float(np.nanmax(np.abs(full - retrained))) <= NO_GAIN
        rows.append(
            {
                "model": model,
                "regime": regime,
                "metric": metric,
                "n": int(gain.n[k]),
                "full": average(full),
                "retrained": average(retrained),
                "gain": 0.0 if same else gain.estimate[k],
                "low": 0.0 if same and np.isfinite(gain.low[k]) else gain.low[k],
                "high": 0.0 if same and np.isfinite(gain.high[k]) else gain.high[k],
                "p": np.nan if same else gain.p[k],
                "q": np.nan,
                "note": UNCHANGED if same else "",
            }
        )
    return with_q(pd.DataFrame(rows, columns=COLUMNS))


def paired(
    scores: pd.DataFrame, metric: str
) -> tuple[npt.NDArray[np.str_], dict[str, dict[str, tuple[FloatArray, FloatArray]]]]:
    """Return the held-out perturbations, and by regime and model their scores before and after retraining.

    Both are on the genes of the regime, and NaN where either is not known.
    """
    held_out = scores[(scores["split"] == "test") & (scores["regime"] != "full")]
    names = np.unique(held_out["perturbation"].to_numpy(str))
    found: dict[str, dict[str, tuple[FloatArray, FloatArray]]] = {}
    for (regime, model), frame in held_out.groupby(["regime", "model"], sort=False):
        if not (frame["trained_on"] == regime).any():
            continue
        post_hoc = averaged(frame[frame["trained_on"] == "full"], names)[metric]
        retrained = averaged(frame[frame["trained_on"] == regime], names)[metric]
        both = np.isfinite(post_hoc) & np.isfinite(retrained)
        pair = np.where(both, post_hoc, np.nan), np.where(both, retrained, np.nan)
        found.setdefault(str(regime), {})[str(model)] = pair
    return names, found
