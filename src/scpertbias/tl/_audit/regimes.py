"""The profiles of every regime: all at once, or on demand if an audit stores only its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import scanpy as sc
from anndata import AnnData
from mudata import MuData

from ... import _compat, _moments, _store
from ..._core.arrays import BoolArray
from ..._moments import Screen
from ...pp._regimes import REGRESSED, RegimePlan, left_out_table, make_regimes
from ...pp._regress import regress_profiles
from .._lazy import OnDemand
from .cross_fit import Variant
from .settings import AuditSettings

FULL = "full"


def make_screens(
    profiles: AnnData, plan: RegimePlan, models: Sequence[Variant], settings: AuditSettings, *, retrained: bool = False
) -> tuple[MuData, Mapping[str, Screen]]:
    """Return all regimes and their screens; if only tables are stored, the full one, and screens on demand.

    Models that are trained in regimes, here or elsewhere (``retrained``), are stored in these in any case.
    """
    check_memory(profiles.n_obs, plan, len(models), settings.keep_predictions)
    tables_only = not settings.keep_predictions and not retrained and not any(m.from_cells for m in models)
    return (regimes_on_demand if tables_only else all_regimes)(profiles, plan, fit_on=settings.fit_on)


def check_memory(n_profiles: int, plan: RegimePlan, n_models: int, keep_predictions: bool) -> None:
    """Refuse predictions and attributions that would not fit into memory, before any fit."""
    n_genes = sum(int(genes.sum()) for genes in plan.genes.values())
    size = n_profiles * n_genes * 8 * (n_models * 1.5 + 4) / 1e9
    if keep_predictions and size > sc.settings.max_memory:
        msg = (
            f"The predictions of this audit need {size:.1f} GB, above scanpy.settings.max_memory = "
            f"{sc.settings.max_memory} GB; pass keep_predictions=False (tables only)."
        )
        raise ValueError(msg)


def all_regimes(profiles: AnnData, plan: RegimePlan, *, fit_on: str) -> tuple[MuData, Mapping[str, Screen]]:
    """Return all regimes, and their screens."""
    mdata = make_regimes(profiles, plan, fit_on=fit_on)
    return mdata, {regime: _moments.of(mdata[regime]) for regime in plan.genes}


def regimes_on_demand(profiles: AnnData, plan: RegimePlan, *, fit_on: str) -> tuple[MuData, Mapping[str, Screen]]:
    """Return the full regime, and the screens of all regimes on demand."""
    full = _moments.of(profiles)
    makers: dict[str, Callable[[], Screen]] = {FULL: lambda: full}
    for regime, genes in plan.genes.items():
        if regime == REGRESSED:
            makers[regime] = partial(_regressed, full, fit_on, {})
        elif regime != FULL:
            makers[regime] = partial(_without, full, genes, {})
    mdata = _compat.mudata({FULL: profiles})
    _store.put(mdata, regimes_left_out=left_out_table(plan))
    return mdata, OnDemand(makers, {FULL: full})


def _without(full: Screen, keep: BoolArray, facts: dict[str, Any]) -> Screen:
    genes, symbols = full.genes[keep], full.symbols[keep]
    moments = replace(full.moments, covariates=None).genes(keep)  # only `regressed` needs them
    return replace(full, moments=moments, genes=genes, symbols=symbols, facts=facts)


def _regressed(full: Screen, fit_on: str, facts: dict[str, Any]) -> Screen:
    moments, _ = regress_profiles(full, None, fit_on=fit_on)
    return replace(full, moments=moments, record={**full.record, "regressed": True}, facts=facts)
