"""One training of an external model, an object or a command, in a separate folder."""

from __future__ import annotations

import inspect
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd
from anndata import AnnData

from ..._files import read_predicted
from ...pp._write_regimes import sha256
from .._external_model import ExternalModel
from .jobs import Cache
from .run_command import LOG, run_command

CELLS = "cells.h5ad"
LARGEST_SCRIPT = 10e6
"""A file named in a command is treated as a part of the model if its size in bytes is at most this."""


@dataclass(frozen=True)
class TrainingRun:
    """One training of a model: its name, regime and seed."""

    name: str
    regime: str
    seed: int


def takes_seed(model: ExternalModel) -> bool:
    """Whether a model can be trained from another seed."""
    if model.command is None:
        return "seed" in inspect.signature(model.model.fit).parameters
    return "{seed}" in (model.command if isinstance(model.command, str) else " ".join(model.command))


def content(model: ExternalModel) -> Any:
    """Return the content of a model, so that it is trained again after a change of its script or class."""
    if model.command is None:
        try:
            code = inspect.getsource(type(model.model))
        except (OSError, TypeError):
            code = type(model.model).__qualname__
        return [code, vars(model.model) if hasattr(model.model, "__dict__") else repr(model.model)]
    words = shlex.split(model.command) if isinstance(model.command, str) else list(model.command)
    scripts = [Path(word) for word in words]
    files = [path for path in scripts if path.is_file() and path.stat().st_size <= LARGEST_SCRIPT]
    return [list(words), model.shell, [sha256(path) for path in files]]


@contextmanager
def work_folder(cache: Cache | None, model: str, name: str) -> Iterator[Path]:
    """Give a folder for one training; with a cache it stays where the training fails, without its cells."""
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="scpertbias_") as folder:
            yield Path(folder).resolve()
        return
    folder_of_training = (cache.folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', model)}-{name}").resolve()
    folder_of_training.mkdir(exist_ok=True)
    try:
        yield folder_of_training
    except BaseException:
        (folder_of_training / CELLS).unlink(missing_ok=True)
        raise
    shutil.rmtree(folder_of_training, ignore_errors=True)


def fit_object(model: ExternalModel, training: TrainingRun, cells: Path, perturbations: list[str]) -> pd.DataFrame:
    """Fit a copy of an object, and let it predict."""
    one = deepcopy(model.model)
    try:
        one.fit(ad.read_h5ad(cells), **({"seed": training.seed} if takes_seed(model) else {}))
        predictions = one.predict(perturbations)
    except Exception as err:
        msg = f"{type(one).__name__} raised {type(err).__name__}: {err}"
        raise ValueError(msg) from err
    if not isinstance(predictions, pd.DataFrame):
        msg = f"{type(one).__name__}.predict returned a {type(predictions).__name__}; it must return a DataFrame perturbations × genes"
        raise ValueError(msg)
    return predictions


def run_once(
    model: ExternalModel, training: TrainingRun, fold: int | None, folder: Path, perturbations: pd.DataFrame
) -> AnnData | pd.DataFrame:
    """Run a command, and read its predictions."""
    if model.command is None:
        msg = "The model has no command."
        raise RuntimeError(msg)
    to_predict, table, h5ad, own = (
        folder / name for name in ("perturbations.csv", "predictions.csv", "predictions.h5ad", "folder")
    )
    own.mkdir(exist_ok=True)
    for path in (table, h5ad):
        path.unlink(missing_ok=True)  # from a failed training
    perturbations.to_csv(to_predict, index=False)
    values = {
        "cells": folder / CELLS,
        "perturbations": to_predict,
        "predictions": table,
        "predictions_h5ad": h5ad,
        "seed": training.seed,
        "regime": training.regime,
        "fold": "" if fold is None else fold,
        "folder": own,
    }
    texts = {key: str(value) for key, value in values.items()}
    run_command(model.command, texts, folder, shell=model.shell, time_limit=model.time_limit)
    if table.is_file():
        return read_predicted(table)
    if h5ad.is_file():
        return ad.read_h5ad(h5ad)
    msg = f"the command ended without an error, but did not write {table.name} (its output is in {folder / LOG})"
    raise ValueError(msg)
