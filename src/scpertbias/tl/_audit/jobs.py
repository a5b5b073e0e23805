"""The jobs of an audit: independent, in any order, each cached when it is finished."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
import scanpy as sc

from ..._compat import release_memory
from ..._core import threads
from ..._files import reading
from ..._log import info

Arrays = dict[str, npt.NDArray[Any]]
JobKey = tuple[str, ...]
Result = TypeVar("Result")

FORMAT = 4
"""Version of the cache. Increase it with every change of results or their format, so that earlier files are not read."""


@dataclass(frozen=True)
class Job:
    """One piece of work.

    ``key`` says which it is, ``work`` does it and returns arrays, ``inputs`` is all that these depend on (large things
    as their :func:`digest`); ``prepare`` is called before ``work`` is handed out, and not for a job that is in the cache.
    A ValueError that ``work`` raises is its result: the reason why there are no arrays.
    """

    key: JobKey
    work: Callable[[], Arrays]
    inputs: Any = field(default=None, repr=False)
    prepare: Callable[[], None] = lambda: None


def run(jobs: Iterable[Job], *, n_jobs: int | None, cache: Cache | None) -> Iterator[tuple[JobKey, Arrays | str]]:
    """Run the jobs, and yield each result, or the reason for its absence, when it is available.

    Jobs are taken from the iterable only as workers get free, so an iterator need not hold what all of them work on.
    They run on threads, or on the backend of ``joblib.parallel_config``. Cached jobs are not repeated.
    """
    cached: list[tuple[JobKey, Arrays | str]] = []
    file_names: dict[JobKey, str] = {}

    def tasks() -> Iterator[Any]:
        for job in jobs:
            if cache is not None:
                file_names[job.key] = cache.file_name(job)
                if (arrays := cache.read(file_names[job.key])) is not None:
                    cached.append((job.key, arrays))
                    continue
            job.prepare()
            key, work = job.key, [job.work]
            del job  # what it works on is freed when it is done, not when the next one is made
            yield joblib.delayed(_attempt)(key, work, share=share)

    def pop_cached() -> Iterator[tuple[JobKey, Arrays | str]]:
        while cached:
            yield cached.pop()

    share = _share_of_processors(n_jobs)
    pool = joblib.Parallel(n_jobs=number_of_workers(n_jobs), prefer="threads", return_as=_order_of_results())
    for key, result in pool(tasks()):
        yield from pop_cached()
        if cache is not None and not isinstance(result, str):
            cache.write(file_names[key], result)
        yield key, result
    yield from pop_cached()


def _attempt(key: JobKey, work: list[Callable[[], Arrays]], *, share: int | None) -> tuple[JobKey, Arrays | str]:
    try:
        with threads.at_most(share):
            return key, work.pop()()
    except ValueError as err:
        return key, str(err)


def in_threads(calls: Iterable[Callable[[], Result]], *, n_jobs: int | None) -> list[Result]:
    """Return the results of some calls, in their order; calls are taken from the iterable as threads get free."""
    n_threads = number_of_threads(n_jobs)
    release_memory()
    share = threads.number_of_processors() // n_threads
    if n_threads == 1:
        return [_and_release(call, share=share) for call in calls]
    pool = joblib.Parallel(n_jobs=n_threads, require="sharedmem", pre_dispatch="n_jobs")
    results: list[Result] = pool(joblib.delayed(_and_release)(call, share=share) for call in calls)
    return results


def _and_release(call: Callable[[], Result], *, share: int) -> Result:
    with threads.at_most(share):
        result = call()
    release_memory()
    return result


def number_of_threads(n_jobs: int | None) -> int:
    """Return the number of threads for ``n_jobs``."""
    return int(joblib.effective_n_jobs(number_of_workers(n_jobs)))


def number_of_workers(n_jobs: int | None) -> int | None:
    """Return ``n_jobs``, else the number of ``joblib.parallel_config`` (None), else scanpy's."""
    if n_jobs is not None or joblib.effective_n_jobs(None) > 1:
        return n_jobs
    return int(sc.settings.n_jobs)


def _share_of_processors(n_jobs: int | None) -> int | None:
    """Return how many processors each of several jobs on threads uses; None where jobs run in other processes."""
    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    in_this_process = getattr(backend, "uses_threads", False)
    return threads.number_of_processors() // number_of_threads(n_jobs) if in_this_process else None


def _order_of_results() -> str:
    """Return how joblib hands over results: as they come; its multiprocessing backend can only give all at once."""
    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    return "generator_unordered" if backend.supports_return_generator else "list"


class Cache:
    """A folder with one file per finished job.

    A file is written under a temporary name and renamed, so that it is complete or absent. A file that cannot be read,
    or with wrong checksums, is ignored. Several processes can share a folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            msg = f"`cache`: {str(self.folder)!r} is a file; pass a folder."
            raise ValueError(msg)
        self.folder.mkdir(parents=True, exist_ok=True)

    def file_name(self, job: Job) -> str:
        """Return the name of a job's file: a digest of its key, of all that it depends on, and of the version."""
        return digest([FORMAT, version("scpertbias"), list(job.key), job.inputs])

    def read(self, file_name: str) -> Arrays | None:
        """Return the arrays of a job that was finished before, or None."""
        try:
            path = self._path(file_name)
            with reading(path), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except FileNotFoundError:
            return None
        except ValueError as err:
            info(f"{err}; the result is computed again")
            return None

    def write(self, file_name: str, arrays: Arrays) -> None:
        """Write the arrays of a job."""
        handle, partial_file = tempfile.mkstemp(dir=self.folder, prefix=file_name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own options
            Path(partial_file).replace(self._path(file_name))
        finally:
            Path(partial_file).unlink(missing_ok=True)

    def _path(self, file_name: str) -> Path:
        return self.folder / f"{file_name}.npz"


def digest(value: Any) -> str:
    """Return a digest of a value: the same in every process, for arrays, frames, text, numbers and collections."""
    return str(joblib.hash(_hashable(value), hash_name="sha1"))


def _hashable(value: Any) -> Any:
    """Convert objects: the digest of joblib for a frame or an object array depends on its memory layout."""
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
