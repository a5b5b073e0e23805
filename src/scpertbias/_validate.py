"""Checks of arguments; each error message says what the problem is and how to solve it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scanpy as sc
from anndata import AnnData
from mudata import MuData

from . import _genes, _keys, _store
from ._columns import SYMBOL_COLUMNS
from ._core.arrays import FloatArray, IntArray
from ._labels import is_control_word, nearest
from ._scale import Scale

MIN_CONTROL_CELLS = 20
DEPTH_COLUMNS = ("total_counts", "n_counts", "ncounts", "n_umis", "nCount_RNA", "UMI_count")
MT_COLUMNS = (
    "pct_counts_mt",
    "p_mito",
    "percent.mt",
    "percent_mt",
    "percent.mito",
    "percent_mito",
    "pct_mito",
    "mito_frac",
)


def cells_or_profiles(adata: Any, *, lazy: bool = False) -> None:
    """Raise an error unless ``adata`` is an AnnData with unique gene names and (unless ``lazy``) values in memory."""
    if isinstance(adata, MuData):
        msg = f"`adata` is a MuData; pass one of its modalities, such as mdata[{next(iter(adata.mod), 'full')!r}]."
        raise TypeError(msg)
    if not isinstance(adata, AnnData):
        msg = f"`adata` is a {type(adata).__name__}; an AnnData is expected."
        raise TypeError(msg)
    if adata.isbacked and adata.is_view:
        msg = (
            "`adata` is a view of cells in a file, so all cells of the file would be loaded. Pass all cells, and set "
            "obs[groupby] to NaN for cells to leave out; or load the view with adata.to_memory()."
        )
        raise ValueError(msg)
    if not lazy and _store.is_lazy(adata):
        msg = (
            f"`adata` ({adata.n_obs} cells × {adata.n_vars} genes) is not in memory: it is backed by a file, or lazy. "
            "Compute profiles with spb.pp.profiles(adata), which reads the cells in parts, or load the cells with "
            "adata.to_memory()."
        )
        raise ValueError(msg)
    if not adata.var_names.is_unique:
        twice = adata.var_names[adata.var_names.duplicated()].unique()[:5].tolist()
        msg = f"Gene names repeat (for example, {twice}). Call adata.var_names_make_unique() first."
        raise ValueError(msg)
    for slot, frame in (("obs", adata.obs), ("var", adata.var)):
        if not frame.columns.is_unique:
            twice = frame.columns[frame.columns.duplicated()].unique()[:5].tolist()
            msg = f"Columns of {slot} repeat ({twice}), so their names are ambiguous. Drop or rename them."
            raise ValueError(msg)


def column(adata: AnnData, key: str, *, argument: str) -> pd.Series:
    """Return a column of ``obs``; the error for a missing column suggests similar names."""
    refuse_missing(adata, {argument: [key]})
    return adata.obs[key]


def refuse_missing(adata: AnnData, keys: Mapping[str, Sequence[str]]) -> None:
    """Raise one error for all missing columns of ``obs``, by argument, with similar names."""
    held = list(adata.obs.columns)
    lacking = [(argument, key) for argument, names in keys.items() for key in names if key not in held]
    if not lacking:
        return
    near = [nearest([str(key)], list(map(str, held)), 1) for _, key in lacking]
    parts = [
        f"`{argument}`: obs has no column {key!r}" + (f" (did you mean {names[0]!r}?)" if names else "")
        for (argument, key), names in zip(lacking, near, strict=True)
    ]
    likely = [c for c in held if _holds_control(adata.obs[c])] if lacking[0][0] == "groupby" else []
    hint = f" Columns with a control-like label: {likely}." if likely else ""
    if not likely or len(lacking) > 1:
        hint += f" Its columns are {held}."
    msg = f"{'; '.join(parts)}.{hint}"
    raise KeyError(msg)


def _holds_control(values: pd.Series) -> bool:
    if isinstance(values.dtype, pd.CategoricalDtype):
        levels = values.cat.categories
    elif values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        levels = values.unique()
    else:
        return False
    return any(is_control_word(str(level)) for level in levels)


def numeric_columns(adata: AnnData, keys: Sequence[str], *, argument: str) -> FloatArray:
    """Return numeric ``obs`` columns as cells × columns; the error for a missing pct_counts_* shows how to compute it."""
    for key in keys:
        if key not in adata.obs.columns:
            qc = [k.removeprefix("pct_counts_") for k in keys if k.startswith("pct_counts_")]
            hint = (
                " scanpy computes it from raw counts (not from log values): spb.pp.annotate_confounders(adata); "
                f"sc.pp.calculate_qc_metrics(adata, qc_vars={qc}, layer='counts', percent_top=None, inplace=True)."
                if key.startswith("pct_counts_")
                else f" Its columns are {list(adata.obs.columns)}."
            )
            msg = f"`{argument}`: obs has no column {key!r}.{hint}"
            raise KeyError(msg)
        if not pd.api.types.is_numeric_dtype(adata.obs[key]) or pd.api.types.is_bool_dtype(adata.obs[key]):
            msg = f"`{argument}`: obs[{key!r}] is {adata.obs[key].dtype}; a numeric column is needed."
            raise TypeError(msg)
        values = adata.obs[key].to_numpy(np.float64, na_value=np.nan)
        if n := int((~np.isfinite(values)).sum()):
            msg = (
                f"`{argument}`: obs[{key!r}] is missing or infinite in {n} cells. Fill the values, or remove the cells."
            )
            raise ValueError(msg)
    return np.column_stack([adata.obs[key].to_numpy(np.float64) for key in keys])


def depth(adata: AnnData) -> FloatArray | None:
    """Return the depth of each cell from the first ``obs`` column that is named like one, or None."""
    values = _first_numeric(adata, DEPTH_COLUMNS)
    return None if values is None else np.nan_to_num(values, posinf=0.0)


def mt_percent(adata: AnnData) -> FloatArray | None:
    """Return the percentage of MT counts of each cell from the first ``obs`` column that is named like one, or None."""
    return _first_numeric(adata, MT_COLUMNS)


def _first_numeric(adata: AnnData, names: Sequence[str]) -> FloatArray | None:
    for key in names:
        if key in adata.obs.columns and pd.api.types.is_numeric_dtype(adata.obs[key]):
            return adata.obs[key].to_numpy(np.float64, na_value=np.nan)
    return None


def batch_codes(adata: AnnData, batch_key: str | Sequence[str] | None) -> tuple[IntArray, list[str]]:
    """Return one code per cell (−1 if its batch is missing) and the names of the batches."""
    keys = [batch_key] if isinstance(batch_key, str) else list(batch_key or ())
    if not keys:
        return np.zeros(adata.n_obs, dtype=np.int64), ["all"]
    columns = [column(adata, key, argument="batch_key") for key in keys]
    known = ~np.any([c.isna().to_numpy() for c in columns], axis=0)
    text = [c[known].astype(str).to_numpy(object) for c in columns]
    joined = text[0]
    for more in text[1:]:
        joined = joined + " · " + more
    codes = np.full(adata.n_obs, -1, dtype=np.int64)
    codes[known], names = pd.factorize(joined, sort=True)
    return codes, [str(name) for name in names]


def split_codes(adata: AnnData, split_key: str) -> IntArray:
    """Return the position of each row's split in train, val, test; −1 where it has none."""
    column = pd.Categorical(adata.obs[split_key].array)
    levels = [str(level) for level in column.categories]
    unknown = sorted(set(levels) - {*_keys.SPLITS, ""})
    if unknown:
        msg = f"obs[{split_key!r}] contains {unknown[:5]}; allowed are {list(_keys.SPLITS)}. See spb.pp.split."
        raise ValueError(msg)
    of_level = [_keys.SPLITS.index(level) if level else -1 for level in levels]
    return np.array([*of_level, -1], dtype=np.int64)[column.codes]


