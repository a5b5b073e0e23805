"""Stored models and tables, read back: which there are, on what they were fitted, what they predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from . import _keys, _moments, _store
from ._core.arrays import FloatArray, IntArray

DATA = (
    "groupby",
    "reference",
    "combination_sep",
    "label_map",
    "batch_key",
    "min_cells",
    "layer",
    "split_key",
    "gene_symbols",
)
FOLD = "fold"
THIS, OTHER = "this", "other"
"""What external models were fitted on: cells of this screen, or others."""
BATCH_WEIGHTS = "batch_weights"
NOISE_WEIGHTS = "noise_weights"


def model_records(adata: AnnData, models: str | Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """Return the records of the models asked for; a missing one is an error that lists those present."""
    records = _store.models(adata)
    if not records:
        msg = "No model is stored. First run spb.tl.fit_mean (or another fit_*), or spb.tl.add_predictions."
        raise KeyError(msg)
    names = list(records) if models is None else [models] if isinstance(models, str) else list(models)
    if not names:
        msg = f"`models` is empty; there are {list(records)}."
        raise ValueError(msg)
    missing = [name for name in names if name not in records]
    if missing:
        msg = f"`models`: {missing} are not stored; there are {list(records)}."
        raise KeyError(msg)
    without_layer = [name for name in names if not _store.has_layer(adata, name)]
    if without_layer:
        msg = f"`models`: the layers of {without_layer} are gone; fit them again."
        raise KeyError(msg)
    return {name: records[name] for name in names}


def model_names(data: AnnData | MuData) -> list[str]:
    """Return every model that is stored, here or in a regime, or that a table is about; the observed data are none."""
    parts = list(data.mod.values()) if isinstance(data, MuData) else [data]  # an audit's own models are a table
    tables = [table for table in _store.root(data).values() if isinstance(table, pd.DataFrame)]
    columns = [table[column] for table in tables for column in _keys.MODEL_COLUMNS if column in table]
    names = [*(name for part in parts for name in _store.models(part)), *(name for c in columns for name in c.unique())]
    return [str(name) for name in dict.fromkeys(names) if name not in ("", _keys.OBSERVED)]


def table_of_models(data: AnnData | MuData, name: str) -> pd.DataFrame:
    """Return a table that is made of stored models; of an audit that stored none, the error says how to have it."""
    if isinstance(data, MuData) and not _store.has_table(data, name) and _has_tables_only(data):
        msg = (
            f"There is no table {name!r}: it needs stored models, but this audit kept only tables. Run spb.tl.audit "
            "with keep_predictions=True (scpertbias audit without --tables-only)."
        )
        raise KeyError(msg)
    return _store.table(data, name, made_by=f"spb.tl.{name}")


def _has_tables_only(mdata: MuData) -> bool:
    """Whether models of an audit are not stored in it; external ones always are."""
    if "full" not in mdata.mod or not _store.has_table(mdata, "models"):
        return False
    table = _store.table(mdata, "models", made_by="spb.tl.audit")
    return not set(table.loc[table["regime"] == "full", "model"]) <= set(_store.models(mdata.mod["full"]))


def agreed_data(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what was asked when the models were fitted; models that disagree are an error."""
    first_name, first = next(iter(records.items()))
    agreed = _data_of(first)
    for name, record in records.items():
        data = _data_of(record)
        differ = [key for key in DATA if data[key] != agreed[key]]
        if differ:
            differences = ", ".join(f"{key}: {agreed[key]!r} and {data[key]!r}" for key in differ)
            msg = f"Models {first_name!r} and {name!r} were fitted on different data ({differences}); choose with models=."
            raise ValueError(msg)
    return agreed


def _data_of(record: Mapping[str, Any]) -> dict[str, Any]:
    data = record.get("data", {})
    out: dict[str, Any] = {}
    for key in DATA:
        value = data.get(key)
        out[key] = [str(v) for v in value] if isinstance(value, np.ndarray | list | tuple) else value
    out["min_cells"] = int(out["min_cells"])
    return out


