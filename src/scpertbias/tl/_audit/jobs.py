"""The parts of an audit: independent pieces of work, done in any order and anywhere, each kept as soon as it is done."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
import scanpy as sc

from ..._files import reading
from ..._log import info

Arrays = dict[str, npt.NDArray[Any]]
Place = tuple[str, ...]

FORMAT = 2
"""To be raised with every change to what a part computes or how it is written: earlier files are then not read."""


@dataclass(frozen=True)
class Part:
    """One piece of work.

    ``place`` says which it is, ``work`` does it and returns arrays, ``inputs`` is all that these depend on (large things
    as their :func:`digest`); ``prepare`` is called before ``work`` is handed out, and not for a part that is in the cache.
    A ValueError that ``work`` raises is its result: the reason why there are no arrays.
    """

    place: Place
    work: Callable[[], Arrays]
    inputs: Any = field(default=None, repr=False)
    prepare: Callable[[], None] = lambda: None


def run(parts: Iterable[Part], *, n_jobs: int | None, cache: Cache | None) -> Iterator[tuple[Place, Arrays | str]]:
    """Do the parts, and yield the result of each, or why it has none, as it comes.

    Parts are asked for only as workers get free, so an iterator need not hold what all of them work on. They run on
    threads, or on whatever ``joblib.parallel_config`` names. What is in the cache is not done again.
    """
    kept: list[tuple[Place, Arrays | str]] = []
    keys: dict[Place, str] = {}

    def missing() -> Iterator[Any]:
        for part in parts:
            if cache is not None:
                keys[part.place] = cache.key(part)
                if (arrays := cache.read(keys[part.place])) is not None:
                    kept.append((part.place, arrays))
                    continue
            part.prepare()
            yield joblib.delayed(_attempt)(part.place, part.work)

    def done() -> Iterator[tuple[Place, Arrays | str]]:
        while kept:
            yield kept.pop()

    pool = joblib.Parallel(n_jobs=jobs(n_jobs), prefer="threads", return_as=_as_they_come())
    for place, result in pool(missing()):
        yield from done()
        if cache is not None and not isinstance(result, str):
            cache.write(keys[place], result)
        yield place, result
    yield from done()


def _attempt(place: Place, work: Callable[[], Arrays]) -> tuple[Place, Arrays | str]:
    try:
        return place, work()
    except ValueError as err:
        return place, str(err)


def jobs(n_jobs: int | None) -> int | None:
    """Return the number of jobs: as asked, else that of ``joblib.parallel_config`` (None), else scanpy's."""
    if n_jobs is not None or joblib.effective_n_jobs(None) > 1:
        return n_jobs
    return int(sc.settings.n_jobs)


def _as_they_come() -> str:
    """Return how results are handed over; joblib's multiprocessing backend can only give all at once."""
    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    return "generator_unordered" if backend.supports_return_generator else "list"


class Cache:
    """A folder with a file for each part that is done.

    A file is written beside and renamed, so it is whole or not there; one that cannot be read, or whose checksums do not
    hold, counts as not there. Several processes may share a folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            msg = f"`cache`: {str(self.folder)!r} is a file; a folder is needed."
            raise ValueError(msg)
        self.folder.mkdir(parents=True, exist_ok=True)

    def key(self, part: Part) -> str:
        """Return the key of a part: a digest of its place, of all that it depends on, and of the version."""
        return digest([FORMAT, version("scpertbias"), list(part.place), part.inputs])

    def read(self, key: str) -> Arrays | None:
        """Return the arrays of a part that was done before, or None."""
        try:
            path = self._path(key)
            with reading(path), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except FileNotFoundError:
            return None
        except ValueError as err:
            info(f"{err}: it is made again")
            return None

    def write(self, key: str, arrays: Arrays) -> None:
        """Keep the arrays of a part."""
        handle, beside = tempfile.mkstemp(dir=self.folder, prefix=key, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own options
            Path(beside).replace(self._path(key))
        finally:
            Path(beside).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"


def digest(value: Any) -> str:
    """Return a digest of a value: the same in every process, for arrays, frames, text, numbers and collections."""
    return str(joblib.hash(_hashable(value), hash_name="sha1"))


def _hashable(value: Any) -> Any:
    """Make objects plain: joblib's digest of a frame or an object array depends on how its text lies in memory."""
    if isinstance(value, pd.DataFrame):
        return {"index": _hashable(value.index), **{f"column {c}": _hashable(value[c]) for c in value.columns}}
    if isinstance(value, pd.Series | pd.Index):
        return _hashable(value.to_numpy())
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [str(item) for item in value.ravel()]
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)
    if isinstance(value, dict):
        return {str(k): _hashable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_hashable(item) for item in value]
    return value
