"""Input files of the command line; each error names the file in one line."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import pandas as pd
import zarr
from mudata import MuData

from .. import _compat, _keys, _store, _validate
from .._files import read_predicted, reading
from .._inspect.source import modality_of
from .._keys import FULL
from .._moments.streaming import beginning
from ..ds._simulation.assemble import TRUTH
from .values import FORMATS


def read_cells(
    path: Path, *, layer: str | None = None, memory: float = math.inf, modality: str | None = None
) -> tuple[ad.AnnData, dict[str, Any] | None]:
    """Return the cells, and the simulated quantities if ``spb.ds.simulate`` made them.

    A matrix that needs more than ``memory`` gigabytes stays in the file; then only ``obs`` and ``var`` are read.
    """
    with reading(path):
        file: Any = zarr.open_group(path, mode="r") if path.suffix == ".zarr" else h5py.File(path)
        if path.suffix == ".h5mu":
            file = file["mod"][modality_of(file, modality)]
        truth = ad.io.read_elem(file[f"uns/{TRUTH}"]) if f"uns/{TRUTH}" in file else None
        values = file.get("X" if layer is None else f"layers/{layer}")
        if values is not None and _gigabytes(values) > memory:
            return _on_disk(file, values, layer), truth
        if path.suffix == ".zarr":
            return ad.io.read_zarr(path), truth
        if path.suffix == ".h5mu":
            return ad.io.read_elem(file), truth
        file.close()
        return ad.io.read_h5ad(path), truth


def _gigabytes(values: Any) -> float:
    """Return the memory that a matrix needs, in gigabytes."""
    parts = [values] if hasattr(values, "dtype") else [values["data"], values["indices"], values["indptr"]]
    return sum(math.prod(part.shape) * part.dtype.itemsize for part in parts) / 1e9


def _on_disk(file: Any, values: Any, layer: str | None) -> ad.AnnData:
    """Return cells whose matrix stays in the open file."""
    x = values if hasattr(values, "dtype") else ad.io.sparse_dataset(values)
    key = f"uns/{_keys.ROOT}/{_keys.LAYERS}/{layer}"
    record = ad.io.read_elem(file[key]) if key in file else None
    if layer is None and "layers/counts" in file:  # an export of log-normalized values includes the counts
        counts = file["layers/counts"]
        counts = counts if hasattr(counts, "dtype") else ad.io.sparse_dataset(counts)
        return ad.AnnData(
            X=x, obs=ad.io.read_elem(file["obs"]), var=ad.io.read_elem(file["var"]), layers={"counts": counts}
        )
    return _store.assembled(x, ad.io.read_elem(file["obs"]), ad.io.read_elem(file["var"]), layer, record)


def read_audit(path: Path) -> MuData:
    """Return a stored audit."""
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other kinds of files raise an error below
        data = _compat.read_h5mu(str(path))
        if "full" not in data.mod:
            msg = "the file is not an audit; pass an audit.h5mu that `scpertbias audit` wrote"
            raise ValueError(msg)
        return data


def read_net(path: Path) -> pd.DataFrame:
    """Return a net, or gene sets, from CSV or TSV."""
    with reading(path):
        return pd.read_csv(path, sep="\t" if path.suffix in (".tsv", ".txt") else ",")


def predictions_by_model(files: Sequence[tuple[str, Path]], how: Mapping[str, Any]) -> dict[str, Any]:
    """Return external predictions for :func:`scpertbias.tl.audit`; ``NAME@REGIME`` is a model retrained in a regime."""
    trainings: dict[str, dict[str, Any]] = {}
    for name, path in files:
        model, at, training = name.partition("@")
        training = training if at else FULL
        if training in trainings.setdefault(model, {}):
            msg = f"--predictions {name} is passed twice; pass one file for each model and regime"
            raise ValueError(msg)
        trainings[model][training] = {"predictions": read_predictions(path), **how}
    return {model: parts[FULL] if list(parts) == [FULL] else parts for model, parts in trainings.items()}


def read_predictions(path: Path) -> ad.AnnData | pd.DataFrame:
    """Return predictions: an AnnData, or a table whose first column names the perturbation."""
    return read_cells(path)[0] if path.suffix in FORMATS else read_predicted(path)


def holds_counts(adata: ad.AnnData, layer: str | None) -> bool:
    """Whether the values are raw counts, which must be normalized; of cells on disk only the first are tested."""
    try:
        _validate.scale(beginning(_store.matrix(adata, layer)), layer=layer, normalize=True)
    except ValueError:
        return False
    return True