def gene_symbols(adata: AnnData, key: str | None) -> tuple[npt.NDArray[np.str_], str | None]:
    """Return each gene's symbol, and the ``var`` column it came from (None: ``var_names``).

    Without symbols, Ensembl ids of confounder genes are translated; different spellings of mitochondrial genes are unified.
    """
    names = adata.var_names.to_numpy(object)
    ids = key is None and _genes.are_ids(adata.var_names)
    if ids:
        columns = (c for c in SYMBOL_COLUMNS if c in adata.var.columns)
        key = next((c for c in columns if not _genes.are_ids(pd.Index(adata.var[c].astype(object)))), None)
    if key is None:
        return _genes.spelled(np.array(_genes.symbols_of_ids(names) if ids else names, dtype=str)), None
    if key not in adata.var.columns:
        msg = f"`gene_symbols`: var has no column {key!r}; its columns are {list(adata.var.columns)}."
        raise KeyError(msg)
    symbols = adata.var[key].astype(object)
    known = symbols.notna().to_numpy() & (symbols != "").to_numpy()
    return _genes.spelled(np.where(known, symbols.to_numpy(), names).astype(str)), key


def scale(x: Any, *, layer: str | None, normalize: bool, may_be_negative: bool = False) -> None:
    """Raise an error if the values of a matrix in memory are not on the expected scale."""
    check = Scale(layer=layer, normalize=normalize, may_be_negative=may_be_negative)
    check.add(x)
    check.finish()


def memory(adata: AnnData, *, instead: str = "Work on spb.pp.profiles(adata) instead.") -> None:
    """Raise an error if a dense layer on cells needs more than ``scanpy.settings.max_memory`` GB; ``instead`` is the fix."""
    size = adata.n_obs * adata.n_vars * 4 / 1e9
    if _store.profiles_record(adata) is None and size > sc.settings.max_memory:
        msg = (
            f"Predictions on {adata.n_obs} cells × {adata.n_vars} genes need {size:.1f} GB, more than "
            f"scanpy.settings.max_memory = {sc.settings.max_memory} GB. {instead}"
        )
        raise ValueError(msg)


def choice(value: str, allowed: Sequence[str], *, argument: str) -> None:
    """Raise an error for a value that is not allowed."""
    if value not in allowed:
        msg = f"`{argument}` is {value!r}; it must be one of {list(allowed)}."
        raise ValueError(msg)
