"""Perturbations that a model has not seen: the rule for all scores, questions and plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData

from . import _moments, _results
from ._core.arrays import FloatArray


def unseen(record: Mapping[str, Any], screen: _moments.Screen, folds: Mapping[str, int] | None) -> list[str]:
    """Return the perturbations that a model has not seen, in the order of ``screen.names``.

    For a cross-fitted model, these are the perturbations in a fold. For other models, these are the perturbations
    passed as ``test=``, otherwise those with all rows ``test`` in the split column. A perturbation with training or
    validation cells is not unseen.
    """
    if record.get("cross_fitted"):
        names = set(folds or {})
    elif record.get("test") is not None:
        names = {str(name) for name in np.asarray(record["test"])}
    else:
        is_test = screen.split == "test"
        codes = set(screen.perturbation[is_test].tolist()) - set(screen.perturbation[~is_test].tolist())
        names = {screen.names[code] for code in codes}
    return [name for name in screen.names[1:] if name in names]  # the control is not a perturbation


def unseen_predictions(
    adata: AnnData, key: str, record: Mapping[str, Any], screen: _moments.Screen, folds: Mapping[str, int] | None
) -> FloatArray:
    """Return stored predictions as perturbations × genes; rows that the model has seen are NaN."""
    table = _results.predictions(adata, key, screen).to_numpy(np.float64, copy=True)  # pandas 3 gives it read-only
    table[~np.isin(screen.names, unseen(record, screen, folds))] = np.nan
    return table


def why_all_seen(screen: _moments.Screen, split_key: str) -> str:
    """Return the reason why no perturbation is held out: none is test, or all also have training cells."""
    if (screen.split[screen.perturbation > 0] == "test").any():
        return (
            f"every perturbation with 'test' cells in obs[{split_key!r}] has training cells, too, because single cells "
            "were split, not perturbations"
        )
    return f"no perturbation is 'test' in the split column ({split_key!r})"
