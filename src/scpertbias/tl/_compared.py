"""Held-out perturbations that all models predict, and the data to compare them with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import numpy as np
from anndata import AnnData

from .. import _held_out, _moments, _results, _store, _validate
from .._core.arrays import FloatArray, IntArray
from .._core.variance import deviations, groups_of_folds, is_constant
from .._log import info
from .._moments import Screen
from ._lazy import Tables, known_rows

DEFAULTS = {
    "groupby": "perturbation",
    "reference": None,
    "combination_sep": None,
    "label_map": None,
    "batch_key": None,
    "min_cells": 20,
    "layer": None,
    "split_key": "split",
    "gene_symbols": None,
}


@dataclass(frozen=True)
class Inputs:
    """The screen and the predictions of each model (perturbations × genes).

    Rows of perturbations that a model has seen are NaN. ``constant`` are models declared to make constant predictions
    for unseen perturbations. ``one_split`` are models that are not cross-fitted.
    """

    screen: Screen
    predictions: dict[str, FloatArray]
    folds: dict[str, int] | None
    constant: tuple[str, ...]
    one_split: dict[str, list[str] | None] = field(default_factory=dict)


def read_inputs(
    adata: AnnData, models: str | Sequence[str] | None, data: Mapping[str, Any] | None = None, *, need_models: bool
) -> Inputs:
    """Read the screen and the stored models; without stored models, ``data`` are the settings for reading.

    Settings of the fits are read from the models.
    """
    _validate.cells_or_profiles(adata)
    data = {**DEFAULTS, **(data or {})}
    if not need_models and (not _store.models(adata) if models is None else len(models) == 0):
        return Inputs(_moments.of(adata, **data), {}, None, ())
    records = _results.model_records(adata, models)
    screen = _moments.of(adata, **data_of_models(records, data))
    folds = _results.folds(adata, records)
    predictions = {name: _held_out.unseen_predictions(adata, name, r, screen, folds) for name, r in records.items()}
    if not any(np.isfinite(table[1:]).all(axis=1).any() for table in predictions.values()):
        msg = (
            f"No perturbation is held out: {list(predictions)} predict only perturbations of their training data. "
            f"Call spb.pp.split before fitting, or use spb.tl.audit."
        )
        raise ValueError(msg)
    return Inputs(screen, predictions, folds, _results.constant(records), _results.one_split(records))


def data_of_models(records: Mapping[str, Mapping[str, Any]], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the fitted models; a different value in ``data`` is an error."""
    fitted_with = _results.agreed_data(records)
    for key, default in DEFAULTS.items():
        requested, stored = _as_list(data[key]), _as_list(fitted_with[key])
        same = requested == stored or (
            key == "reference" and all(any(fnmatchcase(k, g) for g in requested) for k in stored)
        )
        if data[key] != default and not same:
            msg = (
                f"`{key}={data[key]!r}`, but the stored models were fitted with {fitted_with[key]!r}, and the "
                "comparison uses that value. Omit the argument, or pass models=() to analyze the data without models."
            )
            raise ValueError(msg)
    return fitted_with


def _as_list(value: Any) -> list[str]:
    return [str(value)] if isinstance(value, str | int) or value is None else [str(v) for v in value]


@dataclass(frozen=True)
class HeldOut:
    """Held-out perturbations that all models predict.

    ``rows`` index ``screen.names``; rows of the same group in ``groups`` are centered together (one fold, or all).
    ``means`` (fits × genes) are the means of the training perturbations of the fits in ``training``; models in ``own_mean``
    (genes) are not cross-fitted, and have a separate mean. ``predictions`` (rows × genes) are computed at each access, to
    save memory.
    """

    rows: IntArray
    groups: IntArray
    training: Training
    means: FloatArray
    own_mean: Mapping[str, FloatArray]
    predictions: Mapping[str, FloatArray]
    constant: tuple[str, ...]
    several_fits: bool

    @property
    def mean(self) -> FloatArray:
        """Mean of the training perturbations of the fit that predicts each row (rows × genes)."""
        mean: FloatArray = self.means[self.training.fit]
        return mean

    def mean_of(self, model: str) -> FloatArray:
        """Mean of the training perturbations of a model for each row (rows × genes)."""
        own = self.own_mean.get(model)
        return self.mean if own is None else np.broadcast_to(own, (len(self.rows), len(own)))

    def centered(self, model: str) -> FloatArray:
        """Predictions as differences from the mean of the model; 0 for constant models.

        If folds are too small for separate centering, the mean of the training data of each fit is removed first.
        """
        values = self.predictions[model]
        if model in self.constant:
            return np.zeros_like(values)
        several_fits = self.several_fits and model not in self.own_mean
        return deviations(values - self.mean if several_fits else values, self.groups)


