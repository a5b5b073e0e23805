"""Observed and predicted effects, for plots of one perturbation, a matrix or an embedding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from anndata import AnnData

from .. import _held_out, _moments, _results, _store
from .._core.arrays import FloatArray, IntArray
from .._core.z_scores import scaled, undetectable, z_errors
from .._moments import Screen
from ._gene_sets import OTHER, measured_sets
from ._lazy import Tables

NULL_QUANTILE = 1.645
"""Limit for a squared effect, in standard errors: 5% of the perturbations without an effect are above it."""
LEAST_OFF = 0.05


@dataclass(frozen=True)
class Effects:
    """Effects of P perturbations in G genes, as differences from the control, with their standard errors.

    ``predicted`` contains the effects of each model, computed on demand: NaN in rows that the model has seen or cannot
    predict. ``gene_set`` is the first confounder gene set of each gene. ``squared_effect`` (P,) is corrected for noise.
    """

    names: tuple[str, ...]
    symbols: npt.NDArray[np.str_]
    observed: FloatArray
    errors: FloatArray
    z: FloatArray
    control: FloatArray
    predicted: Mapping[str, FloatArray]
    gene_set: npt.NDArray[np.str_]
    squared_effect: FloatArray
    null_reproducibility: float

    @cached_property
    def axis(self) -> FloatArray:
        """Direction of the summed effects of the other perturbations (P, G), of length 1."""
        rest = self.observed.sum(axis=0) - self.observed
        length = np.linalg.norm(rest, axis=1, keepdims=True)
        direction: FloatArray = np.divide(rest, length, out=np.zeros_like(rest), where=length > 0)
        return direction

    def strongest(self, k: int) -> IntArray:
        """Columns of the k genes with the largest ``|z|`` of each perturbation (P, k); genes without z are last."""
        order = np.argsort(-np.nan_to_num(np.abs(self.z), nan=-1.0), axis=1, kind="stable")
        return np.asarray(order[:, :k], dtype=np.int64)

    def parts(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Predicted effect along the axis relative to the observed one, and cosine with the observed effect off the axis."""
        # x_p · u_p of the predicted and of the observed effects (P,)
        along, observed_along = (np.einsum("pg,pg->p", rows, self.axis) for rows in (values, self.observed))
        off = values - along[:, None] * self.axis
        observed_off = self.observed - observed_along[:, None] * self.axis
        size = np.linalg.norm(off, axis=1) * np.linalg.norm(observed_off, axis=1)
        # y_p · y'_p off the axis (P,)
        products = np.einsum("pg,pg->p", off, observed_off)
        # Effects almost entirely along the axis have no direction off it, except rounding or the training mean of a fold.
        enough = np.linalg.norm(off, axis=1) > LEAST_OFF * np.linalg.norm(values, axis=1)
        cosine = np.divide(products, size, out=np.full(len(size), np.nan), where=enough & (size > 0))
        return scaled(along, np.where(observed_along > 0, observed_along, 0.0)), cosine

    def embedding(self) -> tuple[FloatArray, FloatArray]:
        """First two principal components of the effects (P, 2), and the share of their variance that each explains."""
        centered = self.observed - self.observed.mean(axis=0)
        values, vectors = np.linalg.eigh(centered @ centered.T)
        values, vectors = values[::-1][:2], vectors[:, ::-1][:, :2]
        total = float(np.sum(centered**2))
        places = vectors * np.sqrt(np.maximum(values, 0.0))
        places *= np.where(places[np.abs(places).argmax(axis=0), np.arange(places.shape[1])] < 0, -1.0, 1.0)
        return places, values / total if total > 0 else np.zeros_like(values)


def effects(adata: AnnData) -> Effects | None:
    """Return the effects in profiles, with all splits of a perturbation combined; None without profiles."""
    if _store.profiles_record(adata) is None or adata.X is None:
        return None
    screen = _moments.of(adata).merged
    moments = screen.moments
    rows = np.flatnonzero(screen.used & (screen.perturbation > 0) & (moments.n > 0))
    if not len(rows):
        return None
    observed = moments.mean[rows] - moments.control
    errors = z_errors(moments, rows)
    z = scaled(observed, errors)
    z[undetectable(moments, rows)] = np.nan
    wide = NULL_QUANTILE * float(np.sqrt(2 * screen.noise_shape.a2))
    return Effects(
        names=tuple(screen.names[row] for row in rows),
        symbols=screen.symbols,
        observed=observed,
        errors=errors,
        z=z,
        control=moments.control,
        predicted=_predicted(adata, rows),
        gene_set=_first_sets(adata, screen),
        squared_effect=screen.detection.squared_effect[rows],
        null_reproducibility=wide / (1 + wide),
    )


def _predicted(adata: AnnData, rows: IntArray) -> Mapping[str, FloatArray]:
    records = {name: r for name, r in _store.models(adata).items() if _store.has_layer(adata, name)}
    screen, folds = _moments.of(adata), _results.folds(adata, records)
    return Tables({name: partial(_effects_of, adata, name, r, screen, folds, rows) for name, r in records.items()})


def _effects_of(
    adata: AnnData,
    name: str,
    record: Mapping[str, Any],
    screen: Screen,
    folds: Mapping[str, int] | None,
    rows: IntArray,
) -> FloatArray:
    table = _held_out.unseen_predictions(adata, name, record, screen, folds)
    return np.asarray(table[rows] - screen.moments.control, dtype=np.float64)


def _first_sets(adata: AnnData, screen: Screen) -> npt.NDArray[np.str_]:
    names = np.full(len(screen.symbols), OTHER, dtype=object)
    for gene_set in reversed(measured_sets(adata, screen)):
        if gene_set.confounder and gene_set.name != OTHER:
            names[gene_set.measured] = gene_set.name
    return names.astype(str)
