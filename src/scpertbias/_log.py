"""The package's logger, in step with ``scanpy.settings.verbosity``."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterable
from types import FrameType
from typing import Any

import scanpy as sc
from tqdm import tqdm

logger = logging.getLogger("scpertbias")
logger.addHandler(logging.NullHandler())

_BAR, _INFO, _HINT = 1, 2, 3


def info(message: str) -> None:
    """Say what was done, as scanpy's lines do (from verbosity 2)."""
    logger.info(message)
    if int(sc.settings.verbosity) >= _INFO:
        sc.logging.info(message)


def added(*slots: str) -> None:
    """Say what was stored where (from verbosity 3)."""
    message = "added\n" + "\n".join(f"    {slot}" for slot in slots)
    logger.debug(message)
    if int(sc.settings.verbosity) >= _HINT:
        sc.logging.hint(message)


def progress(
    what: str, total: int | None, *, unit: str = "it", items: Iterable[Any] | None = None, **kwargs: Any
) -> tqdm:
    """Make a progress bar, over items if given (shown from verbosity 1)."""
    if int(sc.settings.verbosity) < _BAR:
        return tqdm(items, total=total, disable=True)
    from tqdm import auto  # in a notebook without widgets it warns when it is imported, which our import must not do

    return auto.tqdm(items, total=total, desc=what, unit=unit, **kwargs)


def some(names: Iterable[object], n: int = 5) -> str:
    """Return the first names for a message, and a sign that there are more."""
    listed = [str(name) for name in names]
    return ", ".join(listed[:n]) + (", …" if len(listed) > n else "")


def warn(message: str) -> None:
    """Warn the user; the line shown is the user's own."""
    warnings.warn(message, UserWarning, stacklevel=_depth())


def _depth() -> int:
    """Frames between here and the first one outside the package."""
    depth = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == "scpertbias":
        depth += 1
        frame = frame.f_back
    return depth
