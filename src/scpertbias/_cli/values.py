"""What the values of options are: paths, names, models with their files and parameters."""

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
            msg += "; a matrix of Cell Ranger has no labels of perturbations: add them to obs, and write an .h5ad"
        raise argparse.ArgumentTypeError(msg)
    return path


def names(text: str) -> list[str]:
    """Return names that commas separate; double quotes hold a name with a comma together."""
    try:
        listed = [name.strip() for name in next(csv.reader([text], skipinitialspace=True))]
    except csv.Error as err:
        raise argparse.ArgumentTypeError(str(err)) from err
    if not listed or "" in listed:
        msg = f"{text!r}: a name is empty"
        raise argparse.ArgumentTypeError(msg)
    return listed


def as_name(text: str) -> str:
    """Return a name as one element of names with commas."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text


def prediction(text: str) -> tuple[str, Path]:
    """Return a model's name and the file of its predictions."""
    name, _, path = text.partition("=")
    if not name or not path:
        msg = f"{text}: NAME=FILE is expected"
        raise argparse.ArgumentTypeError(msg)
    return name, Path(path)


def command(text: str) -> tuple[str, str]:
    """Return a model's name and the command that trains it."""
    name, _, words = text.partition("=")
    if not name or not words:
        msg = f"{text}: NAME=COMMAND is expected, as in mine='python train.py --cells {{cells}} --out {{predictions}}'"
        raise argparse.ArgumentTypeError(msg)
    return name, words


def parameter(text: str) -> tuple[str, str, Any]:
    """Return model, name and value of a parameter; a value is read as JSON, and as text where it is none."""
    name, equals, value = text.partition("=")
    model, dot, key = name.partition(".")
    if not (equals and dot and model and key):
        msg = f"{text}: MODEL.NAME=VALUE is expected, as in ridge.alpha=1.0"
        raise argparse.ArgumentTypeError(msg)
    try:
        return model, key, json.loads(value)
    except json.JSONDecodeError:
        return model, key, value
