"""Files that the command line reads; each error names the file in one line."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import pandas as pd
from mudata import MuData

from .. import _compat, _store, _validate
from .._files import reading
from ..ds._assemble import TRUTH

FORMATS = (".h5ad", ".zarr")
FIRST = 2_000


def read_cells(path: Path, *, backed: bool = False) -> tuple[ad.AnnData, dict[str, Any] | None]:
    """Return the cells (``backed``: left on disk), and what was planted where spb.ds.simulate made them."""
    with reading(path):
        if path.suffix == ".zarr":
            return ad.io.read_zarr(path), None
        with h5py.File(path) as file:
            truth = ad.io.read_elem(file[f"uns/{TRUTH}"]) if f"uns/{TRUTH}" in file else None
        return ad.io.read_h5ad(path, backed="r" if backed else None), truth


def read_audit(path: Path) -> MuData:
    """Return a stored audit."""
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is of another kind is refused below, by what it lacks
        data = _compat.read_h5mu(str(path))
        if "full" not in data.mod:
            msg = "it holds no audit"
            raise ValueError(msg)
        return data


def read_net(path: Path) -> pd.DataFrame:
    """Return a net from CSV or TSV."""
    return _frame(path, index=None)


def read_predictions(path: Path) -> ad.AnnData | pd.DataFrame:
    """Return another model's predictions: an AnnData, or a table whose first column names the perturbation."""
    return read_cells(path)[0] if path.suffix in FORMATS else _frame(path, index=0)


def holds_counts(adata: ad.AnnData, layer: str | None) -> bool:
    """Whether the values are raw counts, to be normalized; of cells on disk the first are looked at."""
    if adata.isbacked:
        adata = adata[:FIRST].to_memory()
    try:
        _validate.scale(_store.matrix(adata, layer), layer=layer, normalize=True)
    except ValueError:
        return False
    return True


def _frame(path: Path, *, index: int | None) -> pd.DataFrame:
    with reading(path):
        return pd.read_csv(path, sep="\t" if path.suffix in (".tsv", ".txt") else ",", index_col=index)
