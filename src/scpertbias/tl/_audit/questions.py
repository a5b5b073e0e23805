"""Every question of an audit, asked in the regimes where its answer means something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from ... import _results, _store
from ..._core.arrays import FloatArray
from ..._keys import OBSERVED
from ..._moments import Screen
from .._attribution_agreement import attribution_agreement_table
from .._attribution_check import attribution_check_table
from .._confounding import confounding_table, measured_sets
from .._lazy import Tables
from .._recurrence import recurrence_table
from .._specificity import specificity_table
from .._target_response import target_response_table
from .._variance_ratio import variance_ratio_table
from .cross_fit import Fits

Records = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By regime and model: how a model that is not cross-fitted was made."""
Answers = dict[str, pd.DataFrame | None]
K = 5
"""Strongest genes of each perturbation that recurrence counts; of fewer genes all."""
ON_DATA = ("full", "regressed")
"""Regimes in which the data themselves are asked: without genes there is no share of them."""


def question_tables(
    profiles: AnnData,
    screens: Mapping[str, Screen],
    fits: Mapping[str, Fits],
    records: Records,
    unseen: Mapping[str, Mapping[str, FloatArray]],
    folds: Mapping[str, int],
    *,
    sets: pd.DataFrame | None,
    n_top_genes: int,
    n_boot: int,
    rng: int | np.random.Generator | None,
) -> Answers:
    """Ask about the data in ``full`` and ``regressed``, what recurs and varies in every regime, the rest in ``full``."""
    constant = {regime: constant_models(f, records[regime]) for regime, f in fits.items()}

    def in_regimes(regimes: list[str], table: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
        parts = [table(regime) for regime in regimes]
        for regime, part in zip(regimes, parts, strict=True):
            part.insert(1, "regime", regime)
        return _joined(parts)

    def about(regime: str) -> dict[str, Any]:
        return {"folds": folds, "constant": constant[regime]}

    every, full = list(screens), screens["full"]
    of_data = [regime for regime in ON_DATA if regime in screens]
    tables: Answers = {
        "confounding": in_regimes(
            of_data,
            lambda r: confounding_table(screens[r], measured_sets(profiles, screens[r], sets), n_boot=n_boot, rng=rng),
        ),
        "recurrence": in_regimes(
            every,
            lambda r: _each(
                unseen[r], lambda some: recurrence_table(screens[r], some, k=min(K, len(screens[r].genes)), **about(r))
            ),
        ),
        "target_response": in_regimes(["full"], lambda r: target_response_table(full, unseen[r], rng=rng, **about(r))),
    }
    if not (fits["full"].solutions or records["full"]):
        return tables
    tables["variance_ratio"] = in_regimes(
        [r for r in every if fits[r].solutions or records[r]],
        lambda r: _each(
            unseen[r], lambda some: variance_ratio_table(screens[r], some, n_boot=n_boot, rng=rng, **about(r))
        ),
    )
    tables["specificity"] = in_regimes(
        ["full"],
        lambda r: specificity_table(full, unseen[r], n_top_genes=n_top_genes, n_boot=n_boot, rng=rng, **about(r)),
    )
    return tables | _attributions(profiles, full, fits["full"], records["full"], rng)


def of_regime(table: pd.DataFrame | None, regime: str) -> pd.DataFrame | None:
    """Return the rows of one regime, without its column."""
    return None if table is None else table[table["regime"] == regime].drop(columns="regime")


def _each(unseen: Mapping[str, FloatArray], table: Callable[[Mapping[str, FloatArray]], pd.DataFrame]) -> pd.DataFrame:
    """Ask about models together, and apart about each that predicts far fewer: it would cut all others to its few."""
    n = {name: int(np.isfinite(values).all(axis=1).sum()) for name, values in unseen.items()}
    few = [name for name in n if n[name] < 0.8 * max(n.values())]
    parts = [table(_only(unseen, [name for name in n if name not in few]))]
    for name in few:
        alone = table(_only(unseen, [name]))
        parts.append(alone[alone["model"] != OBSERVED])
    return _joined(parts)


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _only(unseen: Mapping[str, FloatArray], names: Sequence[str]) -> Tables:
    return Tables({name: partial(unseen.__getitem__, name) for name in names})


def _attributions(
    profiles: AnnData,
    screen: Screen,
    fits: Fits,
    records: Mapping[str, Mapping[str, Any]],
    rng: int | np.random.Generator | None,
) -> Answers:
    """Compare the attributions of the models that have any."""
    sizes = {name: np.abs(s.coef) for name, s in fits.solutions.items() if s.coef is not None}
    for name in records:
        stored = _store.attributions(profiles, name)
        if stored is not None:
            sizes[name] = np.abs(stored.T.astype(np.float64))
    tables: Answers = {}
    if sizes:
        checked = {name: values[1:] for name, values in sizes.items()}
        tables["attribution_check"] = attribution_check_table(screen.symbols, checked)
    if len(sizes) > 1:
        k = min(20, len(screen.genes))
        tables["attribution_agreement"] = attribution_agreement_table(screen, sizes, k=k, rng=rng)
    for table in tables.values():
        if table is not None:
            table.insert(0, "regime", "full")
    return tables


def constant_models(fits: Fits, records: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Name the models that predict the same for all that they have not seen."""
    return (*(name for name, s in fits.solutions.items() if s.constant), *_results.constant(records))
