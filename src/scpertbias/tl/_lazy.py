"""Values and tables that are computed when they are read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from .._core.arrays import FloatArray

Value = TypeVar("Value")


class OnDemand(Mapping[str, Value], Generic[Value]):
    """Values computed on demand; only the last computed one is kept."""

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
                self._last = {name: maker()}
            return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class Tables(Mapping[str, FloatArray]):
    """Tables computed at each access."""

    def __init__(self, makers: Mapping[str, Callable[[], FloatArray]]) -> None:
        self._makers = dict(makers)

    def __getitem__(self, name: str) -> FloatArray:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)
