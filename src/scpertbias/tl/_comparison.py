"""Comparison of models, on the perturbations that both predict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from .. import _tables
from .._core.arrays import FloatArray
from .._core.metrics import METRICS
from .._core.resampling import MIN_PERTURBATIONS, benjamini_hochberg, mean_of
from ._summary import averaged

COMPARED = ("l2_ratio", "pearson_delta_perturbed_unshared", "discrimination")
SAME = "both models make the same predictions"


def comparison_table(scores: pd.DataFrame, metrics: Sequence[str] = COMPARED) -> pd.DataFrame:
    """Compare each pair of models by held-out scores; in an audit, of the models trained in each regime.

    Parameters
    ----------
    scores
        The table of :func:`scpertbias.tl.score` or of an audit.
    metrics
        The scores to compare.
    """
    held_out = scores[scores["split"] == "test"]
    if "regime" not in scores:
        return _of_pairs(held_out, metrics)
    own = held_out[held_out["trained_on"] == held_out["regime"]]
    parts = []
    for regime, frame in own.groupby("regime", sort=False):
        parts.append(_of_pairs(frame, metrics))
        parts[-1].insert(2, "regime", str(regime))
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else _tables.empty("comparison", audit=True)


def _of_pairs(held_out: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    names = np.unique(held_out["perturbation"].to_numpy(str))
    by_model = held_out.groupby("model", sort=False)
    tables = {str(model): averaged(frame, names, metrics) for model, frame in by_model}
    rows = [row for pair in combinations(tables, 2) for row in _rows(*pair, tables, metrics)]
    if not rows:
        return _tables.empty("comparison")
    table = pd.DataFrame(rows)
    table["q"] = table.groupby("metric")["p"].transform(lambda p: benjamini_hochberg(p.to_numpy(np.float64)))
    return table[_tables.columns("comparison")]


def _rows(
    a: str, b: str, tables: Mapping[str, Mapping[str, FloatArray]], metrics: Sequence[str]
) -> Iterator[dict[str, object]]:
    for metric in metrics:
        first, second = tables[a][metric], tables[b][metric]
        better = first - second if METRICS[metric].higher_is_better else second - first
        known = np.isfinite(better)
        # Layers are stored in float32; differences of the size of its rounding are 0.
        same = bool(known.any()) and np.allclose(first[known], second[known], rtol=1e-5, atol=1e-6)
        mean = mean_of(np.where(known, 0.0 if same else better, np.nan))
        few = mean.n < MIN_PERTURBATIONS
        yield {
            "model_a": a,
            "model_b": b,
            "metric": metric,
            "n": mean.n,
            "n_effective": mean.n_effective,
            "difference": mean.estimate,
            "ci_low": mean.low,
            "ci_high": mean.high,
            "p": np.nan if same else mean.p,
            "note": SAME if same else mean.reason if few else "",
        }
