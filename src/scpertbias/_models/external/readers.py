"""Readers of external predictions: files, tables, AnnData, dicts, and slots of the data."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from ... import _moments, _store, _validate
from ..._core.arrays import BoolArray, IntArray
from ..._files import SEPARATORS, read_predicted, reading
from ..._moments import Screen
from ..._store import obsm as obsm_slot
from .contexts import rows_of_one_context
from .matching import SHOWN, PredictionRows, column_names, digits, match, own_names

LABEL_COLUMNS = ("perturbation", "condition", "target_gene", "gene", "perturbation_name", "pert", "pert_name", "target")
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy", ".npz")
FORMS = (
    "a DataFrame (perturbations × genes), an AnnData, a path to .h5ad, .csv or .tsv, a dict from label to array, or "
    "the name of a layer or obsm of adata"
)


def read(predictions: Any, adata: AnnData, screen: Screen, *, obsm: str | None) -> PredictionRows:
    """Read predictions in any of the accepted forms."""
    own = _own(predictions, adata, screen) if isinstance(predictions, str) else None
    source = ""
    if own is None and isinstance(predictions, str | os.PathLike):
        path = Path(predictions)
        predictions, source = _load(path, adata), f"file {path.name}"
    if obsm is not None and not isinstance(predictions, AnnData):
        msg = (
            f"`obsm={obsm!r}` is only for predictions in an AnnData, but these predictions are of another type. Omit "
            "`obsm`."
        )
        raise ValueError(msg)
    if own is not None:
        return own
    if isinstance(predictions, AnnData):
        rows = _annotated(predictions, adata, screen, obsm)
    elif isinstance(predictions, pd.DataFrame):
        rows = table_rows(predictions)
    elif isinstance(predictions, Mapping):
        rows = _by_label(predictions, sep=screen.record.get("combination_sep") or "+")
    else:
        msg = f"`predictions` is a {type(predictions).__name__}; pass {FORMS}."
        raise TypeError(msg)
    return replace(rows, source=source) if source else rows


def measured(
    adata: AnnData, predictions: Any, *, gene_names: Sequence[str] | None = None, obsm: str | None = None
) -> BoolArray:
    """Return which genes of the data are predicted, by their names only."""
    screen = _moments.of(adata)
    rows = read(predictions, adata, screen, obsm=obsm)
    genes = column_names(rows, gene_names)
    if genes is None:
        return np.ones(adata.n_vars, dtype=bool)  # without names, matching raises an error later
    return np.asarray(own_names(genes, screen).isin(genes), dtype=bool)


def _own(name: str, adata: AnnData, screen: Screen) -> PredictionRows | None:
    """Read a layer or obsm of the data; its rows are the rows of the data."""
    if _store.has_layer(adata, name):
        values, source = _store.matrix(adata, name), f"layer {name!r}"
    else:
        try:
            values, source = obsm_slot(adata, name), f"obsm {name!r}"
        except KeyError:
            return None
    values, genes = _slot(values, adata.var_names)
    batch = None if _store.profiles_record(adata) is not None else _batch(adata, screen)
    return PredictionRows(
        values, None, genes, are_cells=True, are_integers=_are_integers(values), source=source, batch=batch
    )


def _batch(predicted: AnnData, screen: Screen) -> IntArray | None:
    """Return the batch of the data for each predicted cell, by its name; None if it is unknown."""
    keys = [str(key) for key in screen.record["batch_key"] or ()]
    if not keys or not set(keys) <= set(predicted.obs.columns):
        return None
    codes, names = _validate.batch_codes(predicted, keys)
    of_data = pd.Index([str(name) for name in screen.record["batch_names"]])
    place = np.append(of_data.get_indexer(names), -1)[codes]
    has_control = np.append(screen.moments.n_control > 0, False)
    return np.where(has_control[place], place, -1).astype(np.int64)


def _slot(values: Any, var_names: pd.Index) -> tuple[Any, pd.Index | None]:
    """Return an array and the names of its columns; as many columns as genes are assumed to be these genes, in order."""
    genes = var_names if values.shape[1] == len(var_names) else None
    if isinstance(values, pd.DataFrame):
        named = values.columns.astype(str)
        genes = genes if digits(named) else named
        values = values.to_numpy(np.float64)
    return values, genes


def _load(path: Path, adata: AnnData) -> AnnData | pd.DataFrame:
    """Read a file; pickles are not read."""
    name = path.name.lower()
    if name.endswith(PICKLES):
        msg = (
            f"`predictions`: {path.name} is not read, because unpickling can run any code in the file. If you trust "
            f"it, load it yourself and pass the dict or table."
        )
        raise ValueError(msg)
    if not path.is_file():
        msg = f"`predictions` is {str(path)!r}, which is not a file. {_no_slot(adata, str(path))} Pass {FORMS}."
        raise ValueError(msg)
    separator = next((sep for suffix, sep in SEPARATORS.items() if name.endswith(suffix)), None)
    if separator is None and not name.endswith(".h5ad"):
        msg = f"`predictions`: {path.name} has an unknown file type. Pass an .h5ad, .csv or .tsv file."
        raise ValueError(msg)
    if separator is not None:
        return read_predicted(path)
    with reading(path):
        return ad.read_h5ad(path)


def _no_slot(adata: AnnData, name: str) -> str:
    """Return a message about the available layers and obsm."""
    messages = []
    for look in (_store.matrix, obsm_slot):
        try:
            look(adata, name)
        except KeyError as err:
            messages.append(str(err.args[0]))
    return " ".join(messages)


def _annotated(predicted: AnnData, adata: AnnData, screen: Screen, obsm: str | None) -> PredictionRows:
    """Read an AnnData of predicted cells or profiles, for the context of the data."""
    predicted = predicted.to_memory() if predicted.isbacked else predicted
    if obsm is None and predicted.X is None:
        msg = "`predictions` has no X. Pass obsm= with the name of the slot that contains the predictions."
        raise ValueError(msg)
    labels = _labels_of(predicted, screen)
    context = rows_of_one_context(predicted, labels, match(labels, screen) >= 0, adata)
    if not context.all():
        predicted = predicted[context].copy()
        labels = [label for label, row in zip(labels, context, strict=True) if row]
    values, genes = (
        (predicted.X, predicted.var_names) if obsm is None else _slot(obsm_slot(predicted, obsm), predicted.var_names)
    )
    named = [str(c) for c in predicted.var.columns if not pd.api.types.is_numeric_dtype(predicted.var[c])]
    return PredictionRows(
        values,
        labels,
        genes,
        are_cells=True,
        are_integers=_are_integers(values),
        source=f"AnnData {predicted.n_obs} × {predicted.n_vars}" + (f", obsm {obsm!r}" if obsm else ""),
        hint=f"; its var has the columns {named}" if named else "",
        batch=_batch(predicted, screen),
    )


def _labels_of(predicted: AnnData, screen: Screen) -> list[str]:
    """Return the labels: the first column, otherwise the row names, with a perturbation of the data."""
    groupby = str(screen.record["groupby"])
    for column in dict.fromkeys([groupby, *LABEL_COLUMNS]):
        if column in predicted.obs.columns:
            labels = _text(predicted.obs[column])
            if (match(labels, screen) > 0).any():
                return labels
    names = predicted.obs_names.astype(str).tolist()
    if (match(names, screen) > 0).any():
        return names
    msg = (
        "`predictions`: neither obs_names nor the columns "
        f"{[groupby, *LABEL_COLUMNS]} of obs contain a perturbation of the data, such as {list(screen.names[1 : 1 + SHOWN])}. "
        f"Its obs has the columns {list(predicted.obs.columns)}. Rename the column with the perturbations to {groupby!r}."
    )
    raise ValueError(msg)


def _text(values: pd.Series) -> list[str]:
    return values.astype(object).where(values.notna(), "").astype(str).tolist()


def table_rows(table: pd.DataFrame, *, argument: str = "predictions") -> PredictionRows:
    """Read a table perturbations × genes."""
    words = [str(c) for c, dtype in table.dtypes.items() if not pd.api.types.is_numeric_dtype(dtype)]
    if words:
        msg = (
            f"`{argument}`: the columns {words[:SHOWN]} of the table are not numeric. The index (the first column of a file) must "
            "contain the perturbations, and every other column the values of a gene."
        )
        raise ValueError(msg)
    values = table.to_numpy(np.float64)
    genes = pd.Index(table.columns.astype(str))
    labels = _text(table.index.to_series())
    source = f"table {values.shape[0]} × {values.shape[1]}"
    return PredictionRows(
        values, labels, genes, are_cells=False, are_integers=_are_integers(values), source=source, argument=argument
    )


def _by_label(predictions: Mapping[Any, Any], *, sep: str) -> PredictionRows:
    """Read a dict from label (``sep`` joins a tuple) to one array over genes, or to an array cells × genes."""
    if not predictions:
        msg = "`predictions` is an empty dict. Pass one array per label."
        raise ValueError(msg)
    labels = [sep.join(map(str, key)) if isinstance(key, tuple) else str(key) for key in predictions]
    if all(isinstance(value, pd.Series) for value in predictions.values()):
        table = pd.DataFrame(dict(enumerate(predictions.values()))).T
        return replace(table_rows(table), labels=labels, source=f"dict of {len(labels)} labels")
    arrays = [np.asarray(value) for value in predictions.values()]
    odd = [
        label
        for label, a in zip(labels, arrays, strict=True)
        if a.ndim not in (1, 2) or a.dtype.kind not in "fiu" or a.size == 0
    ]
    if odd:
        msg = (
            f"`predictions`: the values for {odd[:SHOWN]} are not numeric arrays. Pass one array per label, over genes or over "
            "cells × genes."
        )
        raise ValueError(msg)
    if len(widths := {a.shape[-1] for a in arrays}) > 1:
        msg = f"`predictions`: the arrays have different numbers of genes ({sorted(widths)[:SHOWN]}). Predict the same genes for all labels."
        raise ValueError(msg)
    rows = np.array([np.atleast_2d(a).mean(axis=0, dtype=np.float64) for a in arrays])
    are_integers = all(_are_integers(a) for a in arrays)
    return PredictionRows(
        rows, labels, None, are_cells=False, are_integers=are_integers, source=f"dict of {len(labels)} labels"
    )


def _are_integers(values: Any) -> bool:
    """Whether a sample of the values consists of whole numbers with some above 1, like raw counts."""
    flat = (values.data if sparse.issparse(values) else np.asarray(values)).ravel(order="K")
    sample = flat[:: max(1, flat.size // 50_000)]
    return bool(sample.size and np.nanmax(sample, initial=0) > 1 and np.array_equal(sample, np.round(sample)))
