"""Pages of stored audits: the report of one audit, or a comparison of several."""

from __future__ import annotations

import argparse
from pathlib import Path

from .notes import UsageError


def render_report(args: argparse.Namespace) -> int:
    """Render the page of a stored audit again; return the exit code."""
    from .._report import report
    from .inputs import read_audit

    out = args.out or args.file.with_suffix(".html")
    _refuse_to_replace(out, force=args.force)
    report(read_audit(args.file), out, title=args.title)
    print(out)
    return 0


def render_comparison(args: argparse.Namespace) -> int:
    """Write the comparison of several audits; return the exit code."""
    from .._report import compare

    _refuse_to_replace(args.out, force=args.force)
    if len(args.audits) < 2:
        msg = "1 audit was passed; a comparison needs two or more"
        raise UsageError(msg)
    compare(args.audits, args.out, names=args.names, title=args.title)
    print(args.out)
    return 0


def _refuse_to_replace(out: Path, *, force: bool) -> None:
    if out.exists() and not force:
        msg = f"{out} exists; pass --force to replace it, or another --out"
        raise UsageError(msg)
