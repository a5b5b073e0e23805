"""What the command line takes: commands, options, examples."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._keys import REGIMES
from . import page_options
from .values import LOOKED_AT, cells, gigabytes, inspectable, names, parameter, prediction
from .values import command as train_command

EXIT_CODES = """exit codes:
  0    done 1    invalid input data or file 2    wrong usage, or output refused 130  interrupted (143: asked to end);
  nothing is left half-written"""
EXAMPLES = {
    "": """examples:
  scpertbias inspect screen.h5ad
  scpertbias audit screen.h5ad --batch batch --out audit
  scpertbias report audit/audit.h5mu --out page.html
  scpertbias demo""",
    "inspect": """examples:
  scpertbias inspect screen.h5ad                              # what it holds, and the command that audits it
  scpertbias inspect screen.h5ad --groupby guide --label-map targets
  scpertbias inspect screen.h5mu --modality rna""",
    "audit": """examples:
  scpertbias audit screen.h5ad --batch batch
  scpertbias audit screen.h5ad --groupby gene --reference 'non-targeting*' --out audit
  scpertbias audit screen.h5ad --models none                  # the screen alone, no model
  scpertbias audit screen.h5ad --predictions gears=gears.h5ad --predictions mine=mine.csv
  scpertbias audit screen.h5ad --predictions mine=deltas.csv --kind delta --split-key set
  scpertbias audit screen.h5ad --predictions mine=full.csv --predictions mine@no_mt_ribo=retrained.csv
  scpertbias audit screen.h5ad --cache parts --train mine='python train.py --cells {cells} --out {predictions}'
  scpertbias audit screen.h5ad --models mean,ridge --params ridge.alpha=1.0
  scpertbias audit screen.h5ad --n-jobs 8 --cache parts       # an audit that was interrupted goes on""",
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


# Labels and patterns may hold a comma: --reference and --test stay one value a flag.
NAMES: dict[str, Any] = {"action": "extend", "type": names, "metavar": "NAME"}


