"""Checks of what users pass in; each error says what was found and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scanpy as sc
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from . import _keys, _store
from ._core.arrays import FloatArray, IntArray
from ._labels import is_control_word

BATCH_WORDS = re.compile(
    r"^(batch(es)?|gem_?group|bio_?rep|replicate|donor(_?id)?|patient|lane|plate|cell_?line|library|sample(_?id)?|"
    r"orig\.?ident|pool|chip|channel)$",
    re.IGNORECASE,
)
MIN_CONTROL_CELLS = 20
CHUNK = 1 << 20
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
SYMBOL_COLUMNS = ("gene_symbols", "gene_symbol", "gene_name", "feature_name")


def cells_or_profiles(adata: Any, *, lazy: bool = False) -> None:
    """Refuse what is not an AnnData with unique gene names, and unless ``lazy`` one whose values are not in memory."""
    if isinstance(adata, MuData):
        msg = f"A MuData was passed; pass one of its modalities, such as mdata[{next(iter(adata.mod), 'full')!r}]."
        raise TypeError(msg)
    if not isinstance(adata, AnnData):
        msg = f"`adata` is a {type(adata).__name__}; an AnnData is expected."
        raise TypeError(msg)
    if adata.isbacked and adata.is_view:
        msg = (
            "`adata` is a view of cells in a file, which would be read at once. Pass all cells, with obs[groupby] set to "
            "NaN where they are to be left out, or load the view with adata.to_memory()."
        )
        raise ValueError(msg)
    if not lazy and _store.is_lazy(adata):
        msg = (
            f"`adata` ({adata.n_obs} cells × {adata.n_vars} genes) is not in memory: it is backed by a file, or lazy. Make "
            "profiles with spb.pp.profiles(adata), which reads it in parts, or load it with adata.to_memory()."
        )
        raise ValueError(msg)
    if not adata.var_names.is_unique:
        twice = adata.var_names[adata.var_names.duplicated()].unique()[:5].tolist()
        msg = f"Gene names repeat (for example {twice}); call adata.var_names_make_unique() first."
        raise ValueError(msg)
    for slot, frame in (("obs", adata.obs), ("var", adata.var)):
        if not frame.columns.is_unique:
            twice = frame.columns[frame.columns.duplicated()].unique()[:5].tolist()
            msg = f"Columns of {slot} repeat ({twice}), so that their name does not say which is meant; drop or rename one."
            raise ValueError(msg)


def column(adata: AnnData, key: str, *, argument: str) -> pd.Series:
    """Return a column of ``obs``; where it is missing, say which columns could have been meant."""
    if key in adata.obs.columns:
        return adata.obs[key]
    if argument == "groupby":
        likely = [c for c in adata.obs.columns if _holds_control(adata.obs[c])]
        hint = (
            f"Columns that hold a control-like label: {likely}." if likely else f"obs holds {list(adata.obs.columns)}."
        )
    else:
        hint = f"obs holds {list(adata.obs.columns)}."
    msg = f"`{argument}`: there is no obs[{key!r}]. {hint}"
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
    """Return numeric ``obs`` columns as cells × columns; a missing pct_counts_* names the scanpy call that makes it."""
    for key in keys:
        if key not in adata.obs.columns:
            qc = [k.removeprefix("pct_counts_") for k in keys if k.startswith("pct_counts_")]
            hint = (
                " scanpy makes it from raw counts (never from log values): spb.pp.annotate_confounders(adata); "
                f"sc.pp.calculate_qc_metrics(adata, qc_vars={qc}, layer='counts', percent_top=None, inplace=True)."
                if key.startswith("pct_counts_")
                else f" obs holds {list(adata.obs.columns)}."
            )
            msg = f"`{argument}`: there is no obs[{key!r}].{hint}"
            raise KeyError(msg)
        if not pd.api.types.is_numeric_dtype(adata.obs[key]) or pd.api.types.is_bool_dtype(adata.obs[key]):
            msg = f"`{argument}`: obs[{key!r}] is {adata.obs[key].dtype}; a numeric column is needed."
            raise TypeError(msg)
        values = adata.obs[key].to_numpy(np.float64, na_value=np.nan)
        if n := int((~np.isfinite(values)).sum()):
            msg = f"`{argument}`: obs[{key!r}] is missing or infinite in {n} cells; fill or remove them first."
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
    """Return one code a cell (−1 where a batch is missing) and the names of the batches."""
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
        msg = f"obs[{split_key!r}] holds {unknown[:5]}; splits are {list(_keys.SPLITS)}. See spb.pp.split."
        raise ValueError(msg)
    of_level = [_keys.SPLITS.index(level) if level else -1 for level in levels]
    return np.array([*of_level, -1], dtype=np.int64)[column.codes]


def likely_batches(adata: AnnData) -> list[str]:
    """Name the ``obs`` columns that look like batches, with two levels or more."""
    return [
        str(c)
        for c in adata.obs.columns
        if BATCH_WORDS.match(str(c)) and 1 < adata.obs[c].nunique() <= max(2, adata.n_obs // 20)
    ]


def gene_symbols(adata: AnnData, key: str | None) -> tuple[npt.NDArray[np.str_], str | None]:
    """Return each gene's symbol, and the ``var`` column it came from (None: ``var_names``)."""
    if key is None and len(adata.var_names) and adata.var_names.str.match(r"^ENS[A-Z]*G\d+").mean() > 0.5:
        key = next((c for c in SYMBOL_COLUMNS if c in adata.var.columns), None)
    if key is None:
        return adata.var_names.to_numpy(str), None
    if key not in adata.var.columns:
        msg = f"`gene_symbols`: there is no var[{key!r}]; var holds {list(adata.var.columns)}."
        raise KeyError(msg)
    symbols = adata.var[key].astype(object)
    known = symbols.notna().to_numpy() & (symbols != "").to_numpy()
    return np.where(known, symbols.to_numpy(), adata.var_names.to_numpy(object)).astype(str), key


