"""Pages of stored audits: of one, rendered again, or of several side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

REPORT_EXAMPLES = """examples:
  scpertbias report audit/audit.h5mu --out page.html
  scpertbias report audit/audit.h5mu --title 'K562, day 6' --force"""
COMPARE_EXAMPLES = """examples:
  scpertbias compare thp1_audit k562_audit --out compare.html
  scpertbias compare ridge/audit.json gears/audit.json --names ridge --names GEARS"""


class UsageError(Exception):
    """What argparse cannot see: output that would be overwritten, options that do not fit."""


def report_options(command: argparse.ArgumentParser) -> None:
    """Add the options of ``scpertbias report``."""
    command.add_argument("file", type=Path, metavar="FILE", help="audit.h5mu that `scpertbias audit` wrote")
    command.add_argument("--out", type=Path, metavar="FILE.html", help="page to write; default: FILE's name with .html")
    command.add_argument("--title", metavar="TEXT", help="title of the page; by default the stored one")
    command.add_argument("--force", action="store_true", help="replace a page that exists")


def compare_options(command: argparse.ArgumentParser) -> None:
    """Add the options of ``scpertbias compare``."""
    text = "two or more of: a folder that `scpertbias audit` wrote, its audit.json, its audit.h5mu"
    command.add_argument("audits", nargs="+", type=Path, metavar="AUDIT", help=text)
    command.add_argument(
        "--out", type=Path, default=Path("compare.html"), metavar="FILE.html", help="default: %(default)s"
    )
    command.add_argument(
        "--names", action="append", metavar="NAME", help="short name of an audit, in order; repeatable"
    )
    command.add_argument("--title", metavar="TEXT", help="title of the page")
    command.add_argument("--force", action="store_true", help="replace a page that exists")


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
    """Write several audits side by side; return the exit code."""
    from .._report import compare

    _refuse_to_replace(args.out, force=args.force)
    if len(args.audits) < 2:
        msg = "a comparison needs two audits or more"
        raise UsageError(msg)
    compare(args.audits, args.out, names=args.names, title=args.title)
    print(args.out)
    return 0


def _refuse_to_replace(out: Path, *, force: bool) -> None:
    if out.exists() and not force:
        msg = f"{out} exists; pass --force to replace it, or --out"
        raise UsageError(msg)
