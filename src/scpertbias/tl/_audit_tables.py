"""The tables of an audit that say which models there are, which are missing, and how they did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from .._models._problem import CONSTANT
from .._moments import Screen
from ._cross_fit import Fits, Variant
from ._error_by_n_genes import error_by_n_genes_table
from ._questions import Records
from ._summary import predicted_by_all, summarize, with_q


def models_table(
    fits: Mapping[str, Fits],
    wanted: Sequence[Variant],
    folds: Mapping[str, int],
    screens: Mapping[str, Screen],
    records: Records,
) -> pd.DataFrame:
    """List the models: one row a model and regime."""
    rows: list[tuple[str, str, str, int, str]] = []
    for regime, screen in screens.items():
        used = np.array([name in folds for name in screen.names])
        for v in wanted:
            if v.name in fits[regime].solutions:
                solution = fits[regime].solutions[v.name]
                cannot = int((~np.isfinite(solution.predictions[used]).all(axis=1)).sum())
                rows.append((v.name, regime, v.kind, cannot, solution.note))
        for name, record in records[regime].items():
            cannot = len(set(map(str, record.get("cannot_predict", []))) & set(folds))
            rows.append((name, regime, str(record["kind"]), cannot, str(record.get("note", ""))))
    return pd.DataFrame(rows, columns=["model", "regime", "kind", "n_cannot_predict", "note"])


def left_out_table(fits: Mapping[str, Fits], untrained: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    """List the models that are left out, with the reason; ``untrained`` are those that are not cross-fitted."""
    rows = [(name, regime, reason) for regime, f in fits.items() for name, reason in f.left_out.items()]
    rows += untrained
    return pd.DataFrame(rows, columns=["model", "regime", "reason"])


def summaries(
    scores: pd.DataFrame | None,
    fits: Mapping[str, Fits],
    records: Records,
    *,
    n_boot: int,
    rng: int | np.random.Generator | None,
) -> pd.DataFrame | None:
    """Summarize each regime by the models trained in it; ``common`` is what all predict in all regimes."""
    if scores is None:
        return None
    own = scores[scores["trained_on"] == scores["regime"]]
    common = predicted_by_all(own[own["split"] == "test"])
    parts = []
    for regime, frame in own.groupby("regime", sort=False):
        notes = {name: solution.note for name, solution in fits[str(regime)].solutions.items()}
        notes |= {name: str(record.get("note", "")) for name, record in records[str(regime)].items()}
        constant = [name for name, note in notes.items() if note.startswith(CONSTANT)]
        part = summarize(frame, n_boot=n_boot, rng=rng, constant=constant, common=common)
        part.insert(1, "regime", str(regime))
        parts.append(part)
    return with_q(pd.concat(parts, ignore_index=True))


def errors_table(
    screens: Mapping[str, Screen],
    unseen: Mapping[str, Mapping[str, npt.NDArray[np.float64]]],
    folds: Mapping[str, int],
) -> pd.DataFrame | None:
    """Return the errors by number of genes, in each regime those of the models trained in it."""
    parts = []
    for regime, predictions in unseen.items():
        if predictions:
            part = error_by_n_genes_table(screens[regime], predictions, folds=folds)
            part.insert(1, "regime", regime)
            parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else None
