"""Logging, according to ``scanpy.settings.verbosity``."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

from tqdm import tqdm

logger = logging.getLogger("scpertbias")
logger.addHandler(logging.NullHandler())

_BAR, _INFO, _HINT = 1, 2, 3


def _verbosity() -> int:
    """Return the verbosity of scanpy; 0 if scanpy is not imported, as in an inspection, or within ``quiet``."""
    scanpy = sys.modules.get("scanpy")
    return 0 if scanpy is None or _QUIET.get() else int(scanpy.settings.verbosity)


def info(message: str) -> None:
    """Log what was done, like scanpy (from verbosity 2)."""
    logger.info(message)
    if _verbosity() >= _INFO:
        sys.modules["scanpy"].logging.info(message)


def added(*slots: str) -> None:
    """Log the stored slots (from verbosity 3)."""
    message = "added\n" + "\n".join(f"    {slot}" for slot in slots)
    logger.debug(message)
    if _verbosity() >= _HINT:
        sys.modules["scanpy"].logging.hint(message)


def progress(
    what: str, total: int | None, *, unit: str = "it", items: Iterable[Any] | None = None, **kwargs: Any
) -> tqdm:
    """Return a progress bar, over items if given (shown from verbosity 1)."""
    if _verbosity() < _BAR:
        return tqdm(items, total=total, disable=True)
    from tqdm import auto  # in a notebook without widgets it warns when it is imported, which our import must not do

    return auto.tqdm(items, total=total, desc=what, unit=unit, **kwargs)


def some(names: Iterable[object], n: int = 5) -> str:
    """Return the first names for a message, with "…" if there are more."""
    listed = [str(name) for name in names]
    return ", ".join(listed[:n]) + (", …" if len(listed) > n else "")


_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress messages and warnings within the context."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


_WARNED: ContextVar[set[str] | None] = ContextVar("warned", default=None)


@contextmanager
def warn_once() -> Iterator[None]:
    """Show each warning only once within the context."""
    token = None if _WARNED.get() is not None else _WARNED.set(set())
    try:
        yield
    finally:
        if token is not None:
            _WARNED.reset(token)


def warn(message: str) -> None:
    """Warn the user; the warning shows a line of the user's code."""
    if _QUIET.get():
        return
    if (warned := _WARNED.get()) is not None:
        if message in warned:
            return
        warned.add(message)
    warnings.warn(message, UserWarning, stacklevel=_depth())


def _depth() -> int:
    """Frames between here and the first one outside the package."""
    depth = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == "scpertbias":
        depth += 1
        frame = frame.f_back
    return depth