class Scale:
    """Refuses NaN, z-scores, and raw counts where log-normalized values are meant (or the reverse), as values come.

    Some values that are whole say little, so counts are refused after a thousand, or in the end.
    """

    def __init__(self, *, layer: str | None, normalize: bool, may_be_negative: bool = False) -> None:
        self.layer = layer
        self.where = "X" if layer is None else f"layers[{layer!r}]"
        self.normalize, self.may_be_negative = normalize, may_be_negative
        self.high, self.whole, self.n = -np.inf, True, 0

    def add(self, x: Any) -> None:
        """Look at some of the values."""
        if not isinstance(x, np.ndarray) and not (sparse.issparse(x) and x.format in {"csr", "csc"}):
            msg = f"{self.where} is a {type(x).__name__}; dense, CSR and CSC arrays are read."
            raise TypeError(msg)
        numbers(x, layer=self.layer)
        values = np.asarray(x) if isinstance(x, np.ndarray) else x.data
        if values.size == 0:
            return
        step = max(1, CHUNK // max(1, values[:1].size))  # both passes over a chunk find it in cache
        parts = [values[start : start + step] for start in range(0, len(values), step)]
        low, high = float(np.min([part.min() for part in parts])), float(np.max([part.max() for part in parts]))
        if not (np.isfinite(low) and np.isfinite(high)):
            msg = f"{self.where} holds NaN or infinite values; remove them first."
            raise ValueError(msg)
        if low < 0 and not self.may_be_negative:
            msg = (
                f"{self.where} holds negative values (down to {low:.3g}), as z-scores do; pass log-normalized values "
                "(spb.pp.standardize and spb.pp.regress_mt_ribo make layers that may be negative)."
            )
            raise ValueError(msg)
        self.high, self.n = max(self.high, high), self.n + values.size
        self.whole = self.whole and _all_whole(values)
        if self.normalize or self.n >= 1000:
            self._refuse(early=True)

    def finish(self) -> None:
        """Look at what all values were."""
        if self.n == 0:
            msg = f"{self.where} holds no value."
            raise ValueError(msg)
        self._refuse(early=False)

    def fresh(self) -> Scale:
        """Return one that has seen nothing."""
        return Scale(layer=self.layer, normalize=self.normalize, may_be_negative=self.may_be_negative)

    def join(self, other: Scale) -> None:
        """Take over what another one saw."""
        self.high, self.whole, self.n = max(self.high, other.high), self.whole and other.whole, self.n + other.n

    def _refuse(self, *, early: bool) -> None:
        counts = self.whole and self.high > 1
        if counts and not self.normalize and not self.may_be_negative:
            msg = (
                f"{self.where} looks like raw counts (whole numbers up to {self.high:.0f}); log-normalized values are "
                "expected. Run sc.pp.normalize_total(adata, target_sum=1e4); sc.pp.log1p(adata), or pass normalize=True "
                "to spb.pp.profiles or spb.tl.audit."
            )
            raise ValueError(msg)
        if self.normalize and (not self.whole if early else not counts):
            msg = (
                f"`normalize=True` expects raw counts, but {self.where} holds other values (maximum {self.high:.3g}). "
                "Leave it out if they are log-normalized already, or name the layer of the counts."
            )
            raise ValueError(msg)


def scale(x: Any, *, layer: str | None, normalize: bool, may_be_negative: bool = False) -> None:
    """Refuse NaN, z-scores, and raw counts where log-normalized values are meant (or the reverse)."""
    check = Scale(layer=layer, normalize=normalize, may_be_negative=may_be_negative)
    check.add(x)
    check.finish()


def numbers(x: Any, *, layer: str | None) -> None:
    """Refuse text, objects, complex numbers and masked values."""
    where = "X" if layer is None else f"layers[{layer!r}]"
    if x.dtype.kind not in "biuf":
        msg = f"{where} holds values of type {x.dtype}; real numbers are read: convert it with .astype(np.float32)."
        raise TypeError(msg)
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        msg = f"{where} is a masked array, whose gaps would be read as values; fill them with .filled() or drop the cells."
        raise ValueError(msg)


def _all_whole(values: npt.NDArray[Any]) -> bool:
    flat = values.ravel(order="K")
    sample = flat[:: max(1, flat.size // 50_000)]
    return bool(np.array_equal(sample, np.round(sample)) and np.array_equal(flat[:5000], np.round(flat[:5000])))


def memory(adata: AnnData, *, instead: str = "Work on spb.pp.profiles(adata) instead.") -> None:
    """Refuse a dense layer on cells above ``scanpy.settings.max_memory`` GB, and say what to do ``instead``."""
    size = adata.n_obs * adata.n_vars * 4 / 1e9
    if _store.profiles_record(adata) is None and size > sc.settings.max_memory:
        msg = (
            f"Predictions on {adata.n_obs} cells × {adata.n_vars} genes take {size:.1f} GB, above "
            f"scanpy.settings.max_memory = {sc.settings.max_memory} GB. {instead}"
        )
        raise ValueError(msg)


def choice(value: str, allowed: Sequence[str], *, argument: str) -> None:
    """Refuse a word that is not among those allowed."""
    if value not in allowed:
        msg = f"`{argument}` is {value!r}; it must be one of {list(allowed)}."
        raise ValueError(msg)
