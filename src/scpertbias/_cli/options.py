"""What the command line takes: commands, options, examples."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXIT_CODES = """exit codes:
  0    done
  1    the data or a file are not as needed
  2    wrong usage, or output refused
  130  interrupted (143: asked to end); nothing is left half-written"""
EXAMPLES = {
    "": """examples:
  scpertbias audit screen.h5ad --batch batch --out audit
  scpertbias report audit/audit.h5mu --out page.html
  scpertbias demo""",
    "audit": """examples:
  scpertbias audit screen.h5ad --batch batch
  scpertbias audit screen.h5ad --groupby gene --reference 'non-targeting*' --out audit
  scpertbias audit screen.h5ad --models none                  # the screen alone, no model
  scpertbias audit screen.h5ad --predictions gears=gears.h5ad --predictions mine=mine.csv
  scpertbias audit screen.h5ad --models mean --models ridge --params ridge.alpha=1.0
  scpertbias audit screen.h5ad --n-jobs 8 --cache parts       # an audit that was interrupted goes on""",
    "report": """examples:
  scpertbias report audit/audit.h5mu --out page.html
  scpertbias report audit/audit.h5mu --title 'K562, day 6' --force""",
    "demo": """examples:
  scpertbias demo
  scpertbias demo --out elsewhere --quiet""",
    "schema": """examples:
  scpertbias schema > audit.schema.json""",
}


def _gigabytes(text: str) -> float:
    """Return a number that is not negative (0: cells are always read in parts)."""
    value = float(text)
    if not value >= 0:
        msg = f"{text} is no amount of memory, in gigabytes"
        raise argparse.ArgumentTypeError(msg)
    return value


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``scpertbias``; the namespace holds ``command``, ``quiet`` and the options."""
    from importlib.metadata import version

    made = argparse.ArgumentParser(
        prog="scpertbias",
        description="Ask of a Perturb-seq screen what prediction models learn from it.",
        epilog=f"{EXAMPLES['']}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"scpertbias {version('scpertbias')}")
    commands = made.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"{EXAMPLES[name]}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    _audit(command("audit", "audit a screen and write the report: a folder with page, JSON, tables and all results"))
    again = command("report", "render the page of an audit again, without computing anything")
    again.add_argument("file", type=Path, metavar="FILE", help="audit.h5mu that `scpertbias audit` wrote")
    again.add_argument("--out", type=Path, metavar="FILE.html", help="page to write; default: FILE's name with .html")
    again.add_argument("--title", metavar="TEXT", help="title of the page; by default the stored one")
    again.add_argument("--force", action="store_true", help="replace a page that exists")
    _quiet(again)
    demo = command("demo", "audit a real and a simulated screen")
    demo.add_argument("--out", type=Path, default=Path("scpertbias_demo"), metavar="DIR", help="default: %(default)s")
    _quiet(demo)
    _quiet(command("schema", "print the JSON Schema of audit.json"))
    return made


def _quiet(made: argparse.ArgumentParser) -> None:
    made.add_argument("--quiet", action="store_true", help="no progress and notes on stderr")


def _audit(made: argparse.ArgumentParser) -> None:
    made.usage = "scpertbias audit FILE [option ...]"
    many: dict[str, Any] = {"action": "append", "metavar": "NAME"}
    made.add_argument(
        "file", type=Path, metavar="FILE", help="cells: .h5ad or .zarr; raw counts are normalized on the fly"
    )
    add = made.add_argument_group("the screen").add_argument
    add(
        "--groupby",
        metavar="COLUMN",
        default="perturbation",
        help="column of obs that names each cell's perturbation (%(default)s)",
    )
    add("--reference", **many, help="the control: a name or a pattern such as 'non-targeting*'; repeatable")
    add("--batch", **many, help="column of obs with batches, donors or cell lines; repeatable")
    add("--guide", metavar="COLUMN", help="column of obs with guides: halves are then alternating guides")
    add("--gene-symbols", metavar="COLUMN", help="column of var with gene symbols")
    add("--covariates", **many, help="column of obs to regress out (pct_counts_mt, pct_counts_ribo); repeatable")
    add("--layer", metavar="NAME", help="layer to read instead of X")
    add(
        "--min-cells",
        type=int,
        metavar="N",
        default=20,
        help="perturbations with fewer cells are left out (%(default)s)",
    )
    add(
        "--target-sum",
        type=float,
        metavar="X",
        default=1e4,
        help="counts that a cell is scaled to, for raw counts (%(default)g)",
    )
    add("--size-factors", metavar="COLUMN", help="column of obs with each cell's size, for raw counts")
    add("--species", choices=("human", "mouse"), default="human", help="names of MT and RP genes (%(default)s)")
    add = made.add_argument_group("the models").add_argument
    add("--models", action="append", metavar="NAME", help="models to fit, 'none' for the screen alone; repeatable")
    add("--params", action="append", metavar="MODEL.NAME=VALUE", help="parameter of a model's fit; repeatable")
    add("--predictions", action="append", metavar="NAME=FILE", help="another model's predictions: .h5ad, .csv or .tsv "
        "(perturbations × genes, first column the perturbation); repeatable")  # fmt: skip
    add("--net", type=Path, metavar="FILE", help="gene network: .csv or .tsv with source, target and optional weight")
    add("--regimes", action="append", metavar="NAME", help="full, no_mt, no_mt_ribo, regressed; repeatable")
    add("--n-folds", type=int, metavar="N", help="folds (5; with 25 perturbations or fewer one fold each)")
    add("--n-random", type=int, metavar="N", help="random removals of genes beside the regimes (20)")
    add = made.add_argument_group("running and writing").add_argument
    add("--seed", type=int, default=0, metavar="N", help="of everything that is drawn (%(default)s)")
    add("--n-jobs", type=int, metavar="N", help="fits to run at a time; no result depends on it (scanpy's setting)")
    add(
        "--cache",
        type=Path,
        metavar="DIR",
        help="folder in which finished parts are kept, to go on after an interruption",
    )
    add(
        "--memory",
        type=_gigabytes,
        default=4.0,
        metavar="GB",
        help="cells that take more memory are read in parts (%(default)g)",
    )
    add("--tables-only", action="store_true", help="store no predictions and attributions in audit.h5mu")
    add("--title", metavar="TEXT", help="title of the report")
    add("--out", type=Path, metavar="DIR", help="folder to write; default: FILE's name with _audit, here")
    add("--force", action="store_true", help="replace an earlier audit in DIR")
    _quiet(made)
