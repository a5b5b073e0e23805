"""Embeddings that a user brings."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ._problem import FloatArray


def check_table(embedding: pd.DataFrame | None, *, argument: str) -> None:
    """Refuse an embedding that is not a frame of finite numbers with one row a gene."""
    if embedding is None:
        return
    if not isinstance(embedding, pd.DataFrame):
        msg = f"`{argument}` is a {type(embedding).__name__}; a DataFrame with gene symbols as index is needed."
        raise TypeError(msg)
    text = [str(c) for c, dtype in embedding.dtypes.items() if not pd.api.types.is_numeric_dtype(dtype)]
    if text or embedding.shape[1] == 0:
        msg = f"`{argument}` needs columns of numbers; " + (f"{text[:5]} are not." if text else "it has no column.")
        raise TypeError(msg)
    if not embedding.index.is_unique:
        twice = embedding.index[embedding.index.duplicated()].unique()[:5].tolist()
        msg = f"`{argument}` has repeated genes, for example {twice}; keep one row each."
        raise ValueError(msg)
    if not np.isfinite(embedding.to_numpy(np.float64)).all():
        msg = f"`{argument}` has values that are not finite; drop those genes."
        raise ValueError(msg)


def aligned(embedding: pd.DataFrame | None, genes: Iterable[str], *, argument: str) -> FloatArray | None:
    """Return the rows of some genes, NaN where there is none."""
    if embedding is None:
        return None
    rows = embedding.reindex(list(genes)).to_numpy(np.float64)
    if not np.isfinite(rows).any():
        msg = (
            f"`{argument}`: none of its {len(embedding)} genes is known here (for example {list(embedding.index[:3])})."
        )
        raise ValueError(msg)
    return rows
