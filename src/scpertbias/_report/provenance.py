"""What was run, on what, with which versions: enough to run it again."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from threading import Thread, get_native_id
from typing import Any

import numpy as np
from mudata import MuData

from .. import _store

AT_ONCE = 1 << 24
"""Bytes of a file that are read together."""
LOWEST = 19
"""Priority of a thread that only uses time which is left over."""
PACKAGES = ("scpertbias", "numpy", "scipy", "pandas", "anndata", "scanpy", "mudata")
PARAMETERS = (
    "groupby",
    "reference",
    "combination_sep",
    "label_map",
    "batch_key",
    "min_cells",
    "layer",
    "split_key",
    "gene_symbols",
    "guide_key",
    "covariates",
    "fit_on",
    "normalize",
    "size_factors",
    "target_sum",
    "n_folds",
    "n_top_genes",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the numbers rest on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


class Checksum:
    """The SHA-256 of a file, computed while other work goes on; a folder (zarr) has none."""

    def __init__(self, path: Path) -> None:
        self._value: Future[str | None] = Future()
        Thread(target=self._compute, args=(path,), daemon=True).start()  # an error elsewhere does not wait for it

    def value(self) -> str | None:
        """Return the checksum, once it is known."""
        return self._value.result()

    def _compute(self, path: Path) -> None:
        try:
            if sys.platform == "linux":  # where a thread can have a priority: other work goes first
                with suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, get_native_id(), LOWEST)
            self._value.set_result(_sha256(path) if path.is_file() else None)
        except (OSError, MemoryError) as err:  # whoever asks for the value gets it, and does not wait forever
            self._value.set_exception(err)


def _sha256(path: Path) -> str:
    digest, buffer = hashlib.sha256(), bytearray(AT_ONCE)
    with path.open("rb", buffering=0) as file:
        while n := file.readinto(buffer):
            digest.update(memoryview(buffer)[:n])
    return digest.hexdigest()


def provenance(data: MuData) -> dict[str, Any]:
    """Return how an audit was made: parameters, seed, and further entries of the command line."""
    audit = _store.root(data).get("audit", {})
    profiles = _store.profiles_record(data["full"]) or {}
    stored = _store.root(data).get("report", {})
    parameters = {key: _readable(audit.get(key, profiles.get(key))) for key in PARAMETERS}
    if not parameters["normalize"]:
        parameters["target_sum"] = None
    return {
        "versions": _in_order(stored.get("versions", versions())),
        "versions_of": "the audit" if "versions" in stored else "this page",
        "parameters": parameters,
        "seed": _readable(audit.get("rng")),
        "n_cells": _readable(profiles.get("n_cells")),
        "genes": {str(name): int(n) for name, n in audit["n_genes"].items()},
        "created": _readable(stored.get("created")),
        "seconds": _readable(stored.get("seconds")),
        "input": _readable(stored.get("input")),
        "sha256": _readable(stored.get("sha256")),
        "command": _readable(stored.get("command")),
    }


def screen_size(data: MuData) -> dict[str, Any]:
    """Return how many cells, genes and batches a screen has, the fewest controls in one, and what was adopted as a batch."""
    profiles, full = _store.profiles_record(data["full"]) or {}, data["full"]
    in_profiles = int(full.obs["n_cells"][full.obs["used"]].sum()) if "used" in full.obs else 0
    controls = np.atleast_2d(np.asarray(profiles.get("n_blocks", np.zeros((1, 1))))).sum(axis=0)
    n_cells = int(profiles.get("n_cells", in_profiles))
    return {
        "n_cells": n_cells,
        "n_left_out": n_cells - in_profiles,
        "n_genes": int(full.n_vars),
        "n_batches": len(controls),
        "fewest_controls": int(controls[controls > 0].min(initial=controls.max())),
        "adopted": _texts(_store.root(data).get("audit", {}).get("adopted_columns")),
    }


def remarks(data: MuData) -> tuple[list[str], list[str]]:
    """Return the notes of an audit, and the warnings that were given while it ran."""
    notes = _store.root(data).get("audit", {}).get("notes")
    warned = _store.root(data).get("report", {}).get("warnings")
    return _texts(notes), _texts(warned)


def title_of(data: MuData) -> str | None:
    """Return the title that was stored."""
    return _readable(_store.root(data).get("report", {}).get("title"))


def _in_order(by_name: Mapping[str, Any]) -> dict[str, str]:
    """Return versions in the page's order, which a stored audit does not keep."""
    known = [name for name in ("python", *PACKAGES) if name in by_name]
    return {str(name): str(by_name[name]) for name in [*known, *sorted(set(by_name) - set(known))]}


def _texts(values: Any) -> list[str]:
    return [] if values is None else [str(v) for v in np.atleast_1d(np.asarray(values, dtype=object))]


def _readable(value: Any) -> Any:
    """Return a stored value as plain Python: an array as a list, an empty one as None."""
    if isinstance(value, np.ndarray):
        return value.tolist() or None
    if isinstance(value, Mapping):
        return {str(k): _readable(v) for k, v in value.items()}
    return value.item() if isinstance(value, np.generic) else value
