"""All questions of an audit, and the regimes in which each is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData

from ... import _results, _store
from ..._core.arrays import FloatArray
from ..._keys import OBSERVED
from ..._moments import Screen
from ...pp._regimes import REGIMES, REGRESSED
from .._attribution_agreement import attribution_agreement_table
from .._attribution_check import attribution_check_table
from .._balance import balance_table
from .._confounding import confounding_table
from .._gene_sets import measured_sets
from .._lazy import Tables, known_rows
from .._probe_data import can_probe
from .._probes import probes_table
from .._recurrence import recurrence_table
from .._specificity import specificity_table
from .._target_response import target_response_table
from .._variance_ratio import variance_ratio_table
from .cross_fit import Variant
from .error_by_n_genes import error_by_n_genes_table
from .fits import Fits
from .jobs import in_threads, number_of_threads
from .settings import AuditSettings

Records = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By regime and model: the record of a model that is not cross-fitted."""
K = 5
"""Number of strongest genes per perturbation in which recurrence is counted (all genes, if there are fewer)."""
FULL = "full"
WITH_ALL_GENES = (FULL, REGRESSED)
"""Regimes in which the shares of the response are computed: those with all genes."""


@dataclass(frozen=True)
class AuditResults:
    """The models of an audit by regime, with records and predictions.

    ``profiles`` are those of ``full``. ``models`` are cross-fitted over ``folds``, with the graphs of ``net``, as
    ``fits`` holds them; ``records`` holds the others. Of ``predictions``, ``unseen`` is NaN where a model has seen the
    perturbation; both are computed when they are read. ``without_random`` holds by external model, and by number, what it
    predicts without random genes (perturbations × genes of ``full``, NaN: removed).
    """

    profiles: AnnData
    screens: Mapping[str, Screen]
    models: Sequence[Variant]
    net: pd.DataFrame | None
    folds: Mapping[str, int]
    fits: Mapping[str, Fits]
    records: Records
    predictions: Mapping[str, Tables]
    unseen: Mapping[str, Tables]
    without_random: Mapping[str, Mapping[int, FloatArray]] = field(default_factory=dict)

    def model_facts(self, regime: str) -> dict[str, Any]:
        """Return further inputs of a question about the models of a regime."""
        return {"folds": self.folds, "constant": constant_models(self.fits[regime], self.records[regime])}

    def one_split(self, regime: str) -> dict[str, list[str] | None]:
        """Return the models of a regime that are not cross-fitted, with their unseen perturbations."""
        return _results.one_split(self.records[regime])


class Question(NamedTuple):
    """A question: its table, its regimes, and the function that computes the answer in one regime.

    To add one, write its ``answer`` (None: no answer) and one row in ``QUESTIONS``. The answers of all regimes are
    combined, with the column ``regime`` at ``regime_column``. A question ``of_models`` is left out without a model.
    Random draws follow the order of the regimes, and within each that of the rows: add new rows at the end.
    """

    table: str
    regimes: tuple[str, ...]
    answer: Callable[[AuditResults, str, AuditSettings], pd.DataFrame | None]
    of_models: bool = False
    regime_column: int = 1


def _confounding(results: AuditResults, regime: str, settings: AuditSettings) -> pd.DataFrame:
    screen = results.screens[regime]
    sets = measured_sets(results.profiles, screen, settings.sets)
    return confounding_table(screen, sets, rng=settings.rng)


def _recurrence(results: AuditResults, regime: str, settings: AuditSettings) -> pd.DataFrame:
    screen = results.screens[regime]
    table = partial(recurrence_table, screen, k=min(K, len(screen.genes)), **results.model_facts(regime))
    table = partial(table, one_split=results.one_split(regime))
    return _by_coverage(results.unseen[regime], table)


def _target_response(results: AuditResults, regime: str, settings: AuditSettings) -> pd.DataFrame:
    screen, unseen = results.screens[regime], results.unseen[regime]
    return target_response_table(screen, unseen, rng=settings.rng, **results.model_facts(regime))


def _variance_ratio(results: AuditResults, regime: str, settings: AuditSettings) -> pd.DataFrame:
    table = partial(variance_ratio_table, results.screens[regime], **results.model_facts(regime))
    table = partial(table, one_split=results.one_split(regime))
    return _by_coverage(results.unseen[regime], table)


def _specificity(results: AuditResults, regime: str, settings: AuditSettings) -> pd.DataFrame:
    return specificity_table(
        results.screens[regime],
        results.unseen[regime],
        n_top_genes=settings.n_top_genes,
        rng=settings.rng,
        one_split=results.one_split(regime),
        **results.model_facts(regime),
    )


def _error_by_n_genes(results: AuditResults, regime: str, settings: AuditSettings) -> pd.DataFrame:
    screen, weights = results.screens[regime], _results.control_weights(results.records[regime], results.screens[FULL])
    return error_by_n_genes_table(screen, results.unseen[regime], folds=results.folds, weights=weights)


