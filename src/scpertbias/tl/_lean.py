"""The regimes of an audit; where only its tables are kept they are made when asked for, and predictions lie in a folder."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from anndata import AnnData
from mudata import MuData

from .. import _compat, _moments, _store
from .._moments import Screen
from ..pp._regimes import REGRESSED, Plan, left_out_table, made
from ..pp._regress import regress_profiles

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Value = TypeVar("Value")
FULL = "full"


class OnDemand(Mapping[str, Value], Generic[Value]):
    """Values that are made when asked for; of those that are not at hand only the last is held."""

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
    """Tables that are made each time they are asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], FloatArray]]) -> None:
        self._makers = dict(makers)

    def __getitem__(self, name: str) -> FloatArray:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True)
class Shelved:
    """A solution whose predictions are in a file."""

    path: Path
    note: str = ""
    chosen: dict[str, Any] = field(default_factory=dict)
    coef: None = None

    @property
    def predictions(self) -> FloatArray:
        """Predictions for all perturbations."""
        return np.load(self.path)


class Shelf:
    """A folder of tables that are filled row by row; it is gone when nothing refers to it any more."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="scpertbias_"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._paths: dict[tuple[str, str], Path] = {}

    def fill(
        self, name: tuple[str, str], empty: Callable[[], FloatArray], rows: npt.NDArray[np.bool_], values: Any
    ) -> None:
        """Fill some rows of a table, which is ``empty()`` before."""
        if name not in self._paths:
            self._paths[name] = self._folder / f"{len(self._paths)}.npy"
            np.save(self._paths[name], empty())
        table = np.lib.format.open_memmap(self._paths[name], mode="r+")
        table[rows] = values
        table.flush()

    def solution(self, name: tuple[str, str], note: str, chosen: dict[str, Any]) -> Shelved:
        """Return a table that is full."""
        return Shelved(self._paths[name], note, chosen)


def at_once(profiles: AnnData, plan: Plan, *, fit_on: str) -> tuple[MuData, Mapping[str, Screen]]:
    """Return all regimes, and their screens."""
    mdata = made(profiles, plan, fit_on=fit_on)
    return mdata, {regime: _moments.of(mdata[regime]) for regime in plan.genes}


def on_demand(profiles: AnnData, plan: Plan, *, fit_on: str) -> tuple[MuData, Mapping[str, Screen]]:
    """Return the full regime alone, and the screens of all, made of it when asked for."""
    full = _moments.of(profiles)
    makers: dict[str, Callable[[], Screen]] = {FULL: lambda: full}
    for regime, genes in plan.genes.items():
        if regime == REGRESSED:
            makers[regime] = partial(_regressed, full, fit_on)
        elif regime != FULL:
            makers[regime] = partial(_without, full, genes)
    only = _compat.mudata({FULL: profiles})
    _store.put(only, regimes_left_out=left_out_table(plan))
    return only, OnDemand(makers, {FULL: full})


def _without(full: Screen, keep: BoolArray) -> Screen:
    return replace(full, moments=full.moments.genes(keep), genes=full.genes[keep], symbols=full.symbols[keep])


def _regressed(full: Screen, fit_on: str) -> Screen:
    moments, _ = regress_profiles(full, None, fit_on=fit_on)
    return replace(full, moments=moments, record={**full.record, "regressed": True})


def complete(only: MuData, plan: Plan, *, fit_on: str) -> MuData:
    """Make the profiles of all regimes, beside the tables of the audit."""
    mdata = made(only[FULL], plan, fit_on=fit_on)
    _store.put(mdata, **_store.root(only))
    return mdata
