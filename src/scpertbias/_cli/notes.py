"""Functions that commands share: notes, progress and usage errors."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .flags import in_flags

if TYPE_CHECKING:
    from mudata import MuData

PROSE = ("detail", "note", "reason")
"""Columns of tables with sentences."""


class UsageError(Exception):
    """Wrong usage that argparse cannot detect, such as output that would be overwritten."""


@contextmanager
def noted(say: Any) -> Iterator[list[str]]:
    """Collect warnings as notes, and print each once, even if an error follows."""
    from .._files import one_line

    notes: list[str] = []
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        try:
            yield notes
        finally:
            notes += dict.fromkeys(in_flags(one_line(w.message)) for w in records)
            for note in notes:
                say(f"note: {note}")


def tables_in_flags(mdata: MuData) -> None:
    """Replace arguments by flags in the prose of all stored tables and notes, which the report of an audit repeats."""
    from .. import _store
    from .._tables import TABLES

    stored = _store.root(mdata)
    prose = {
        name: [column.name for column in TABLES[name].columns if column.name in PROSE]
        for name in TABLES.keys() & stored.keys()
    }
    for name in filter(prose.get, prose):
        _store.put(mdata, **{name: stored[name].assign(**{c: stored[name][c].map(in_flags) for c in prose[name]})})
    notes = [in_flags(str(note)) for note in stored["audit"]["notes"]]
    _store.put(mdata, audit={**stored["audit"], "notes": notes})


def batch_columns(columns: list[str] | None) -> str | list[str] | None:
    """Return the batch columns as the argument ``batch_key`` of the audit."""
    if columns is None or columns == ["auto"]:
        return "auto"
    return None if columns == ["none"] else columns


def sayer(args: argparse.Namespace) -> Any:
    """Return a function that prints a line with the elapsed time on stderr."""

    def say(text: str) -> None:
        if not args.quiet:
            print(f"scpertbias [{time.perf_counter() - args.start:5.1f} s] {text}", file=sys.stderr, flush=True)

    return say
