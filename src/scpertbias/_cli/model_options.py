"""Options of ``scpertbias audit`` for models: which ones are fitted, added or trained, and how they are scored."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._keys import REGIMES
from .values import command as train_command
from .values import parameter, prediction


def model_options(command: argparse.ArgumentParser, names: Mapping[str, Any]) -> None:
    """Add the options; ``names`` are the settings of an option with a list of names."""
    add = command.add_argument_group("the models").add_argument
    add(
        "--models",
        **names,
        help="models to fit, or 'none' to audit the screen only; several are separated by commas, or the option is repeated",
    )
    add(
        "--params",
        type=parameter,
        action="append",
        metavar="MODEL.NAME=VALUE",
        help="parameter of a model; the option can be repeated",
    )
    _external(add)
    _trained(add)
    number: dict[str, Any] = {"type": int, "metavar": "N"}
    add(
        "--net",
        type=Path,
        metavar="FILE",
        help="gene network of the graph models: .csv or .tsv with the columns source, target and optionally weight",
    )
    add(
        "--sets",
        type=Path,
        metavar="FILE",
        help="additional gene sets: .csv or .tsv with the columns source (the set) and target (the gene)",
    )
    add(
        "--n-top-genes",
        **number,
        help="number of genes to score: those with the highest mean in control (default: 1000)",
    )
    add(
        "--regimes",
        **names,
        help=f"feature regimes: {', '.join(REGIMES)}; several are separated by commas, or the option is repeated (default: all)",
    )
    add(
        "--n-folds",
        **number,
        help="number of folds (default: 5; with at most 25 perturbations, one fold per perturbation)",
    )
    add(
        "--n-random",
        **number,
        help="number of retrainings without random genes; each leaves out the same number of genes as the smallest feature "
        "regime does (default: 20)",
    )


def _external(add: Any) -> None:
    add(
        "--predictions",
        type=prediction,
        action="append",
        metavar="NAME[@REGIME]=FILE",
        help="external predictions: an .h5ad, .csv or .tsv file with one row per perturbation and one column per gene "
        "(in tables, the first column contains the names of the perturbations). If the model was retrained in the "
        "regime no_mt, pass NAME@no_mt=FILE; the option can be repeated",
    )
    add(
        "--kind",
        choices=("expression", "delta", "log2fc"),
        default="expression",
        help="type of the values in --predictions and --train: expression, or changes from control (default: "
        "%(default)s)",
    )
    add(
        "--control",
        choices=("observed", "predicted"),
        default="observed",
        help="control to which predicted changes refer: the control of the data (observed), or a control in the "
        "predictions (predicted); default: %(default)s",
    )
    add(
        "--fitted-on",
        choices=("this", "other"),
        default="this",
        help="training data of the models of --predictions: this screen or other data (default: %(default)s)",
    )
    add("--obsm", metavar="NAME", help="for --predictions in an .h5ad file: entry of obsm to read instead of X")
    add(
        "--test",
        action="append",
        metavar="NAME",
        help="held-out perturbation of --predictions; the option can be repeated (default: the held-out perturbations of --split-key)",
    )


def _trained(add: Any) -> None:
    add(
        "--train",
        type=train_command,
        action="append",
        metavar="NAME=COMMAND",
        help="a model of your own, which COMMAND trains in every regime; the option can be repeated. COMMAND can contain the "
        "placeholders {cells}, {perturbations}, {predictions}, {seed}, {regime}, {fold} and {folder}, which are "
        "replaced by paths and values",
    )
    add("--train-folds", action="store_true", help="cross-fit the models of --train: one training per fold and regime")
    add(
        "--train-random",
        type=int,
        metavar="N",
        default=0,
        help="number of additional trainings of --train without random genes; each leaves out the same number of genes "
        "as the smallest feature regime does (default: %(default)s)",
    )
    add("--train-shell", action="store_true", help="run the commands of --train in a shell")
    add("--train-time-limit", type=float, metavar="SECONDS", help="stop a training of --train after this time")
    add(
        "--train-all-cells",
        action="store_true",
        help="keep held-out cells in the files for --train, marked as 'test' in the column split",
    )
