"""The profiles of every regime: all at once, or computed when read where an audit stores only its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from anndata import AnnData
from mudata import MuData

from ... import _compat, _moments, _store
from ..._core.arrays import BoolArray
from ..._moments import Screen
from ...pp._regimes import REGRESSED, Plan, left_out_table, make_regimes
from ...pp._regress import regress_profiles
from .._lazy import OnDemand

FULL = "full"


def at_once(profiles: AnnData, plan: Plan, *, fit_on: str) -> tuple[MuData, Mapping[str, Screen]]:
    """Return all regimes, and their screens."""
    mdata = make_regimes(profiles, plan, fit_on=fit_on)
    return mdata, {regime: _moments.of(mdata[regime]) for regime in plan.genes}


def on_demand(profiles: AnnData, plan: Plan, *, fit_on: str) -> tuple[MuData, Mapping[str, Screen]]:
    """Return the full regime alone, and the screens of all, made of it when asked for."""
    full = _moments.of(profiles)
    makers: dict[str, Callable[[], Screen]] = {FULL: lambda: full}
    for regime, genes in plan.genes.items():
        if regime == REGRESSED:
            makers[regime] = partial(_regressed, full, fit_on)
        elif regime != FULL:
            makers[regime] = partial(_without, full, genes)
    only = _compat.mudata({FULL: profiles})
    _store.put(only, regimes_left_out=left_out_table(plan))
    return only, OnDemand(makers, {FULL: full})


def _without(full: Screen, keep: BoolArray) -> Screen:
    return replace(full, moments=full.moments.genes(keep), genes=full.genes[keep], symbols=full.symbols[keep])


def _regressed(full: Screen, fit_on: str) -> Screen:
    moments, _ = regress_profiles(full, None, fit_on=fit_on)
    return replace(full, moments=moments, record={**full.record, "regressed": True})


def complete(only: MuData, plan: Plan, *, fit_on: str) -> MuData:
    """Make the profiles of all regimes, beside the tables of the audit."""
    mdata = make_regimes(only[FULL], plan, fit_on=fit_on)
    _store.put(mdata, **_store.root(only))
    return mdata
