"""The one door to ``layers``, ``varm``, ``obsm`` and ``uns``: everything stored goes in and out here."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData, ImplicitModificationWarning
from mudata import MuData
from numpy.lib.stride_tricks import as_strided
from scipy import sparse

from . import _keys
from ._core.arrays import FloatArray, IntArray
from ._core.sums import spread
from ._serialize import plain

RESERVED = frozenset({"counts", *_keys.HALVES, _keys.VAR})


# -- reading -------------------------------------------------------------------------------------------------------


def matrix(adata: AnnData, layer: str | None) -> Any:
    """Return ``X``, or a layer."""
    if layer is None:
        if adata.X is None:
            msg = "`adata.X` is empty. Pass layer= with the name of the layer that contains the values."
            raise ValueError(msg)
        return adata.X
    if layer not in adata.layers:
        msg = f"`layer`: `adata` has no layer {layer!r}; choose from {[k for k in adata.layers if k is not None]}."
        raise KeyError(msg)
    return adata.layers[layer]


def is_lazy(adata: AnnData) -> bool:
    """Whether values or tables are not in memory: backed by a file, or as ``anndata.experimental.read_lazy`` gives them."""
    if adata.isbacked or not isinstance(adata.obs, pd.DataFrame) or not isinstance(adata.var, pd.DataFrame):
        return True
    arrays = [] if adata.X is None else [adata.X]
    arrays += [values for key, values in adata.layers.items() if key is not None]
    return any(not (isinstance(x, np.ndarray) or sparse.issparse(x)) for x in arrays)


def log_base(adata: AnnData) -> float | None:
    """Return the base of the logarithms that scanpy noted, None where it noted none."""
    stated = adata.uns.get("log1p")
    base = stated.get("base") if isinstance(stated, Mapping) else None
    return float(base) if isinstance(base, int | float | np.number) and float(base) > 1 else None


def light(adata: AnnData, layer: str | None) -> AnnData:
    """Return an AnnData with one matrix, shared and read by nobody yet, and with tables in memory."""
    obs, var = (t.copy() if isinstance(t, pd.DataFrame) else t.to_memory() for t in (adata.obs, adata.var))
    cells = assembled(matrix(adata, layer), obs, var, layer, layer_record(adata, layer))
    if (base := log_base(adata)) is not None:
        cells.uns["log1p"] = {"base": base}
    return cells


def assembled(
    x: Any, obs: pd.DataFrame, var: pd.DataFrame, layer: str | None, record: Mapping[str, Any] | None
) -> AnnData:
    """Return an AnnData with one matrix, in ``X`` or in a layer, that this package made as ``record`` says."""
    cells = AnnData(X=x, obs=obs, var=var) if layer is None else AnnData(obs=obs, var=var, layers={layer: x})
    if record is not None:
        put(cells, **{_keys.LAYERS: {"X" if layer is None else layer: record}})
    return cells


def layer_names(adata: AnnData) -> list[str]:
    """Return the names of all layers."""
    return [str(name) for name in adata.layers]


def has_layer(adata: AnnData, key: str) -> bool:
    """Whether a layer of that name exists."""
    return key in adata.layers


def obsm(adata: AnnData, key: str) -> Any:
    """Return an array of ``obsm``."""
    if key not in adata.obsm:
        msg = f"`obsm`: obsm has no entry {key!r}; choose from {list(adata.obsm)}."
        raise KeyError(msg)
    return adata.obsm[key]


def has_varm(adata: AnnData, key: str) -> bool:
    """Whether ``varm`` has that key."""
    return key in adata.varm


def root(data: AnnData | MuData) -> dict[str, Any]:
    """Return what this package stored in ``uns`` (a copy of the first level; empty if nothing)."""
    return dict(data.uns.get(_keys.ROOT, {}))


def profiles_record(adata: AnnData) -> dict[str, Any] | None:
    """Return how profiles were made, or None for cells."""
    record = root(adata).get(_keys.PROFILES)
    if record is None and _keys.HALVES[0] in adata.layers:
        msg = (
            "The rows have a layer 'half_1', as profiles do, but `uns` does not contain the settings of the profiles "
            "(ad.concat drops `uns`). Concatenate the cells and call spb.pp.profiles on them."
        )
        raise ValueError(msg)
    return None if record is None else dict(record)


def layer_record(adata: AnnData, layer: str | None) -> dict[str, Any] | None:
    """Return how this package made a layer (or ``X``, of a file that it wrote), or None if it did not."""
    record = root(adata).get(_keys.LAYERS, {}).get("X" if layer is None else layer)
    return None if record is None else dict(record)


def models(adata: AnnData) -> dict[str, dict[str, Any]]:
    """Return the records of the stored models."""
    return {str(k): dict(v) for k, v in root(adata).get(_keys.MODELS, {}).items()}


def model_colors(data: AnnData | MuData) -> dict[str, str]:
    """Return the colors of models that are kept, or that users have set."""
    colors = data.uns.get(_keys.MODEL_COLORS, {})
    if not isinstance(colors, Mapping):
        msg = f"`uns[{_keys.MODEL_COLORS!r}]` is a {type(colors).__name__}; pass a mapping from model to color."
        raise TypeError(msg)
    return {str(name): str(color) for name, color in colors.items()}


def has_table(data: AnnData | MuData, name: str) -> bool:
    """Whether a table is stored."""
    return isinstance(root(data).get(name), pd.DataFrame)


def table(data: AnnData | MuData, name: str, *, made_by: str) -> pd.DataFrame:
    """Return a stored table with text as ``str`` and a fresh index."""
    frame = root(data).get(name)
    if not isinstance(frame, pd.DataFrame):
        msg = f"There is no table {name!r}. Run {made_by} first."
        raise KeyError(msg)
    frame = frame.reset_index(drop=True).copy()
    for column in frame.columns:
        if isinstance(frame[column].dtype, pd.CategoricalDtype):
            frame[column] = frame[column].astype(object).where(frame[column].notna(), "").astype(str)
    return frame


# -- writing -------------------------------------------------------------------------------------------------------


def check_name(key: str) -> None:
    """Raise an error for a name that cannot be stored."""
    if not isinstance(key, str) or not key or "/" in key or key in {".", ".."}:
        msg = f"`key_added` is {key!r}. Choose a name that contains no '/', and is not empty, '.' or '..'."
        raise ValueError(msg)


def check_key(adata: AnnData, key: str) -> None:
    """Refuse a key that cannot be stored or names a slot this package did not write."""
    check_name(key)
    entries = root(adata)
    ours = {*entries.get(_keys.MODELS, {}), *entries.get(_keys.LAYERS, {})}
    if key not in ours and (key in RESERVED or key in adata.layers or key in adata.varm):
        msg = f"`key_added={key!r}` is already the name of an entry that scpertbias did not write. Choose another name."
        raise ValueError(msg)


def put(data: AnnData | MuData, **entries: Any) -> None:
    """Put entries under ``uns['scpertbias']``, made plain; None removes one."""
    new = root(data)
    for name, value in entries.items():
        if value is None:
            new.pop(name, None)
        else:
            new[name] = plain(value)
    with _quiet():
        data.uns[_keys.ROOT] = new


def put_model_colors(data: AnnData | MuData, colors: Mapping[str, str]) -> None:
    """Keep the colors of models; a view stays a view, and keeps none."""
    if not data.is_view:
        data.uns[_keys.MODEL_COLORS] = plain(dict(colors))


def put_layer(adata: AnnData, key: str, values: Any, record: Mapping[str, Any]) -> None:
    """Store a layer and how it was made."""
    check_key(adata, key)
    entries = root(adata)
    layers = {**entries.get(_keys.LAYERS, {}), key: plain(dict(record))}
    models = {name: model for name, model in entries.get(_keys.MODELS, {}).items() if name != key}
    with _quiet():
        adata.layers[key] = values
    put(adata, **{_keys.LAYERS: layers, _keys.MODELS: models or None})


def put_model(
    adata: AnnData,
    key: str,
    *,
    rows: IntArray,
    predictions: npt.NDArray[np.floating],
    attributions: npt.NDArray[np.floating] | None,
    record: Mapping[str, Any],
) -> None:
    """Store a model: each row of ``layers[key]`` is the prediction of its perturbation (NaN where ``rows`` is −1)."""
    check_key(adata, key)
    dtype = np.float32 if profiles_record(adata) is None else np.float64
    # Row −1 is the last one: NaN. Cast before the rows are spread: a layer on cells is large.
    with_nan = np.concatenate([predictions.astype(dtype), np.full((1, adata.n_vars), np.nan, dtype=dtype)])
    layer = spread(with_nan, rows)
    entries = root(adata)
    stored = {**entries.get(_keys.MODELS, {}), key: plain(dict(record))}
    layers = {name: layer for name, layer in entries.get(_keys.LAYERS, {}).items() if name != key}
    with _quiet():
        adata.layers[key] = layer
        if attributions is not None:
            adata.varm[key] = np.asarray(attributions, dtype=np.float32)
        elif key in adata.varm:
            del adata.varm[key]
    put(adata, **{_keys.MODELS: stored, _keys.LAYERS: layers or None})


def add_to_model(adata: AnnData, key: str, **facts: Any) -> None:
    """Add facts to the record of a stored model."""
    stored = models(adata)
    put(adata, **{_keys.MODELS: {**stored, key: {**stored[key], **plain(facts)}}})


def drop_model(adata: AnnData, key: str) -> None:
    """Remove a model."""
    entries = root(adata)
    remaining = {name: record for name, record in entries.get(_keys.MODELS, {}).items() if name != key}
    adata.layers.pop(key, None)
    adata.varm.pop(key, None)
    put(adata, **{_keys.MODELS: remaining or None})


def attributions(adata: AnnData, key: str) -> npt.NDArray[np.floating] | None:
    """Return genes × perturbations, or None."""
    return np.asarray(adata.varm[key]) if key in adata.varm else None


def put_profile_slots(adata: AnnData, arrays: Mapping[str, Any]) -> None:
    """Store moments: names ``layers/x``, ``varm/x``, ``obsm/x``."""
    with _quiet():
        for name, values in arrays.items():
            slot, key = name.split("/")
            getattr(adata, slot)[key] = values


def profile_slot(adata: AnnData, name: str) -> FloatArray | None:
    """Return the array of a slot name ``layers/x``, ``varm/x``, ``obsm/x``, or None."""
    slot, key = name.split("/")
    values = getattr(adata, slot)
    # AnnData turns the order in memory of what is sliced by genes
    return np.ascontiguousarray(values[key], dtype=np.float64) if key in values else None


def profile_stack(adata: AnnData, names: Sequence[str], axis: int = 0) -> FloatArray | None:
    """Return the arrays of some slots in one, without a copy where they are parts of one; None if one is missing."""
    arrays = [getattr(adata, slot).get(key) for slot, key in (name.split("/") for name in names)]
    if any(array is None for array in arrays):
        return None
    values = [np.asarray(array, dtype=np.float64) for array in arrays]
    at = [array.__array_interface__["data"][0] for array in values]
    shape, strides, base = values[0].shape, values[0].strides, values[0].base
    alike = all(array.shape == shape and array.strides == strides and array.base is base for array in values)
    if base is not None and alike and strides[-1] == 8 and len(set(np.diff(at))) == 1:
        shape, strides = (*shape[:axis], len(at), *shape[axis:]), (*strides[:axis], at[1] - at[0], *strides[axis:])
        return as_strided(values[0], shape, strides)
    return np.ascontiguousarray(np.stack(values, axis=axis))


class _quiet(warnings.catch_warnings):
    """A view is made actual on writing, as scanpy does, without a warning."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.simplefilter("ignore", ImplicitModificationWarning)
        return entered


def put_obs(adata: AnnData, key: str, values: Any) -> None:
    """Store a column of ``obs``."""
    with _quiet():
        adata.obs[key] = values


def put_var(adata: AnnData, key: str, values: Any) -> None:
    """Store a column of ``var``."""
    with _quiet():
        adata.var[key] = values
