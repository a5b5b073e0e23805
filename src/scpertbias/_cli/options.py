"""Commands, options and examples of the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._keys import REGIMES
from . import page_options
from .model_options import model_options
from .values import LOOKED_AT, cells, gigabytes, inspectable, names

EXIT_CODES = """exit codes:
  0    success
  1    invalid data or an unreadable file
  2    wrong usage, or the output already exists
  130  interrupted with Ctrl-C (143: with SIGTERM); incomplete files are removed"""
EXAMPLES = {
    "": """examples:
  scpertbias inspect screen.h5ad
  scpertbias audit screen.h5ad --batch batch --out audit
  scpertbias report audit/audit.h5mu --out page.html
  scpertbias demo""",
    "inspect": """examples:
  scpertbias inspect screen.h5ad                              # its contents, and a command that audits it
  scpertbias inspect screen.h5ad --groupby guide --label-map targets
  scpertbias inspect screen.h5mu --modality rna""",
    "audit": """examples:
  scpertbias audit screen.h5ad --batch batch
  scpertbias audit screen.h5ad --groupby gene --reference 'non-targeting*' --out audit
  scpertbias audit screen.h5ad --models none                  # audit the screen only, without models
  scpertbias audit screen.h5ad --predictions gears=gears.h5ad --predictions mine=mine.csv
  scpertbias audit screen.h5ad --predictions mine=deltas.csv --kind delta --split-key set
  scpertbias audit screen.h5ad --predictions mine=full.csv --predictions mine@no_mt_ribo=retrained.csv
  scpertbias audit screen.h5ad --cache parts --train mine='python train.py --cells {cells} --out {predictions}'
  scpertbias audit screen.h5ad --models mean,ridge --params ridge.alpha=1.0
  scpertbias audit screen.h5ad --n-jobs 8 --cache parts       # run again to continue after an interruption""",
    "export": """examples:
  scpertbias export screen.h5ad --out regimes                 # one file per regime, and a data card
  scpertbias export screen.h5ad --out regimes --train-only --n-random 20
  scpertbias export screen.h5ad --out regimes --regimes full,no_mt_ribo,regressed
  scpertbias audit regimes/full.h5ad --predictions mine=full.csv --predictions mine@no_mt_ribo=retrained.csv""",
    "report": page_options.REPORT_EXAMPLES,
    "compare": page_options.COMPARE_EXAMPLES,
    "demo": """examples:
  scpertbias demo
  scpertbias demo --out elsewhere --quiet""",
    "schema": """examples:
  scpertbias schema > audit.schema.json""",
}


# Labels and patterns can contain a comma, so --reference and --test accept one value per flag.
NAMES: dict[str, Any] = {"action": "extend", "type": names, "metavar": "NAME"}


