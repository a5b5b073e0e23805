"""Adoption of confounded columns of ``obs`` as batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from ... import _keys, _moments, _store
from ..._log import info, warn
from .._balance import ADOPTED, balance_table, to_adopt
from .settings import AUTO

MOST_ADOPTED = 2


def profiles_within_batches(
    make: Callable[..., AnnData],
    batch_key: str | Sequence[str] | None,
    *,
    rng: int | np.random.Generator | None,
    notes: list[str],
) -> tuple[AnnData, str | Sequence[str] | None]:
    """Make profiles within batches: those of ``batch_key``, or with ``"auto"`` within confounded columns.

    Parameters
    ----------
    make
        Reads the cells; takes ``batch_key``, and ``tested``, whether balance over other columns is tested.
    batch_key
        As :func:`scpertbias.tl.audit` takes it.
    rng
        Seed or generator.
    notes
        Notes to extend.

    Returns
    -------
    The profiles, and the columns that are their batches.
    """
    if batch_key != AUTO:
        return make(batch_key=batch_key), batch_key
    columns: list[str] = []
    rows: list[pd.DataFrame] = []
    while True:
        profiles = make(batch_key=columns or None, tested=True)
        if len(columns) == MOST_ADOPTED:
            break
        table = balance_table(_moments.of(profiles), rng=rng)
        column = to_adopt(table)
        if column is None:
            break
        columns.append(column)
        rows.append(table[table["column"] == column].assign(status=ADOPTED, note=f"adopted: {_because(table, column)}"))
        notes.append(f"{column} was adopted as batch_key: {_because(table, column)}")
        info(notes[-1])
    if columns:
        record = {**(_store.profiles_record(profiles) or {}), "adopted": pd.concat(rows), "adopted_columns": columns}
        _store.put(profiles, **{_keys.PROFILES: record})
    return profiles, columns or None


def warn_of_profiles(profiles: AnnData, *, rng: int | np.random.Generator | None) -> None:
    """Warn if profiles were not made within a confounded column, because only cells can be read again."""
    table = balance_table(_moments.of(profiles), rng=rng)
    column = to_adopt(table)
    if column is not None:
        within = [*map(str, (_store.profiles_record(profiles) or {}).get("batch_key") or ()), column]
        warn(
            f"Labels are confounded with {column!r}: {_because(table, column)}. Make the profiles again with "
            f"spb.pp.profiles(cells, batch_key={within if len(within) > 1 else column!r})."
        )


def _because(table: pd.DataFrame, column: str) -> str:
    row = table[table["column"] == column].iloc[0]
    return (
        f"unequal proportions of its levels account for {100 * row['share']:.0f}% of the response (p = {row['p']:.2g})"
    )
