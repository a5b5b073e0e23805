"""Types of the values of options: paths, names, models with their files and parameters."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

FORMATS = (".h5ad", ".zarr", ".h5mu")
LOOKED_AT = (*FORMATS, ".h5")


def gigabytes(text: str) -> float:
    """Return a number that is not negative (0: cells are always read in parts)."""
    value = float(text)
    if not value >= 0:
        msg = f"{text} is not an amount of memory in gigabytes"
        raise argparse.ArgumentTypeError(msg)
    return value


def cells(text: str) -> Path:
    """Return the path of a file with cells."""
    return _path(text, FORMATS)


def inspectable(text: str) -> Path:
    """Return the path of a file that can be inspected."""
    return _path(text, LOOKED_AT)


def _path(text: str, formats: tuple[str, ...]) -> Path:
    path = Path(text)
    if path.suffix not in formats:
        msg = f"{path.name} must end in {', '.join(formats[:-1])} or {formats[-1]}"
        if path.suffix == ".h5":
            msg += "; a matrix of Cell Ranger contains no perturbation labels: add them as a column of obs, and write an .h5ad file"
        raise argparse.ArgumentTypeError(msg)
    return path


def names(text: str) -> list[str]:
    """Return comma-separated names; a name that contains a comma is in double quotes."""
    try:
        listed = [name.strip() for name in next(csv.reader([text], skipinitialspace=True))]
    except csv.Error as err:
        raise argparse.ArgumentTypeError(str(err)) from err
    if not listed or "" in listed:
        msg = f"{text!r} contains an empty name"
        raise argparse.ArgumentTypeError(msg)
    return listed


def as_name(text: str) -> str:
    """Return a name as one element of comma-separated names, quoted if necessary."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text


def prediction(text: str) -> tuple[str, Path]:
    """Return a model's name and the file of its predictions."""
    name, _, path = text.partition("=")
    if not name or not path:
        msg = f"{text!r} does not have the form NAME=FILE"
        raise argparse.ArgumentTypeError(msg)
    return name, Path(path)


def command(text: str) -> tuple[str, str]:
    """Return a model's name and the command that trains it."""
    name, _, words = text.partition("=")
    if not name or not words:
        msg = f"{text!r} does not have the form NAME=COMMAND, as in mine='python train.py --cells {{cells}} --out {{predictions}}'"
        raise argparse.ArgumentTypeError(msg)
    return name, words


def parameter(text: str) -> tuple[str, str, Any]:
    """Return model, name and value of a parameter; a value that is not JSON is text."""
    name, equals, value = text.partition("=")
    model, dot, key = name.partition(".")
    if not (equals and dot and model and key):
        msg = f"{text!r} does not have the form MODEL.NAME=VALUE, as in ridge.alpha=1.0"
        raise argparse.ArgumentTypeError(msg)
    try:
        return model, key, json.loads(value)
    except json.JSONDecodeError:
        return model, key, value