def common(
    screen: Screen,
    predictions: Mapping[str, FloatArray],
    folds: Mapping[str, int] | None,
    constant: Sequence[str] = (),
    test: Collection[str] | None = None,
    one_split: Mapping[str, Collection[str] | None] | None = None,
) -> HeldOut:
    """Return the held-out perturbations that all models predict; models without predictions are left out.

    Rows of predictions are in the order of ``screen.names``; perturbations that a model has seen are NaN. Without models:
    all used perturbations. ``test`` is an argument of :func:`training`; ``one_split`` contains it for models that are not
    cross-fitted.
    """
    usable = np.zeros(len(screen.names), dtype=bool)
    usable[screen.perturbation[screen.used]] = True
    usable[0] = False
    known = {name: usable & known_rows(predictions, name) for name in predictions}
    for name in [name for name, rows in known.items() if not rows.any()]:
        info(f"{name} is left out, because it predicts no unseen perturbation")
        known.pop(name)
    rows = np.flatnonzero(np.logical_and.reduce(list(known.values())) if known else usable)
    if not len(rows):
        info(f"no perturbation is held out for all models {list(known)}. Pass fewer models with models=")
    fold = np.array([-1 if folds is None else folds.get(screen.names[p], -1) for p in rows], dtype=np.int64)
    groups = groups_of_folds(fold)
    tables = Tables({name: partial(_rows_of, predictions, name, rows) for name in known})
    trained = training(screen, rows, folds, test)
    return HeldOut(
        rows=rows,
        groups=groups,
        training=trained,
        means=_means_of(trained),
        own_mean={
            name: _means_of(training(screen, rows, None, unseen))[0]
            for name, unseen in (one_split or {}).items()
            if folds is not None and name in known
        },
        predictions=tables,
        constant=tuple(name for name, table in tables.items() if predicts_one_constant(name, table, fold, constant)),
        several_fits=len(np.unique(groups)) < len(np.unique(fold)),
    )


def _means_of(trained: Training) -> FloatArray:
    return trained.means(trained.screen.moments.mean)


def _rows_of(predictions: Mapping[str, FloatArray], name: str, rows: IntArray) -> FloatArray:
    # Nearly always all but the control: no copy then
    one_run = len(rows) and rows[-1] - rows[0] == len(rows) - 1
    return predictions[name][rows[0] : rows[-1] + 1] if one_run else predictions[name][rows]


def predicts_one_constant(name: str, table: FloatArray, fold: IntArray, constant: Sequence[str]) -> bool:
    """Whether a model is constant in each fold; with one row per fold, its declaration is used."""
    if len(np.unique(fold)) == len(fold):
        return name in constant
    return is_constant(table, fold)


@dataclass(frozen=True)
class Training:
    """Training perturbations of the fits for some held-out perturbations.

    ``fit`` is the number of the fit (of F) that predicts each of them, ``rows`` (F) are the training perturbations of each
    fit, as rows of ``screen``.
    """

    screen: Screen
    fit: IntArray
    rows: tuple[IntArray, ...]

    def means(self, values: FloatArray) -> FloatArray:
        """Unweighted mean of values by row of the screen over the training perturbations of each fit."""
        means = [values[rows].mean(axis=0) for rows in self.rows]
        return np.stack(means) if means else np.zeros((0, *values.shape[1:]))

    def mean(self, values: FloatArray) -> FloatArray:
        """Unweighted mean of values by row of the screen over the training perturbations, for each held-out one."""
        mean: FloatArray = self.means(values)[self.fit]
        return mean


def training(
    screen: Screen, rows: IntArray, folds: Mapping[str, int] | None, test: Collection[str] | None = None
) -> Training:
    """Return the training perturbations of the fits that predict some perturbations.

    With ``folds``, these are all perturbations outside the fold. Otherwise there is one fit: ``test`` contains the
    perturbations that it has not seen, or the split column those that it has seen. If no training perturbation remains,
    these are all perturbations that are not predicted, or all.
    """
    if folds is not None:
        data, fold = screen.merged, np.array([folds.get(name, -1) for name in screen.names])
        usable = data.used & (data.perturbation > 0) & (data.moments.n > 0)
        codes, fit = np.unique(fold[rows], return_inverse=True)
        trained = [usable & (fold[data.perturbation] != code) for code in codes]
        return Training(data, fit.astype(np.int64), tuple(np.flatnonzero(r if r.any() else usable) for r in trained))
    data = screen if test is None else screen.merged
    usable = data.used & (data.perturbation > 0) & (data.moments.n > 0)
    if test is None:
        declared = data.split == "train"
    else:
        declared = ~np.isin(data.names, list(test))
        declared &= np.isin(data.perturbation, screen.perturbation[screen.split != "val"])
    candidates = (declared, ~np.isin(data.perturbation, rows), np.ones(len(usable), dtype=bool))
    trained_on = next((usable & r for r in candidates if (usable & r).any()), usable)
    return Training(data, np.zeros(len(rows), dtype=np.int64), (np.flatnonzero(trained_on),))
