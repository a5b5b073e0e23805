"""Scores and tables from the cross-fitted models of an audit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData

from ... import _held_out, _moments, _results, _store, _tables
from ..._core.arrays import FloatArray
from ..._models._base import Solution
from ..._models._fit import store
from ..._moments import Screen
from ...pp._check import findings
from ...pp._regimes import removed
from .._comparison import comparison_table
from .._composition import composition_table
from .._coupling import coupling_table
from .._gene_sets import measured_sets
from .._lazy import Tables
from .._power import cells_needed_table, power_table
from .._score import CROSS_FITTED, mark_held_out
from .._summary import predicted_by_all, summarize, with_q
from .cross_fit import Variant
from .deep_models import trained_in
from .fits import Fits
from .jobs import in_threads
from .low_memory import SpilledSolution
from .perturbations import perturbations_table
from .questions import FULL, AuditResults, Records, constant_models, of_regime
from .random_removal import random_table
from .retraining import ScoredRegimes, ranking_table, retraining_table, score_regimes
from .settings import AuditSettings


def collect_results(
    mdata: MuData,
    screens: Mapping[str, Screen],
    models: Sequence[Variant],
    net: pd.DataFrame | None,
    folds: Mapping[str, int],
    fits: Mapping[str, Fits],
    without_random: Mapping[str, Mapping[int, FloatArray]] | None = None,
    cross_fitted: Collection[str] = (),
) -> AuditResults:
    """Combine the cross-fitted models with those stored in the profiles: external, or trained in a regime."""
    records = {r: trained_in(mdata[r], r, cross_fitted) if r in mdata.mod else {} for r in screens}
    predictions = _predictions(mdata, screens, fits, records)
    unseen = only_unseen(predictions, screens, records, folds, fits)
    without_random = without_random or {}
    return AuditResults(mdata[FULL], screens, models, net, folds, fits, records, predictions, unseen, without_random)


def make_tables(
    results: AuditResults,
    scored: Mapping[str, pd.DataFrame | None],
    answers: Mapping[str, pd.DataFrame],
    settings: AuditSettings,
    failures: Sequence[tuple[str, str, str]],
) -> dict[str, pd.DataFrame | None]:
    """Return all tables of an audit by name: scores, summaries, answers, and models."""
    screens, folds, fits, records = results.screens, results.folds, results.fits, results.records
    scores = scored["scores"]
    random_removals = random_table(results, settings, confounders=removed(results.profiles, "no_mt_ribo"))
    check = findings(screens[FULL], results.profiles, n_folds=len(set(folds.values())))
    shares = of_regime(answers["confounding"], FULL)
    gene_sets = measured_sets(results.profiles, screens[FULL], settings.sets)
    return {
        "check": check,
        "perturbations": perturbations_table(screens[FULL], check, shares),
        "composition": composition_table(screens[FULL], gene_sets, shares),
        "power": power_table(screens[FULL]),
        "cells_needed": cells_needed_table(screens[FULL]),
        "models": models_table(fits, results.models, folds, screens[FULL].names, records),
        **scored,
        "comparison": None if scores is None else comparison_table(scores),
        "retraining": None if scores is None else retraining_table(scores),
        "ranking": None if scores is None else ranking_table(scores),
        "random_removals": random_removals,
        "models_left_out": left_out_table(fits, failures),
        **answers,
    }


def _predictions(
    mdata: MuData, screens: Mapping[str, Screen], fits: Mapping[str, Fits], records: Records
) -> dict[str, Tables]:
    """Return the predictions of every model by regime, computed on demand; external ones are those of the full model."""

    def of_fit(regime: str, name: str) -> Any:
        return fits[regime].solutions[name].predictions

    def of_record(regime: str, name: str) -> Any:
        return _results.predictions(mdata[regime], name, screens[regime]).to_numpy(np.float64)

    return {
        regime: Tables(
            {name: partial(of_fit, regime, name) for name in fits_of_regime.solutions}
            | {name: partial(of_record, regime, name) for name in records[regime]}
        )
        for regime, fits_of_regime in fits.items()
    }


def only_unseen(
    predictions: Mapping[str, Tables],
    screens: Mapping[str, _moments.Screen],
    records: Records,
    folds: Mapping[str, int],
    fits: Mapping[str, Fits],
) -> dict[str, Tables]:
    """Return the predictions; NaN for perturbations that a model has seen, for the control, and outside the folds."""

    def held_out(regime: str, name: str) -> Any:
        screen, record = screens[regime], records[regime].get(name, CROSS_FITTED)
        table = predictions[regime][name]
        if not isinstance(fits[regime].solutions.get(name), SpilledSolution):
            table = table.copy()  # a spilled one is read anew at each access
        table[~np.isin(screen.names, _held_out.unseen(record, screen, folds))] = np.nan
        return table

    return {
        regime: Tables({name: partial(held_out, regime, name) for name in tables})
        for regime, tables in predictions.items()
    }


def score_models(results: AuditResults, settings: AuditSettings) -> dict[str, pd.DataFrame | None]:
    """Score every model in its regime, and the models of ``full`` in all regimes; return scores and summary, if any.

    The derivatives with respect to the control, which the summary needs, are large and are not kept.
    """
    screens, predictions, records, folds = results.screens, results.predictions, results.records, results.folds
    if not predictions["full"]:
        return {"scores": None, "summary": None}
    full = screens[FULL]
    held: dict[tuple[str, str], FloatArray | None] = {}
    for regime, fits in results.fits.items():
        of_models = {name: solution.noise_weights for name, solution in fits.solutions.items()}
        of_models |= _results.noise_weights(records[regime], full)  # cells and batches are those of every regime
        held |= {(regime, name): table for name, table in of_models.items()}
    one_split = {name: record for name, record in records["full"].items() if not record.get("cross_fitted")}
    unseen = {name: _held_out.unseen(record, full, folds) for name, record in one_split.items()}
    weights = {regime: _results.control_weights(of_regime, full) for regime, of_regime in records.items()}
    scored = score_regimes(
        screens,
        predictions,
        folds,
        n_top_genes=settings.n_top_genes,
        held=held,
        unseen=unseen,
        weights=weights,
        run=partial(in_threads, n_jobs=settings.n_jobs),
    )
    scored = scored._replace(table=mark_held_out(scored.table, records["full"], full, folds))
    return {"scores": scored.table, "summary": summaries(scored, results.fits, records)}


def store_results(
    mdata: MuData,
    results: AuditResults,
    tables: Mapping[str, pd.DataFrame | None],
    settings: AuditSettings,
    notes: Sequence[str],
) -> None:
    """Store folds, models, tables and settings of the audit (without fitted models if only tables are kept)."""
    keep, rng = settings.keep_predictions, settings.rng
    _store_models(mdata, results)
    coupling = None
    retrained = any(results.records[regime] for regime in results.screens if regime != FULL)
    if keep and (results.models or retrained) and len(results.screens) > 1:
        in_sample = {regime: fits.in_sample for regime, fits in results.fits.items()}
        coupling = coupling_table(mdata, results.net, in_sample=in_sample)
    audit = {name: value for name, value in results.screens[FULL].record.items() if name in _results.DATA}
    audit |= {"adopted_columns": results.screens[FULL].record.get("adopted_columns", [])}
    audit |= {"n_folds": len(set(results.folds.values()))}
    audit |= {name: getattr(settings, name) for name in ("n_top_genes", "n_random", "fit_on")}
    audit |= {"rng": rng if isinstance(rng, int) else None, "notes": notes}
    _store.put(mdata, **tables, labels=results.screens[FULL].labels, coupling=coupling, audit=audit)
    for regime, profiles in mdata.mod.items() if not keep else ():
        for name, record in results.records[regime].items():
            if "regime" in record:  # trained in this audit: predictions are stored already
                _store.drop_model(profiles, name)


def _store_models(mdata: MuData, results: AuditResults) -> None:
    """Store the folds in every regime and, if predictions were kept in memory, the cross-fitted models."""
    for regime, profiles in mdata.mod.items():
        screen = results.screens[regime]
        fold = [results.folds.get(screen.names[p], -1) for p in screen.perturbation]
        _store.put_obs(profiles, _results.FOLD, np.array(fold, dtype=np.int64))
        for model in results.models:
            solution = results.fits[regime].solutions.get(model.name)
            if isinstance(solution, Solution):
                kind, params, key = model.kind, model.params, model.name
                store(profiles, screen, solution, kind=kind, params=params, key=key, cross_fitted=True)


def models_table(
    fits: Mapping[str, Fits],
    models: Sequence[Variant],
    folds: Mapping[str, int],
    perturbations: Sequence[str],
    records: Records,
) -> pd.DataFrame:
    """List the models: one row per model and regime. The rows of predictions are the ``perturbations``."""
    rows: list[tuple[str, str, str, int, str]] = []
    used = np.array([name in folds for name in perturbations])
    for regime in fits:
        for model in models:
            if model.name in fits[regime].solutions:
                solution = fits[regime].solutions[model.name]
                n_unpredicted = int((~np.isfinite(solution.predictions[used]).all(axis=1)).sum())
                rows.append((model.name, regime, model.kind, n_unpredicted, solution.note))
        for name, record in records[regime].items():
            n_unpredicted = len(set(map(str, record.get("unpredicted", []))) & set(folds))
            rows.append((name, regime, str(record["kind"]), n_unpredicted, str(record.get("note", ""))))
    return pd.DataFrame(rows, columns=_tables.columns("models", audit=True))


def left_out_table(fits: Mapping[str, Fits], failures: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    """List the models that are left out, with the reason; ``failures`` are those of deep models."""
    rows = [
        (name, regime, reason)
        for regime, fits_of_regime in fits.items()
        for name, reason in fits_of_regime.left_out.items()
    ]
    rows += failures
    return pd.DataFrame(rows, columns=_tables.columns("models_left_out"))


def summaries(
    scored: ScoredRegimes,
    fits: Mapping[str, Fits],
    records: Records,
) -> pd.DataFrame:
    """Summarize the models trained in each regime; ``common``: perturbations that all predict in all regimes."""
    scores = scored.table
    own = scores[scores["trained_on"] == scores["regime"]]
    common = predicted_by_all(own[own["split"] == "test"])
    parts = []
    for regime, frame in own.groupby("regime", sort=False):
        constant = constant_models(fits[str(regime)], records[str(regime)])
        noise = {model: noise for (trained_on, model), noise in scored.noise.items() if trained_on == regime}
        facts = scored.facts[str(regime)]
        part = summarize(frame, **facts._asdict(), noise=noise, constant=constant, common=common)
        part.insert(1, "regime", str(regime))
        parts.append(part)
    return with_q(pd.concat(parts, ignore_index=True))
