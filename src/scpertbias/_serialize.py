"""Values made such that h5ad, h5mu and zarr hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


def plain(value: Any) -> Any:
    """Make a value such that h5ad and zarr hold it: no tuple, Series, MultiIndex or object column."""
    if isinstance(value, pd.DataFrame):
        return _plain_frame(value)
    if isinstance(value, Mapping):
        if bad := [key for key in value if not str(key) or "/" in str(key)]:
            msg = f"{bad[:5]} cannot be stored as names, because a name must not be empty or contain '/'. Rename them."
            raise ValueError(msg)
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.random.Generator):
        return None
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return _plain_list(value.tolist()) if value.dtype == object else value
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Sequence | pd.Index | pd.Series | pd.api.extensions.ExtensionArray):
        return _plain_list(list(value))
    if isinstance(value, Set):
        return _plain_list(sorted(value))
    msg = f"A {type(value).__name__} cannot be stored."
    raise TypeError(msg)


def _plain_list(items: list[Any]) -> npt.NDArray[Any]:
    """Make an array: of text (None is ""), of numbers or of booleans."""
    if all(isinstance(item, str) or item is None for item in items):
        return np.array([item or "" for item in items], dtype=str)
    kinds = {np.asarray(item).dtype.kind for item in items}
    array = np.array(items) if "U" not in kinds and "O" not in kinds else None
    if array is None:
        msg = f"A list that mixes text with other types cannot be stored: {items[:5]}."
        raise TypeError(msg)
    return array


def _plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.reset_index(drop=True).copy()
    out.columns = [str(c) for c in out.columns]
    for name in out.columns:
        out[name] = _plain_column(name, out[name])
    return out


def _plain_column(name: str, values: pd.Series) -> pd.Series | pd.Categorical:
    """Make text categorical (missing is ""), booleans with gaps ``boolean``, other objects numbers."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        categories = [str(c) for c in values.cat.categories]
        return values if categories == list(values.cat.categories) else values.cat.rename_categories(categories)
    if values.dtype != object and not isinstance(values.dtype, pd.StringDtype):
        return values
    values = values.astype(object)
    one_of_each = {type(v): v for v in values[values.notna()]}.values()
    if one_of_each and all(isinstance(v, bool | np.bool_) for v in one_of_each):
        return values.astype("boolean")
    if one_of_each and all(isinstance(v, int | float | np.number) for v in one_of_each):
        return values.astype(np.float64)
    if others := [type(v).__name__ for v in one_of_each if not np.isscalar(v)]:
        msg = f"Column {name!r} contains {others[0]}; only text and numbers can be stored."
        raise TypeError(msg)
    return pd.Categorical(values.where(values.notna(), "").astype(str))
