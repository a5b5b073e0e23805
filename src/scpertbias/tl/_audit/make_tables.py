"""All that an audit asks of its regimes: fit, score, ask every question, store models and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from threadpoolctl import threadpool_limits

from ... import _held_out, _moments, _results, _store, _tables
from ..._core.arrays import FloatArray
from ..._models._base import Solution
from ..._models._fit import store
from ..._moments import Screen
from ...pp._check import findings
from ...pp._regimes import removed
from .._coupling import coupling_table
from .._lazy import Tables
from .._score import CROSS_FITTED, mark_held_out
from .._summary import predicted_by_all, summarize, with_q
from .cross_fit import Fits, Variant, cross_fit_all, make_folds
from .deep_models import trained_in
from .error_by_n_genes import error_by_n_genes_table
from .jobs import Cache
from .low_memory import Shelf
from .perturbations import perturbations_table
from .questions import Records, constant_models, of_regime, question_tables
from .random_removal import random_table
from .retraining import ranking_table, retraining_table, score_regimes


@threadpool_limits.wrap(limits=1, user_api="blas")  # small systems: more threads only wait for each other
def ask(
    mdata: MuData,
    screens: Mapping[str, _moments.Screen],
    wanted: Sequence[Variant],
    net: pd.DataFrame | None,
    *,
    untrained: Sequence[tuple[str, str, str]],
    sets: pd.DataFrame | None,
    n_folds: int | None,
    n_top_genes: int,
    n_boot: int,
    n_random: int,
    keep_predictions: bool,
    n_jobs: int | None,
    cache: Cache | None,
    rng: int | np.random.Generator | None,
) -> int:
    """Cross-fit the models in every regime, score them, store models and tables; return the number of folds."""
    folds = make_folds(screens["full"], n_folds, rng)
    shelf = None if keep_predictions else Shelf()
    running: dict[str, Any] = {"n_jobs": n_jobs, "cache": cache}
    fits = cross_fit_all(screens, wanted, folds, net, coefficients=keep_predictions, shelf=shelf, **running)
    records = {regime: trained_in(mdata[regime], regime) if regime in mdata.mod else {} for regime in screens}
    predictions = _predictions(mdata, screens, fits, records)
    scores = _scores(screens, predictions, records, folds, n_top_genes)
    check = findings(screens["full"], mdata["full"], n_folds=len(set(folds.values())))
    unseen = only_unseen(predictions, screens, records, folds)
    questions = question_tables(
        mdata["full"], screens, fits, records, unseen, folds, sets=sets, n_top_genes=n_top_genes, n_boot=n_boot, rng=rng
    )
    random = random_table(
        screens,
        wanted,
        fits,
        folds,
        net,
        confounders=removed(mdata["full"], "no_mt_ribo"),
        n_random=n_random,
        n_top_genes=n_top_genes,
        **running,
        rng=rng,
    )
    _keep(mdata, screens, fits, wanted, folds, predictions=keep_predictions)
    if keep_predictions and wanted and len(screens) > 1:
        in_sample = {regime: f.in_sample for regime, f in fits.items()}
        questions["coupling"] = coupling_table(mdata, net, in_sample=in_sample)
    _store.put(
        mdata,
        check=check,
        perturbations=perturbations_table(screens["full"], check, of_regime(questions["confounding"], "full")),
        models=models_table(fits, wanted, folds, screens, records),
        scores=scores,
        summary=summaries(scores, fits, records, n_boot=n_boot, rng=rng),
        retraining=None if scores is None else retraining_table(scores, n_boot=n_boot, rng=rng),
        ranking=None if scores is None else ranking_table(scores, n_boot=n_boot, rng=rng),
        random_removals=random,
        error_by_n_genes=errors_table(screens, unseen, folds),
        models_left_out=left_out_table(fits, untrained),
        **questions,
    )
    if not keep_predictions:
        _drop_trained(mdata, records)
    return len(set(folds.values()))


def _predictions(
    mdata: MuData, screens: Mapping[str, _moments.Screen], fits: Mapping[str, Fits], records: Records
) -> dict[str, Tables]:
    """Return every model's predictions by regime, read when asked for; brought ones are of the full model."""

    def fitted(regime: str, name: str) -> Any:
        return fits[regime].solutions[name].predictions

    def trained(regime: str, name: str) -> Any:
        return _results.predictions(mdata[regime], name, screens[regime]).to_numpy(np.float64)

    return {
        regime: Tables(
            {name: partial(fitted, regime, name) for name in f.solutions}
            | {name: partial(trained, regime, name) for name in records[regime]}
        )
        for regime, f in fits.items()
    }


