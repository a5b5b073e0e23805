"""Reading of stored models and tables: their names, training data and predictions."""

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
"""Training data of external models: cells of this screen, or other data."""
BATCH_WEIGHTS = "batch_weights"
NOISE_WEIGHTS = "noise_weights"


def model_records(adata: AnnData, models: str | Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """Return the records of the requested models; the error for a missing model lists the stored ones."""
    records = _store.models(adata)
    if not records:
        msg = "No model is stored. First run spb.tl.fit_mean (or another spb.tl.fit_*), or spb.tl.add_predictions."
        raise KeyError(msg)
    names = list(records) if models is None else [models] if isinstance(models, str) else list(models)
    if not names:
        msg = f"`models` is empty; choose from {list(records)}."
        raise ValueError(msg)
    missing = [name for name in names if name not in records]
    if missing:
        msg = f"`models`: {missing} are not stored; choose from {list(records)}."
        raise KeyError(msg)
    without_layer = [name for name in names if not _store.has_layer(adata, name)]
    if without_layer:
        msg = f"`models`: the layers of {without_layer} were removed. Fit these models again."
        raise KeyError(msg)
    return {name: records[name] for name in names}


def model_names(data: AnnData | MuData) -> list[str]:
    """Return the names of all models that are stored, here or in a regime, or occur in a table; without the observed data."""
    parts = (
        list(data.mod.values()) if isinstance(data, MuData) else [data]
    )  # in an audit, the models of the audit are a table
    tables = [table for table in _store.root(data).values() if isinstance(table, pd.DataFrame)]
    columns = [table[column] for table in tables for column in _keys.MODEL_COLUMNS if column in table]
    names = [*(name for part in parts for name in _store.models(part)), *(name for c in columns for name in c.unique())]
    return [str(name) for name in dict.fromkeys(names) if name not in ("", _keys.OBSERVED)]


def table_of_models(data: AnnData | MuData, name: str) -> pd.DataFrame:
    """Return a table that needs stored models; for an audit without models, the error says how to store them."""
    if isinstance(data, MuData) and not _store.has_table(data, name) and _has_tables_only(data):
        msg = (
            f"There is no table {name!r}, because it needs stored models and this audit contains only tables. Run spb.tl.audit "
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
    """Return the settings for reading the data when the models were fitted; different settings raise an error."""
    first_name, first = next(iter(records.items()))
    agreed = _data_of(first)
    for name, record in records.items():
        data = _data_of(record)
        differ = [key for key in DATA if data[key] != agreed[key]]
        if differ:
            differences = ", ".join(f"{key}: {agreed[key]!r} and {data[key]!r}" for key in differ)
            msg = f"Models {first_name!r} and {name!r} were fitted on different data ({differences}). Pass models= with models of the same data."
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
    """Return the models with constant predictions for unseen perturbations."""
    return tuple(name for name, record in records.items() if record.get("constant"))


def one_split(records: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str] | None]:
    """Return the models that are not cross-fitted, with their declared held-out perturbations (None: not declared)."""
    tests = {name: record.get("test") for name, record in records.items() if not record.get("cross_fitted")}
    return {name: None if test is None else [str(p) for p in np.asarray(test)] for name, test in tests.items()}


def are_changes(record: Mapping[str, Any]) -> bool:
    """Whether the predictions of an external model are changes, added to the control mean of the data."""
    params = record.get("params", {})
    return params.get("kind") in ("delta", "log2fc") or params.get("control") == "predicted"


def control_weights(records: Mapping[str, Mapping[str, Any]], screen: _moments.Screen) -> dict[str, FloatArray]:
    """Return by external model the control weights of its predictions (perturbations × batches).

    These are the weights of the control noise that predictions have in common with observed effects: the shares of the
    batches in the control for means, none for changes, and the shares in the predicted cells if these have batches.
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
    """Return by model the amount of noise of the data in its predictions (perturbations × batches and one).

    None: as much as in the mean of the training data, which is assumed for models with unknown fits.
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
