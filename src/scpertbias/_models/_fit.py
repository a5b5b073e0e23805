"""Fitting and storing of all closed-form models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _genes, _moments, _store, _validate
from .._log import added, info, warn, warn_once
from .._results import DATA, NOISE_WEIGHTS
from ..pp import coexpression_net
from ._base import Solution, problem, specs
from ._net import Graphs, check_net
from ._noise_weights import closed_form

__all__ = ["DATA", "fit", "store"]


def fit(
    adata: AnnData,
    kind: str,
    *,
    params: Mapping[str, Any],
    data: Mapping[str, Any],
    key_added: str,
    copy: bool,
    net: pd.DataFrame | None = None,
) -> AnnData | None:
    """Fit a closed-form model on the training rows and store it."""
    specs()[kind].check(**params)
    _validate.cells_or_profiles(adata)
    _store.check_key(adata, key_added)
    _validate.memory(adata)
    _genes.refuse_others(adata)
    with warn_once():
        screen = _moments.of(adata, **data)
        graphs = _graphs(adata, screen, net, data) if "net" in specs()[kind].needs else None
    train, val = screen.split == "train", screen.split == "val"
    solution = closed_form(kind)(problem(screen, train, val=val, graphs=graphs), **params)
    adata = adata.copy() if copy else adata
    store(adata, screen, solution, kind=kind, params=params, key=key_added)
    return adata if copy else None


def _graphs(adata: AnnData, screen: _moments.Screen, net: pd.DataFrame | None, data: Mapping[str, Any]) -> Graphs:
    """Return the graphs of a net, or of co-expression in control cells."""
    if net is None:
        if _store.profiles_record(adata) is not None:
            msg = (
                "`net` is missing, and it cannot be estimated from profiles, because these contain no cells. Pass "
                "net=spb.pp.coexpression_net(cells), or your own table."
            )
            raise ValueError(msg)
        net = coexpression_net(adata, **{k: v for k, v in data.items() if k != "batch_key"})
        if net.empty:
            warn(
                "The co-expression net has no edges (no |r| above 0.4 in control cells), so this model is the "
                "same as ridge."
            )
    return Graphs(check_net(net, screen.symbols, screen.targets), screen.symbols, screen.targets)


def store(
    adata: AnnData,
    screen: _moments.Screen,
    solution: Solution,
    *,
    kind: str,
    params: Mapping[str, Any],
    key: str,
    cross_fitted: bool = False,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Store a solution under ``key``, with the data to read and compare it, and ``more`` entries for its record."""
    cannot = [n for n, row in zip(screen.names, solution.predictions, strict=True) if not np.isfinite(row).all()]
    params = {**params, **solution.chosen}
    record = {
        "kind": kind,
        "params": {name: _described(value) for name, value in params.items()},
        "tables": [name for name, value in params.items() if isinstance(value, pd.DataFrame)],
        "data": {**{k: screen.record.get(k) for k in DATA}, "reference_name": screen.reference},
        "perturbations": list(screen.names),
        "unpredicted": cannot,
        "constant": solution.constant,
        "note": solution.note,
        "cross_fitted": cross_fitted,
        NOISE_WEIGHTS: solution.noise_weights,
        **(more or {}),
    }
    attributions = None if solution.coef is None else np.abs(solution.coef).T
    _store.put_model(
        adata, key, rows=screen.codes, predictions=solution.predictions, attributions=attributions, record=record
    )
    if cannot:
        info(f"{key}: no prediction for {len(cannot)} perturbations, for example, {cannot[:3]}")
    slots = [f"{key!r}, predictions (adata.layers)"]
    if attributions is not None:
        slots.append(f"{key!r}, attributions, genes × perturbations (adata.varm)")
    added(*slots)


def _described(value: Any) -> Any:
    """Return a parameter in the form for storage: for a table, only its size."""
    return f"{value.shape[0]} × {value.shape[1]} table" if isinstance(value, pd.DataFrame) else value
