"""Does retraining without some genes turn the order of two models round?"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from .._core.resampling import bootstrap_weights
from .._keys import NEGLIGIBLE
from ._compare import paired
from ._intervals import Columns, means

FloatArray = npt.NDArray[np.float64]
"""A difference of errors (relative to the mean baseline) so small that nobody would rank by it."""
COLUMNS = [
    "regime",
    "model_a",
    "model_b",
    "metric",
    "n",
    "full",
    "full_low",
    "full_high",
    "retrained",
    "retrained_low",
    "retrained_high",
    "order",
]


def ranking_table(
    scores: pd.DataFrame, *, n_boot: int, rng: int | np.random.Generator | None, metric: str = "l2_ratio"
) -> pd.DataFrame:
    """Compare each two models before and after retraining, on the regime's genes and the perturbations of both.

    ``full`` is the mean of a − b of the models trained on all genes, ``retrained`` that of the models trained in the
    regime (negative: a is closer to the truth). ``order`` is ``kept`` or ``reversed`` where both intervals leave out 0,
    ``same`` where both hold nothing but differences under 0.0005, else ``untold``.
    """
    names, found = paired(scores, metric)
    pairs = [
        (regime, a, b, found[regime][a], found[regime][b])
        for regime in found
        for a, b in combinations(found[regime], 2)
    ]
    if not pairs:
        return pd.DataFrame(columns=COLUMNS)
    weights = bootstrap_weights(len(names), n_boot, np.random.default_rng(rng)).astype(np.float64)
    before, after = (
        means(np.column_stack([first[when] - second[when] for *_, first, second in pairs]), weights) for when in (0, 1)
    )
    rows = [
        {
            "regime": regime,
            "model_a": a,
            "model_b": b,
            "metric": metric,
            "n": int(before.n[k]),
            **_columns("full", before, k),
            **_columns("retrained", after, k),
            "order": _order(before, after, k),
        }
        for k, (regime, a, b, _, _) in enumerate(pairs)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _columns(name: str, of: Columns, k: int) -> dict[str, float]:
    return {name: of.estimate[k], f"{name}_low": of.low[k], f"{name}_high": of.high[k]}


def _order(before: Columns, after: Columns, k: int) -> str:
    ends = np.array([before.low[k], before.high[k], after.low[k], after.high[k]])
    if not np.isfinite(ends).all():
        return "untold"
    if np.abs(ends).max() < NEGLIGIBLE:
        return "same"
    signs = [0 if low <= 0 <= high else int(np.sign(low)) for low, high in (ends[:2], ends[2:])]
    return "untold" if 0 in signs else "kept" if signs[0] == signs[1] else "reversed"