def _attribution_check(results: AuditResults, regime: str, settings: AuditSettings) -> pd.DataFrame | None:
    sizes = _attribution_sizes(results, regime)
    perturbed = {name: values[1:] for name, values in sizes.items()}  # without the control
    return attribution_check_table(results.screens[regime].symbols, perturbed) if sizes else None


def _attribution_agreement(results: AuditResults, regime: str, settings: AuditSettings) -> pd.DataFrame | None:
    screen, sizes = results.screens[regime], _attribution_sizes(results, regime)
    k = min(20, len(screen.genes))
    return attribution_agreement_table(screen, sizes, k=k, rng=settings.rng) if len(sizes) > 1 else None


def _balance(results: AuditResults, regime: str, settings: AuditSettings) -> pd.DataFrame:
    return balance_table(results.screens[regime], rng=settings.rng)


def _probes(results: AuditResults, regime: str, settings: AuditSettings) -> pd.DataFrame | None:
    screen = results.screens[regime]
    if not can_probe(screen, results.folds):
        return None
    return probes_table(screen, folds=results.folds, rng=settings.rng)


QUESTIONS = (
    Question("confounding", WITH_ALL_GENES, _confounding),
    Question("recurrence", REGIMES, _recurrence),
    Question("target_response", (FULL,), _target_response),
    Question("variance_ratio", REGIMES, _variance_ratio, of_models=True),
    Question("specificity", (FULL,), _specificity, of_models=True),
    Question("attribution_check", (FULL,), _attribution_check, of_models=True, regime_column=0),
    Question("attribution_agreement", (FULL,), _attribution_agreement, of_models=True, regime_column=0),
    Question("balance", (FULL,), _balance),
    Question("probes", (FULL,), _probes, regime_column=0),
    Question("error_by_n_genes", REGIMES, _error_by_n_genes, of_models=True),
)


def ask_questions(results: AuditResults, settings: AuditSettings) -> dict[str, pd.DataFrame]:
    """Return the table of each question, with the answers in all its regimes."""
    parts: dict[str, list[pd.DataFrame]] = {question.table: [] for question in QUESTIONS}
    # A generator of the caller gives draws in the order of the questions.
    n_jobs = 1 if isinstance(settings.rng, np.random.Generator) else settings.n_jobs
    for regime in results.screens:  # one after another: each may be made when it is read
        has_models = bool(results.unseen[FULL] and results.unseen[regime])
        questions = [q for q in QUESTIONS if regime in q.regimes and (has_models or not q.of_models)]
        if questions and number_of_threads(n_jobs) > 1:
            _compute_shared(results.screens[regime])
        answers = in_threads((partial(q.answer, results, regime, settings) for q in questions), n_jobs=n_jobs)
        for question, part in zip(questions, answers, strict=True):
            if part is not None:
                part.insert(question.regime_column, "regime", regime)
                parts[question.table].append(part)
    return {table: _concatenate(answers) for table, answers in parts.items() if answers}


def _compute_shared(screen: Screen) -> None:
    """Compute what several questions read, so that threads do not each compute it."""
    for name in ("merged", "noise_shape", "detection"):
        getattr(screen, name)


def of_regime(table: pd.DataFrame, regime: str) -> pd.DataFrame:
    """Return the rows of one regime, without its column."""
    return table[table["regime"] == regime].drop(columns="regime")


def _by_coverage(
    unseen: Mapping[str, FloatArray], table: Callable[[Mapping[str, FloatArray]], pd.DataFrame]
) -> pd.DataFrame:
    """Evaluate models together, and separately each model that predicts far fewer perturbations."""
    n = {name: int(known_rows(unseen, name).sum()) for name in unseen}
    narrow = [name for name in n if n[name] < 0.8 * max(n.values())]
    parts = [table(_subset(unseen, [name for name in n if name not in narrow]) if narrow else unseen)]
    for name in narrow:
        part = table(_subset(unseen, [name]))
        parts.append(part[part["model"] != OBSERVED])
    return _concatenate(parts)


def _concatenate(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _subset(unseen: Mapping[str, FloatArray], names: Sequence[str]) -> Tables:
    return Tables({name: partial(unseen.__getitem__, name) for name in names})


def _attribution_sizes(results: AuditResults, regime: str) -> dict[str, FloatArray]:
    """Return the sizes of the attributions of the models of ``full`` that have any: perturbations × genes."""
    fits, records = results.fits[regime], results.records[regime]
    sizes = {name: np.abs(s.coef) for name, s in fits.solutions.items() if s.coef is not None}
    for name in records:
        attributions = _store.attributions(results.profiles, name)
        if attributions is not None:
            sizes[name] = np.abs(attributions.T.astype(np.float64))
    return sizes


def constant_models(fits: Fits, records: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the models that make constant predictions for unseen perturbations."""
    return (*(name for name, s in fits.solutions.items() if s.constant), *_results.constant(records))
