"""Compiled loops on several threads.

The loops are compiled for one thread and run here on parts of what they go through, rather than by numba's own threads:
these abort the process if they are used from several threads at once where OpenMP is not installed, and with OpenMP
after a fork; and compiling for them takes twice as long.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import joblib
import numpy as np

VARIABLE = "NUMBA_NUM_THREADS"
"""Environment variable that limits the number of threads. ``OMP_NUM_THREADS`` does not: dask sets it to 1 in its workers."""
FEW = 1 << 17
"""With fewer values than this, several threads save no time."""
PARTS_PER_THREAD = 4
"""More than one, because parts take unequal time."""


class _Limit(threading.local):
    n_processors: int | None = None


_limit = _Limit()


def number_of_processors() -> int:
    """Return how many processors loops use: all that are available, unless :func:`at_most` or the variable says less."""
    variable, available = os.environ.get(VARIABLE, ""), int(joblib.cpu_count())
    return _limit.n_processors or max(min(available, int(variable) if variable.isdecimal() else available), 1)


@contextmanager
def at_most(n_processors: int | None) -> Iterator[None]:
    """Limit the processors of loops that the current thread starts, at least one is left; None: no new limit."""
    before = _limit.n_processors
    if n_processors is not None:
        _limit.n_processors = max(min(n_processors, number_of_processors()), 1)
    try:
        yield
    finally:
        _limit.n_processors = before


def run(loop: Callable[..., None], n: int, *arguments: Any, n_values: int) -> None:
    """Run ``loop(start, stop, *arguments)`` over the range of ``n``, in parts on several threads.

    Parameters
    ----------
    loop
        Compiled without the interpreter's lock. What it does at one position does not depend on any other.
    n
        Number of positions.
    arguments
        Arrays; the loop writes into some of them.
    n_values
        Number of values that are read or written: with few of them, the loop runs in the current thread.
    """
    n_threads = min(number_of_processors(), n) if n_values >= FEW else 1
    if n_threads <= 1:
        loop(0, n, *arguments)
        return
    edges = np.linspace(0, n, min(n, PARTS_PER_THREAD * n_threads) + 1).astype(np.int64).tolist()
    parts = deque(zip(edges[:-1], edges[1:], strict=True))
    errors: list[BaseException] = []

    def take_parts() -> None:
        while True:
            try:
                start, stop = parts.popleft()
            except IndexError:
                return
            try:
                loop(start, stop, *arguments)
            except BaseException as err:  # noqa: BLE001 - raised below, when no thread works any more
                errors.append(err)
                parts.clear()

    # Threads of its own: a pool takes three times as long to start.
    others = [threading.Thread(target=take_parts) for _ in range(n_threads - 1)]
    try:
        for other in others:
            other.start()
        take_parts()
    except RuntimeError:  # no further thread can be started: those that run do the work
        take_parts()
    finally:  # also when the user interrupts: nobody may write into the arrays afterwards
        parts.clear()
        for other in others:
            if other.ident is not None:
                other.join()
    try:
        if errors:
            raise errors[0]
    finally:
        errors.clear()  # an error holds the arrays by its frames
