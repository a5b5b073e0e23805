"""Translation of error messages for the command line: arguments become flags."""

from __future__ import annotations

import ast
import re
import shlex

from .values import as_name

FLAGS = {
    "groupby": "--groupby",
    "reference": "--reference",
    "combination_sep": "--combination-sep",
    "label_map": "--label-map",
    "batch_key": "--batch",
    "guide_key": "--guide",
    "split_key": "--split-key",
    "gene_symbols": "--gene-symbols",
    "covariates": "--covariates",
    "layer": "--layer",
    "min_cells": "--min-cells",
    "target_sum": "--target-sum",
    "size_factors": "--size-factors",
    "models": "--models",
    "model_params": "--params",
    "predictions": "--predictions",
    "kind": "--kind",
    "control": "--control",
    "fitted_on": "--fitted-on",
    "obsm": "--obsm",
    "test": "--test",
    "net": "--net",
    "sets": "--sets",
    "n_top_genes": "--n-top-genes",
    "regimes": "--regimes",
    "n_folds": "--n-folds",
    "n_random": "--n-random",
    "n_screens": "--calibrate",
    "n_jobs": "--n-jobs",
    "cache": "--cache",
    "modality": "--modality",
    "names": "--names",
    "command": "--train",
    "time_limit": "--train-time-limit",
    "rng": "--seed",
}
LISTS = ("--models", "--regimes", "--batch", "--covariates")  # a comma separates their names
_NAMES = "|".join(FLAGS)
_TEXT = r"""'[^']*'|"[^"]*\""""
_CALL = r"[\w.]+\([^()]*\)"
_VALUE = rf"(?:=({_CALL}|{_TEXT}|\[[^\]]*\]|[\w.+-]*\w|…)?)"
_ALONE = r"(?<![\w.['\"-])"
_PYTHON_ONLY = re.compile(
    r",? or pass gene_names=[^.(]*(?:\([^)]*\))?"  # files name their genes
    r"""|(?<=[`='"\]]) (?:of|to) spb\.(?:pp|tl)\.\w+"""
)
_ARGUMENT = re.compile(
    rf"{_CALL}"  # a call of Python is not changed
    rf"|`({_NAMES}){_VALUE}?`|{_ALONE}({_NAMES}){_VALUE}"
    rf"|{_ALONE}([a-z]+_[a-z]+)(?![\w'\"(=\]])"  # without a value if the name is not an English word
)


def in_flags(text: str) -> str:
    """Return a message with flags instead of arguments; calls of Python keep their arguments."""
    return _ARGUMENT.sub(_flag, _PYTHON_ONLY.sub("", text))


def _flag(match: re.Match[str]) -> str:
    quoted, quoted_value, name, value, bare = match.groups()
    flag = FLAGS.get(quoted or name or bare)
    if flag is None:
        return match[0]
    return " ".join([flag] if not (text := quoted_value or value) else _with_value(flag, text))


def _with_value(flag: str, text: str) -> list[str]:
    """Return a flag with its value, repeated for each value of a list."""
    if text in ("…", "[…]") or text.endswith(")"):  # a call of Python is not a value of a flag
        return [flag]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if value is None:
        return [flag, "none"]
    values = value if isinstance(value, list) else [value]
    words = [as_name(str(one)) if flag in LISTS else str(one) for one in values]
    return [f"{flag} {shlex.quote(word)}" for word in words]