def constant(records: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the models whose records say that they predict the same for every perturbation that they have not seen."""
    return tuple(name for name, record in records.items() if record.get("constant"))


def one_split(records: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str] | None]:
    """Return the models that are not cross-fitted, with what their makers say that they have not seen (None: nothing)."""
    tests = {name: record.get("test") for name, record in records.items() if not record.get("cross_fitted")}
    return {name: None if test is None else [str(p) for p in np.asarray(test)] for name, test in tests.items()}


def are_changes(record: Mapping[str, Any]) -> bool:
    """Whether the predictions of an external model are changes, added to the control mean of the data."""
    params = record.get("params", {})
    return params.get("kind") in ("delta", "log2fc") or params.get("control") == "predicted"


def control_weights(records: Mapping[str, Mapping[str, Any]], screen: _moments.Screen) -> dict[str, FloatArray]:
    """Return by external model the control weights of its predictions (perturbations × batches).

    Predictions share them with observed effects: the shares of the batches in the control if they are means, none if
    they are changes, and those of their own cells where these lie in batches.
    """
    n_control = screen.moments.n_control
    weights = {}
    for name, record in records.items():
        if record.get("kind") == "external":
            of_model = np.zeros(len(n_control)) if are_changes(record) else n_control / n_control.sum()
            weights[name] = np.tile(of_model, (len(screen.names), 1))
            if record.get(BATCH_WEIGHTS) is not None:
                weights[name] = batch_weights(record).loc[list(screen.names)].to_numpy()
    return weights


def noise_weights(records: Mapping[str, Mapping[str, Any]], screen: _moments.Screen) -> dict[str, FloatArray | None]:
    """Return by model how much noise of the data its predictions hold (perturbations × batches and one).

    None: as much as the mean of what it was trained on, which is what is taken of models whose fits are not known.
    """
    shares = control_weights(records, screen)
    held: dict[str, FloatArray | None] = {}
    for name, record in records.items():
        held[name] = None
        if record.get("params", {}).get("fitted_on") == OTHER:
            held[name] = np.column_stack([shares[name], np.zeros(len(screen.names))])
        elif record.get(NOISE_WEIGHTS) is not None:
            held[name] = _by_perturbation(record, NOISE_WEIGHTS).reindex(list(screen.names)).to_numpy()
    return held


def batch_weights(record: Mapping[str, Any]) -> pd.DataFrame:
    """Return the shares of the batches in the predicted cells of an external model (perturbations × batches)."""
    return _by_perturbation(record, BATCH_WEIGHTS)


def _by_perturbation(record: Mapping[str, Any], fact: str) -> pd.DataFrame:
    names = [str(name) for name in record["perturbations"]]
    return pd.DataFrame(np.asarray(record[fact], dtype=np.float64), index=names)


def copy_batch_weights(adata: AnnData, key: str, record: Mapping[str, Any]) -> None:
    """Copy the shares of the batches of predicted cells from the record of a model stored elsewhere, if it has any."""
    if record.get(BATCH_WEIGHTS) is not None:
        names = [str(name) for name in _store.models(adata)[key]["perturbations"]]
        _store.add_to_model(adata, key, **{BATCH_WEIGHTS: batch_weights(record).reindex(names).fillna(0.0).to_numpy()})


def folds(adata: AnnData, records: Mapping[str, Mapping[str, Any]]) -> dict[str, int] | None:
    """Return the fold of each perturbation if any of the models is cross-fitted."""
    if not any(record.get("cross_fitted") for record in records.values()) or FOLD not in adata.obs:
        return None
    return {str(p): int(f) for p, f in zip(adata.obs["perturbation"], adata.obs[FOLD], strict=True) if f >= 0}


def predictions(adata: AnnData, key: str, screen: _moments.Screen | None = None) -> pd.DataFrame:
    """Return predictions as perturbations × genes, the reference included."""
    record = model_records(adata, key)[key]
    if screen is not None:
        names, codes = screen.names, screen.codes
    else:
        names, codes = _names_and_codes(adata, record)
    first = np.full(len(names), -1, dtype=np.int64)
    rows = np.flatnonzero(codes >= 0)[::-1]
    first[codes[rows]] = rows
    layer = _store.matrix(adata, key)
    values = np.full((len(names), adata.n_vars), np.nan)
    values[first >= 0] = np.asarray(layer)[first[first >= 0]]
    return pd.DataFrame(values, index=pd.Index(names, name="perturbation"), columns=adata.var_names)


def _names_and_codes(adata: AnnData, record: Mapping[str, Any]) -> tuple[tuple[str, ...], IntArray]:
    if _store.profiles_record(adata) is not None:
        screen = _moments.of(adata)
        return screen.names, screen.codes
    data = _data_of(record)
    labels, _, _ = _moments.read_labels(adata, data)
    return labels.names, labels.codes
