"""Differences between versions and systems, and optional imports."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mudata as md
import pandas as pd
from anndata import AnnData
from packaging.version import Version

EXACT_CSV: dict[str, Any] = {} if Version(pd.__version__) >= Version("3.1") else {"float_precision": "round_trip"}
"""Arguments of `pandas.read_csv` with which numbers are read exactly; newer pandas needs none."""


@contextmanager
def _no_pull() -> Iterator[None]:
    """Stop mudata 0.3 from copying columns between modalities; 0.4 never does."""
    if Version(md.__version__) < Version("0.4"):
        with md.set_options(pull_on_update=False):
            yield
    else:
        yield


def mudata(modalities: Mapping[str, AnnData]) -> md.MuData:
    """Make a MuData whose modalities share rows and overlap in genes."""
    with _no_pull():
        return md.MuData(dict(modalities), axis=-1)


def read_h5mu(path: str) -> md.MuData:
    """Read a MuData from a file."""
    with _no_pull():
        return md.read_h5mu(path)


def write_h5mu(mdata: md.MuData, path: str) -> None:
    """Write a MuData to a file; compressed, moments are a tenth smaller and take eight times as long to write."""
    with _no_pull():
        mdata.write_h5mu(path)


def copy_mudata(mdata: md.MuData) -> md.MuData:
    """Copy a MuData."""
    with _no_pull():
        return mdata.copy()


def release_memory() -> None:
    """Return freed memory to the system. The C library of Linux otherwise keeps it: half a gigabyte in large audits."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