def only_unseen(
    predictions: Mapping[str, Tables],
    screens: Mapping[str, _moments.Screen],
    records: Records,
    folds: Mapping[str, int],
) -> dict[str, Tables]:
    """Return the predictions, NaN where a model has seen the perturbation, for the control, and outside the folds."""

    def held_out(regime: str, name: str) -> Any:
        screen, record = screens[regime], records[regime].get(name, CROSS_FITTED)
        names = _held_out.unseen(record, screen, folds)
        return np.where(np.isin(screen.names, names)[:, None], predictions[regime][name], np.nan)

    return {
        regime: Tables({name: partial(held_out, regime, name) for name in tables})
        for regime, tables in predictions.items()
    }


def _scores(
    screens: Mapping[str, _moments.Screen],
    predictions: Mapping[str, Mapping[str, Any]],
    records: Records,
    folds: Mapping[str, int],
    n_top_genes: int,
) -> pd.DataFrame | None:
    """Score every model in every regime; brought ones are post-hoc everywhere. None where there is no model."""
    if not predictions["full"]:
        return None
    unseen = {name: _held_out.unseen(record, screens["full"], folds) for name, record in records["full"].items()}
    scores = score_regimes(screens, predictions, folds, n_top_genes=n_top_genes, unseen=unseen)
    return mark_held_out(scores, records["full"], screens["full"], folds)


def _keep(
    mdata: MuData,
    screens: Mapping[str, _moments.Screen],
    fits: Mapping[str, Fits],
    wanted: Sequence[Variant],
    folds: Mapping[str, int],
    *,
    predictions: bool,
) -> None:
    """Store the folds in every regime and, if asked for, the models."""
    for regime, profiles in mdata.mod.items():
        screen = screens[regime]
        fold = [folds.get(screen.names[p], -1) for p in screen.perturbation]
        _store.put_obs(profiles, _results.FOLD, np.array(fold, dtype=np.int64))
        for v in wanted if predictions else ():
            solution = fits[regime].solutions.get(v.name)
            if isinstance(solution, Solution):
                store(profiles, screen, solution, kind=v.kind, params=v.params, key=v.name, cross_fitted=True)


def _drop_trained(mdata: MuData, records: Records) -> None:
    """Drop the models that the audit trained: what they predict was read from where they are stored."""
    for regime, profiles in mdata.mod.items():
        for name, record in records[regime].items():
            if "regime" in record:
                _store.drop_model(profiles, name)


def models_table(
    fits: Mapping[str, Fits],
    wanted: Sequence[Variant],
    folds: Mapping[str, int],
    screens: Mapping[str, Screen],
    records: Records,
) -> pd.DataFrame:
    """List the models: one row a model and regime."""
    rows: list[tuple[str, str, str, int, str]] = []
    for regime, screen in screens.items():
        used = np.array([name in folds for name in screen.names])
        for v in wanted:
            if v.name in fits[regime].solutions:
                solution = fits[regime].solutions[v.name]
                cannot = int((~np.isfinite(solution.predictions[used]).all(axis=1)).sum())
                rows.append((v.name, regime, v.kind, cannot, solution.note))
        for name, record in records[regime].items():
            cannot = len(set(map(str, record.get("unpredicted", []))) & set(folds))
            rows.append((name, regime, str(record["kind"]), cannot, str(record.get("note", ""))))
    return pd.DataFrame(rows, columns=_tables.columns("models", audit=True))


def left_out_table(fits: Mapping[str, Fits], untrained: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    """List the models that are left out, with the reason; ``untrained`` are those that are not cross-fitted."""
    rows = [(name, regime, reason) for regime, f in fits.items() for name, reason in f.left_out.items()]
    rows += untrained
    return pd.DataFrame(rows, columns=_tables.columns("models_left_out"))


def summaries(
    scores: pd.DataFrame | None,
    fits: Mapping[str, Fits],
    records: Records,
    *,
    n_boot: int,
    rng: int | np.random.Generator | None,
) -> pd.DataFrame | None:
    """Summarize each regime by the models trained in it; ``common`` is what all predict in all regimes."""
    if scores is None:
        return None
    own = scores[scores["trained_on"] == scores["regime"]]
    common = predicted_by_all(own[own["split"] == "test"])
    parts = []
    for regime, frame in own.groupby("regime", sort=False):
        constant = constant_models(fits[str(regime)], records[str(regime)])
        part = summarize(frame, n_boot=n_boot, rng=rng, constant=constant, common=common)
        part.insert(1, "regime", str(regime))
        parts.append(part)
    return with_q(pd.concat(parts, ignore_index=True))


def errors_table(
    screens: Mapping[str, Screen],
    unseen: Mapping[str, Mapping[str, FloatArray]],
    folds: Mapping[str, int],
) -> pd.DataFrame | None:
    """Return the errors by number of genes, in each regime those of the models trained in it."""
    parts = []
    for regime, predictions in unseen.items():
        if predictions:
            part = error_by_n_genes_table(screens[regime], predictions, folds=folds)
            part.insert(1, "regime", regime)
            parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else None