class _Version(argparse.Action):
    """Print the version, which is read only when it is needed."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from .. import __version__

        sys.stdout.write(f"scpertbias {__version__}\n")
        parser.exit()


def parser(defaults: Mapping[str, Any] | None = None) -> argparse.ArgumentParser:
    """Return the parser of ``scpertbias``; ``defaults`` replaces the defaults of ``scpertbias audit``."""
    top = argparse.ArgumentParser(
        prog="scpertbias",
        description="Evaluate a Perturb-seq screen, and models that predict its perturbations.",
        epilog=f"{EXAMPLES['']}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"{EXAMPLES[name]}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    look = command(
        "inspect", "show the contents of a file, how its labels are interpreted, and a command that audits it"
    )
    look.add_argument("file", type=inspectable, metavar="FILE", help=f"file with cells: {', '.join(LOOKED_AT)}")
    _labels(look.add_argument, groupby=None)
    _quiet(look)
    audit = command("audit", "audit a screen, and write a folder with the report (HTML), JSON, tables and all results")
    _audit(audit)
    audit.set_defaults(**defaults or {})
    export = command(
        "export", "write the cells of each feature regime to a file for training other models, and write a data card"
    )
    _export(export)
    page = command("report", "write the HTML report of a stored audit again, without new computations")
    page_options.report_options(page)
    _quiet(page)
    compare = command(
        "compare", "compare several audits on one page: of several screens, or of several models on one screen"
    )
    page_options.compare_options(compare)
    _quiet(compare)
    demo = command("demo", "audit a real and a simulated screen as a demonstration")
    demo.add_argument("--out", type=Path, default=Path("scpertbias_demo"), metavar="DIR", help="default: %(default)s")
    _quiet(demo)
    _quiet(command("schema", "print the JSON Schema of audit.json"))
    return top


def _quiet(command: argparse.ArgumentParser) -> None:
    command.add_argument("--quiet", action="store_true", help="print no progress and no notes on stderr")


def _labels(add: Any, *, groupby: str | None) -> None:
    """Add the options for the perturbation labels of the cells."""
    default = "inferred" if groupby is None else "%(default)s"
    add(
        "--groupby",
        metavar="COLUMN",
        default=groupby,
        help=f"column of obs with the perturbation of each cell (default: {default})",
    )
    add(
        "--reference",
        action="append",
        metavar="NAME",
        help="label of the control cells, or a pattern such as 'non-targeting*'; the option can be repeated (default: inferred)",
    )
    add(
        "--combination-sep", metavar="TEXT", help="separator in labels of combinations, such as '+' (default: inferred)"
    )
    add(
        "--label-map",
        metavar="FILE",
        help="how labels become targets: a .csv or .tsv file with the columns label and target; 'targets' pools the "
        "guides of each target; 'single' leaves out cells with several targets",
    )
    add(
        "--modality",
        metavar="NAME",
        help="modality to read from an .h5mu file (default: rna or gex, otherwise the largest)",
    )


def _screen(command: argparse.ArgumentParser, add: Any) -> None:
    """Add the file, and the options for reading its cells."""
    command.add_argument(
        "file",
        type=cells,
        metavar="FILE",
        help="file with cells: .h5ad, .zarr or .h5mu; raw counts are normalized automatically",
    )
    _labels(add, groupby="perturbation")
    add(
        "--batch",
        **NAMES,
        help="columns of obs with batches, or 'none'; several are separated by commas, or the option is repeated (default: 'auto', which selects "
        "up to two columns that are confounded with the labels)",
    )
    add(
        "--split-key",
        metavar="COLUMN",
        default="split",
        help="column of obs with train, val and test (default: %(default)s)",
    )
    add("--gene-symbols", metavar="COLUMN", help="column of var with gene symbols (default: inferred)")
    add(
        "--covariates",
        **NAMES,
        help="columns of obs to regress out in the regime regressed (default: pct_counts_mt, pct_counts_ribo); "
        "several are separated by commas, or the option is repeated",
    )
    add("--layer", metavar="NAME", help="layer to read instead of X")
    add(
        "--min-cells",
        type=int,
        metavar="N",
        default=20,
        help="leave out perturbations with fewer than N cells (default: %(default)s)",
    )
    add(
        "--target-sum",
        type=float,
        metavar="X",
        default=1e4,
        help="for raw counts: total count per cell after scaling (default: %(default)g)",
    )
    add(
        "--size-factors",
        metavar="COLUMN",
        help="for raw counts: column of obs with the size factor or the total count of each cell",
    )
    add(
        "--species",
        choices=("human", "mouse"),
        default="human",
        help="names of mitochondrial and ribosomal genes (default: %(default)s)",
    )


def _memory(add: Any) -> None:
    add("--seed", type=int, default=0, metavar="N", help="random seed (default: %(default)s)")
    add(
        "--memory",
        type=gigabytes,
        default=4.0,
        metavar="GB",
        help="largest memory for the cells, in gigabytes; larger files are read in parts (default: %(default)g)",
    )


def _export(command: argparse.ArgumentParser) -> None:
    command.usage = "scpertbias export FILE [option ...]"
    _screen(command, command.add_argument_group("the screen").add_argument)
    add = command.add_argument_group("the output").add_argument
    add(
        "--regimes",
        **NAMES,
        help=f"regimes to write: {', '.join(REGIMES)}; several are separated by commas, or the option is repeated (default: all except regressed, whose file is "
        "dense)",
    )
    add(
        "--n-random",
        type=int,
        metavar="N",
        default=0,
        help="number of additional regimes without random genes; each leaves out the same number of genes as the smallest "
        "feature regime does (default: %(default)s)",
    )
    add("--train-only", action="store_true", help="leave out the cells of the held-out perturbations")
    _memory(add)
    add("--title", metavar="TEXT", help="name of the screen on the data card (default: name of FILE)")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder to write (default: name of FILE with _regimes, in the current folder)",
    )
    add("--force", action="store_true", help="replace an earlier export in DIR")
    _quiet(command)


def _audit(command: argparse.ArgumentParser) -> None:
    command.usage = "scpertbias audit FILE [option ...]"
    add = command.add_argument_group("the screen").add_argument
    _screen(command, add)
    add(
        "--guide",
        metavar="COLUMN",
        help="column of obs with guides, to compare two halves of the guides of each perturbation",
    )
    model_options(command, NAMES)
    add = command.add_argument_group("execution and output").add_argument
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file with options, such as the config.toml of an earlier audit; flags have precedence",
    )
    add("--calibrate", type=int, metavar="N",
        help="also audit N screens without effects, made of control cells, and report how often each verdict is Yes "
             "in these screens")  # fmt: skip
    add(
        "--n-jobs",
        type=int,
        metavar="N",
        help="number of fits, scores and tests that run in parallel (default: 1); does not change the results",
    )
    add("--cache", type=Path, metavar="DIR", help="folder for finished parts, to continue after an interruption")
    _memory(add)
    add("--tables-only", action="store_true", help="store only tables and the profiles of the regime full")
    add("--title", metavar="TEXT", help="title of the report")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder to write (default: name of FILE with _audit, in the current folder)",
    )
    add("--force", action="store_true", help="replace an earlier audit in DIR")
    add("--dry-run", action="store_true", help="print how the file is interpreted, and stop")
    add("-v", "--verbose", action="store_true", help="print the evidence for each verdict and all cautions")
    _quiet(command)


def model_params(triples: Sequence[tuple[str, str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the parameters by model."""
    by_model: dict[str, dict[str, Any]] = {}
    for model, name, value in triples:
        by_model.setdefault(model, {})[name] = value
    return by_model