class _Version(argparse.Action):
    """Print the version, which is looked up on demand."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from .. import __version__

        sys.stdout.write(f"scpertbias {__version__}\n")
        parser.exit()


def parser(defaults: Mapping[str, Any] | None = None) -> argparse.ArgumentParser:
    """Return the parser of ``scpertbias``, with other defaults of an audit where given."""
    top = argparse.ArgumentParser(
        prog="scpertbias",
        description="Ask of a Perturb-seq screen what prediction models learn from it.",
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

    look = command("inspect", "look at a file: what it holds, what its labels mean, and the command that audits it")
    look.add_argument("file", type=inspectable, metavar="FILE", help=f"cells: {', '.join(LOOKED_AT)}")
    _labels(look.add_argument, groupby=None)
    _quiet(look)
    audit = command("audit", "audit a screen and write the report: a folder with page, JSON, tables and all results")
    _audit(audit)
    audit.set_defaults(**defaults or {})
    export = command("export", "write the cells of each regime for models that are trained elsewhere, and a data card")
    _export(export)
    page = command("report", "render the page of an audit again, without computing anything")
    page_options.report_options(page)
    _quiet(page)
    compare = command("compare", "put several audits side by side on one page: screens, or models of one screen")
    page_options.compare_options(compare)
    _quiet(compare)
    demo = command("demo", "audit a real and a simulated screen")
    demo.add_argument("--out", type=Path, default=Path("scpertbias_demo"), metavar="DIR", help="default: %(default)s")
    _quiet(demo)
    _quiet(command("schema", "print the JSON Schema of audit.json"))
    return top


def _quiet(command: argparse.ArgumentParser) -> None:
    command.add_argument("--quiet", action="store_true", help="no progress and notes on stderr")


def _labels(add: Any, *, groupby: str | None) -> None:
    """Add the options that say which perturbation each cell got."""
    default = "by default found" if groupby is None else "%(default)s"
    add(
        "--groupby",
        metavar="COLUMN",
        default=groupby,
        help=f"column of obs that names each cell's perturbation ({default})",
    )
    add(
        "--reference",
        action="append",
        metavar="NAME",
        help="the control: a name or a pattern such as 'non-targeting*'; repeatable",
    )
    add("--combination-sep", metavar="TEXT", help="separator of the parts of a combination; by default inferred")
    add(
        "--label-map",
        metavar="FILE",
        help="what labels mean: .csv or .tsv with label and target; 'targets' pools the guides of a target, 'single' leaves "
        "out cells with several targets",
    )
    add("--modality", metavar="NAME", help="modality of an .h5mu file (rna, gex, or the one with the most features)")


def _screen(command: argparse.ArgumentParser, add: Any) -> None:
    """Add the file, and the options that say how its cells are read."""
    command.add_argument(
        "file", type=cells, metavar="FILE", help="cells: .h5ad, .zarr or .h5mu; raw counts are normalized on the fly"
    )
    _labels(add, groupby="perturbation")
    add(
        "--batch",
        **NAMES,
        help="columns of obs with batches; repeatable, or with commas ('auto': confounded ones; or 'none')",
    )
    add("--split-key", metavar="COLUMN", default="split", help="column of obs with train, val and test (%(default)s)")
    add("--gene-symbols", metavar="COLUMN", help="column of var with gene symbols")
    add("--covariates", **NAMES, help="columns of obs to regress out (pct_counts_mt); repeatable, or with commas")
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


def _memory(add: Any) -> None:
    add("--seed", type=int, default=0, metavar="N", help="random seed (%(default)s)")
    add(
        "--memory",
        type=gigabytes,
        default=4.0,
        metavar="GB",
        help="cells that take more memory are read in parts (%(default)g)",
    )


def _export(command: argparse.ArgumentParser) -> None:
    command.usage = "scpertbias export FILE [option ...]"
    _screen(command, command.add_argument_group("the screen").add_argument)
    add = command.add_argument_group("what is written").add_argument
    add(
        "--regimes",
        **NAMES,
        help=f"{', '.join(REGIMES)}; by default those that stay sparse, all but regressed; repeatable, or with commas",
    )
    add("--n-random", type=int, metavar="N", default=0, help="regimes without as many random genes (%(default)s)")
    add("--train-only", action="store_true", help="leave out the cells of the test perturbations")
    _memory(add)
    add("--title", metavar="TEXT", help="name of the screen on its card; default: FILE's name")
    add("--out", type=Path, metavar="DIR", help="folder to write; default: FILE's name with _regimes, here")
    add("--force", action="store_true", help="replace an earlier export in DIR")
    _quiet(command)


def _models(command: argparse.ArgumentParser) -> None:
    """Add the options of models, those to fit and those of others."""
    add = command.add_argument_group("the models").add_argument
    add("--models", **NAMES, help="models to fit, 'none' for the screen alone; repeatable, or with commas")
    add(
        "--params",
        type=parameter,
        action="append",
        metavar="MODEL.NAME=VALUE",
        help="parameter of a model's fit; repeatable",
    )
    add("--predictions", type=prediction, action="append", metavar="NAME[@REGIME]=FILE", help="another model's predictions: .h5ad, .csv or .tsv "
        "(perturbations × genes, first column the perturbation); NAME@no_mt where it was trained again; repeatable")  # fmt: skip
    add("--kind", choices=("expression", "delta", "log2fc"), default="expression",
        help="what --predictions and --train are: expression, or changes against control (%(default)s)")  # fmt: skip
    add("--control", choices=("observed", "predicted"), default="observed",
        help="control that predicted changes start from (%(default)s)")  # fmt: skip
    add("--fitted-on", choices=("this", "other"), default="this",
        help="screen that the models of --predictions were fitted on (%(default)s)")  # fmt: skip
    add("--obsm", metavar="NAME", help="slot of a predicted .h5ad to read instead of its X")
    add("--test", action="append", metavar="NAME",
        help="perturbation that the models of --predictions have not seen; repeatable; by default as --split-key says")  # fmt: skip
    add("--train", type=train_command, action="append", metavar="NAME=COMMAND",
        help="a model of your own, trained in every regime: {cells}, {perturbations}, {predictions}, {seed}, {regime}, {fold} "
        "and {folder} in the command are filled in; repeatable")  # fmt: skip
    add("--train-folds", action="store_true", help="cross-fit the models of --train over the folds")
    add(
        "--train-random",
        type=int,
        metavar="N",
        default=0,
        help="trainings of --train without random genes (%(default)s)",
    )
    add("--train-shell", action="store_true", help="pass the commands of --train to a shell")
    add("--train-time-limit", type=float, metavar="SECONDS", help="time after which a training of --train is stopped")
    add(
        "--train-all-cells",
        action="store_true",
        help="leave held-out cells in the files of --train, marked 'test' in split",
    )
    add("--net", type=Path, metavar="FILE", help="gene network: .csv or .tsv with source, target and optional weight")
    add("--sets", type=Path, metavar="FILE", help="gene sets to look for: .csv or .tsv with source, target")
    add("--n-top-genes", type=int, metavar="N", help="genes of highest mean in control that scores are over (1000)")
    add("--regimes", **NAMES, help=f"{', '.join(REGIMES)}; repeatable, or with commas")
    add("--n-folds", type=int, metavar="N", help="folds (5; with 25 perturbations or fewer one fold each)")
    add("--n-random", type=int, metavar="N", help="random removals of genes, for comparison with the regimes (20)")


def _audit(command: argparse.ArgumentParser) -> None:
    command.usage = "scpertbias audit FILE [option ...]"
    add = command.add_argument_group("the screen").add_argument
    _screen(command, add)
    add("--guide", metavar="COLUMN", help="column of obs with guides; compares two halves of the guides")
    _models(command)
    add = command.add_argument_group("running and writing").add_argument
    add("--config", type=Path, metavar="FILE", help="options from TOML, as DIR/config.toml has them; flags win")
    add("--calibrate", type=int, metavar="N",
        help="say how often each verdict is given in N screens without effects, made of the control cells")  # fmt: skip
    add("--n-jobs", type=int, metavar="N", help="fits to run at a time; no result depends on it (scanpy's setting)")
    add(
        "--cache",
        type=Path,
        metavar="DIR",
        help="folder in which finished parts are kept, to go on after an interruption",
    )
    _memory(add)
    add("--tables-only", action="store_true", help="store no predictions and attributions in audit.h5mu")
    add("--title", metavar="TEXT", help="title of the report")
    add("--out", type=Path, metavar="DIR", help="folder to write; default: FILE's name with _audit, here")
    add("--force", action="store_true", help="replace an earlier audit in DIR")
    add("--dry-run", action="store_true", help="print what was understood of the file, and stop")
    add("-v", "--verbose", action="store_true", help="print all that the page says of each verdict, and its cautions")
    _quiet(command)


def model_params(triples: Sequence[tuple[str, str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the parameters by model."""
    by_model: dict[str, dict[str, Any]] = {}
    for model, name, value in triples:
        by_model.setdefault(model, {})[name] = value
    return by_model
