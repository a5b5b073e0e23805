"""Values and tables that are computed when they are read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

import numpy as np

from .. import _compat
from .._core.arrays import BoolArray, FloatArray

Value = TypeVar("Value")


class OnDemand(Mapping[str, Value], Generic[Value]):
    """Values computed on demand; only the last computed one is kept.

    A loop over ``items()`` would hold a value while the next one is computed: loop over the names.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Value]], at_hand: Mapping[str, Value] | None = None) -> None:
        self._makers, self._at_hand = dict(makers), dict(at_hand or {})
        self._last: dict[str, Value] = {}
        self._lock = threading.RLock()  # parts are made in the threads that do them

    def __getitem__(self, name: str) -> Value:
        if name in self._at_hand:
            return self._at_hand[name]
        with self._lock:
            if name not in self._last:
                maker = self._makers[name]
                self._last = {}  # first, so that there are never two
                _compat.release_memory()
                self._last = {name: maker()}
            return self._last[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class Tables(Mapping[str, FloatArray]):
    """Tables computed at each access."""

    def __init__(self, makers: Mapping[str, Callable[[], FloatArray]]) -> None:
        self._makers = dict(makers)
        self._known: dict[str, BoolArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        return self._makers[name]()

    def known_rows(self, name: str) -> BoolArray:
        """Return the rows of a table without gaps; they are kept."""
        if name not in self._known:
            self._known[name] = _without_gaps(self[name])
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def known_rows(tables: Mapping[str, FloatArray], name: str) -> BoolArray:
    """Return the rows of a table without gaps."""
    return tables.known_rows(name) if isinstance(tables, Tables) else _without_gaps(tables[name])


def _without_gaps(table: FloatArray) -> BoolArray:
    return np.asarray(np.isfinite(table).all(axis=1), dtype=np.bool_)
