"""Import of scgpt with a torch that its dependencies cannot load."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from ..extras import imports_leave_no_trace, install_command

# Names that the import of scgpt needs and the model does not use: module → names.
DEAD: dict[str, dict[str, Any]] = {
    "torchtext": {"__path__": []},
    "torchtext.vocab": {"Vocab": type("Vocab", (), {})},
    "IPython": {"get_ipython": lambda: None},
    "datasets": {"Dataset": type("Dataset", (), {}), "load_dataset": None},
}


@cache
def scgpt_model() -> ModuleType:
    """Return the module ``scgpt.model``; the error contains the installation command.

    scgpt imports torchtext, IPython and datasets, but the model does not use them, and torchtext cannot be loaded with
    current torch. Placeholders replace those that cannot be imported, while scgpt is imported. Modules of scgpt that
    used a placeholder are then removed, so that ``import scgpt`` elsewhere is not affected.
    """
    before = set(sys.modules)
    with _restore_logger(logging.getLogger("scGPT")), imports_leave_no_trace(), _stand_ins() as used:
        try:
            scgpt = importlib.import_module("scgpt.model")
        except ImportError as err:
            msg = f"scGPT cannot be imported ({err}). It is installed without its dependencies. Run: {install_command('scgpt')}"
            raise ImportError(msg) from err
    if used:
        for name in set(sys.modules) - before:
            if _root(name) == "scgpt":
                del sys.modules[name]
    return scgpt


@contextmanager
def _stand_ins() -> Iterator[list[str]]:
    """Replace each dependency that cannot be imported by a stub within the context."""
    missing = {root for root in map(_root, DEAD) if not _works(root)}
    used = [name for name in DEAD if _root(name) in missing]
    for name in used:
        module = ModuleType(name)
        vars(module).update(DEAD[name])
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    try:
        yield used
    finally:
        for name in used:
            sys.modules.pop(name, None)


def _works(root: str) -> bool:
    """Whether a package can be imported; what a failed import leaves behind is removed."""
    if root in sys.modules:
        return True
    if find_spec(root) is None:
        return False
    before = set(sys.modules)
    try:
        importlib.import_module(root)
    except (ImportError, OSError, RuntimeError, AttributeError):  # a library that does not fit this torch: OSError
        for name in set(sys.modules) - before:
            if _root(name) == root:
                del sys.modules[name]
        return False
    return True


def _root(name: str) -> str:
    return name.split(".")[0]


@contextmanager
def _restore_logger(logger: logging.Logger) -> Iterator[None]:
    """Undo the changes of the import to a logger, which prints to standard output and does not propagate."""
    handlers, propagate, level = list(logger.handlers), logger.propagate, logger.level
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)
