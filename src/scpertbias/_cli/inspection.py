"""Printing of the contents of a file, alone or before an audit."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .flags import in_flags

if TYPE_CHECKING:
    import pandas as pd


def print_inspection(args: argparse.Namespace) -> int:
    """Print the contents of a file; return the exit code."""
    from .._inspect import as_text

    print(in_flags(as_text(_rows(args))))
    return 0


def echo_inspection(args: argparse.Namespace) -> None:
    """Print the same in brief on stderr; the audit reports errors in the file."""
    from .._inspect import as_text

    try:
        text = as_text(_rows(args), brief=True)
    except (KeyError, ValueError, TypeError, OSError):
        return
    print(in_flags(text), file=sys.stderr, flush=True)


def _rows(args: argparse.Namespace) -> pd.DataFrame:
    """Return the contents of the file, with the labels as interpreted with these options."""
    from .._inspect import inspect

    names = ("groupby", "reference", "combination_sep", "label_map", "modality")
    return inspect(args.file, **{name: getattr(args, name) for name in names})
