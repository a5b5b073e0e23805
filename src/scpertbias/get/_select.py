"""Selection of rows of a table, and of the modality of a regime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _store
from .._keys import MODEL_COLUMNS
from .._log import some

N_LISTED = 20


def select(table: pd.DataFrame, **values: str | Sequence[str] | None) -> pd.DataFrame:
    """Return the rows with these values, with a new index; ``None`` keeps all rows.

    In a table of pairs, ``models`` keeps pairs among the names, or all pairs with a single name.
    """
    keep = np.ones(len(table), dtype=bool)
    for parameter, value in values.items():
        if value is None:
            continue
        names = [value] if isinstance(value, str) else list(value)
        columns = [c for c in (MODEL_COLUMNS if parameter == "models" else (parameter,)) if c in table]
        if not columns:
            msg = f"`{parameter}` was given, but this table is not from an audit."
            raise ValueError(msg)
        present = list(dict.fromkeys(table[columns].to_numpy().ravel()))
        if missing := [name for name in names if name not in present]:
            listed = present if len(present) <= N_LISTED else f"{len(present)}, such as {some(present)}"
            msg = f"`{parameter}`: {some(map(repr, missing))} not available; choose from {listed}."
            raise KeyError(msg)
        matches = [table[column].isin(names).to_numpy() for column in columns]
        keep &= np.any(matches, axis=0) if len(names) == 1 else np.all(matches, axis=0)
    return table[keep].reset_index(drop=True)


def modality(data: AnnData | MuData, regime: str | None) -> AnnData:
    """Return the profiles of a regime, by default ``"full"``, or the data if they are not an audit."""
    if isinstance(data, MuData):
        name = "full" if regime is None else regime
        if name not in data.mod:
            msg = f"`regime`: {name!r} not available; choose from {list(data.mod)}."
            if name in _store.root(data).get("audit", {}).get("n_genes", {}):
                msg += (
                    " Of the other regimes, this audit contains only tables. "
                    "To make their profiles, call spb.pp.regimes(mdata['full'])."
                )
            raise KeyError(msg)
        return data.mod[name]
    if regime is not None:
        msg = (
            f"`regime={regime!r}` was passed, but only audits have regimes, and these data are not an audit. Omit the "
            "argument."
        )
        raise ValueError(msg)
    return data
