"""The package's logger, in step with ``scanpy.settings.verbosity``."""

from __future__ import annotations

import logging
import sys
import warnings
from types import FrameType

import scanpy as sc

logger = logging.getLogger("scpertbias")
logger.addHandler(logging.NullHandler())

_INFO, _HINT = 2, 3


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
