"""Files that are part of the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import anndata as ad
import pandas as pd


@cache
def _cached_table(name: str) -> pd.DataFrame:
    with as_file(files(__package__) / "data" / name) as path:
        return pd.read_csv(path)


def read_table(name: str) -> pd.DataFrame:
    """Read a bundled CSV file; each caller gets a copy."""
    return _cached_table(name).copy()


def read_bundled_h5ad(name: str) -> ad.AnnData:
    """Read a bundled h5ad file into memory."""
    with as_file(files(__package__) / "data" / name) as path:
        return ad.read_h5ad(path)
