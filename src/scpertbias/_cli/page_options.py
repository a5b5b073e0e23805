"""Options of `scpertbias report` and `scpertbias compare`."""

from __future__ import annotations

import argparse
from pathlib import Path

REPORT_EXAMPLES = """examples:
  scpertbias report audit/audit.h5mu --out page.html
  scpertbias report audit/audit.h5mu --title 'K562, day 6' --force"""
COMPARE_EXAMPLES = """examples:
  scpertbias compare thp1_audit k562_audit --out compare.html
  scpertbias compare ridge/audit.json gears/audit.json --names ridge --names GEARS"""


def report_options(command: argparse.ArgumentParser) -> None:
    """Add the options of ``scpertbias report``."""
    command.add_argument("file", type=Path, metavar="FILE", help="audit.h5mu, written by `scpertbias audit`")
    command.add_argument(
        "--out", type=Path, metavar="FILE.html", help="page to write (default: FILE with the ending .html)"
    )
    command.add_argument("--title", metavar="TEXT", help="title of the page (default: the stored title)")
    command.add_argument("--force", action="store_true", help="replace an existing page")


def compare_options(command: argparse.ArgumentParser) -> None:
    """Add the options of ``scpertbias compare``."""
    text = "two or more audits, each as the folder written by `scpertbias audit`, its audit.json or its audit.h5mu"
    command.add_argument("audits", nargs="+", type=Path, metavar="AUDIT", help=text)
    command.add_argument(
        "--out",
        type=Path,
        default=Path("compare.html"),
        metavar="FILE.html",
        help="page to write (default: %(default)s)",
    )
    command.add_argument(
        "--names",
        action="append",
        metavar="NAME",
        help="short name of an audit; pass --names once per audit, in the order of the audits",
    )
    command.add_argument("--title", metavar="TEXT", help="title of the page")
    command.add_argument("--force", action="store_true", help="replace an existing page")
