"""Random removals: as many other genes of similar expression are removed, and the models retrained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ... import _held_out, _tables
from ..._core.arrays import BoolArray, FloatArray, IntArray
from ..._core.matched_genes import Removals, mismatch
from ..._keys import NEGLIGIBLE
from ..._log import progress
from ..._models._base import closed_form, problem
from ..._models._net import Graphs, graphs_of
from ..._models._products import ScreenProducts, products_of
from ..._moments import Screen
from ...pp._regimes import WITHOUT_GENES
from .._reference import Reference, reference
from .cross_fit import Variant
from .jobs import Arrays, Job, JobKey, digest, run
from .questions import AuditResults
from .retraining import NO_GAIN, UNCHANGED
from .settings import AuditSettings

TOO_FEW_GENES = "too few other genes for a random removal of the same size"
NO_DIFFERENCE = f"not tested, because all gains are below {NEGLIGIBLE}"


def random_table(results: AuditResults, settings: AuditSettings, *, confounders: BoolArray) -> pd.DataFrame | None:
    """Compare the smallest feature regime with random removals: one row per model; None without such a regime.

    ``gain`` is the mean of l2_ratio(full) − l2_ratio(retrained) over the regime's genes, that of a removal the same over
    the genes that neither it nor the regime lacks, on the perturbations that all three predict. Results do not depend
    on the order or number of removals: each has its own generator. ``confounders`` (all mitochondrial and ribosomal
    genes of the full screen) are not removed.
    """
    screens, fits, folds = results.screens, results.fits, results.folds
    gene_regimes = [name for name in WITHOUT_GENES if name in screens]
    if not gene_regimes or (settings.n_random < 1 and not results.without_random):
        return None
    full, regime = screens["full"], gene_regimes[-1]
    keep = np.isin(np.arange(len(full.genes)), full.genes.get_indexer(screens[regime].genes))
    models = [m for m in results.models if m.name in fits["full"].solutions and m.name in fits[regime].solutions]
    models = models if settings.n_random else []
    joint_models = [model for model in models if not model.fits_genes_separately]
    full_reference = reference(full, n_top_genes=len(full.genes), folds=folds, genes=_all(full))
    scorer = RemovalScorer(full, full_reference, settings.n_top_genes)
    removals = Removals(regime, ~keep, keep & ~confounders, full.moments.control)
    removal_results: list[RemovalResult] = []
    if removals.possible and joint_models:
        graphs = graphs_of(full, results.net, quiet=True) if any(model.needs_net for model in joint_models) else None
        before = {model.name: fits["full"].solutions[model.name].predictions for model in joint_models}
        predicted = {model.name: _predicted(fits[regime].solutions[model.name].predictions) for model in joint_models}
        seed = int(np.random.default_rng(settings.rng).integers(2**32))
        trainer = RemovalTrainer(full, joint_models, folds, graphs, before, predicted, scorer, removals, seed)
        removal_results = trainer.run_all(settings)
    rows, scored = [], scorer.genes(keep)
    for model in models:
        before_removal, after = (fits[r].solutions[model.name].predictions for r in ("full", regime))
        gain = scorer.gain(before_removal[:, scored], after[:, (np.cumsum(keep) - 1)[scored]], scored)
        rows.append(_row(model.name, removals, gain, removal_results, separately=model.fits_genes_separately))
    rows += [_external_row(results, settings, removals, name) for name in results.without_random]
    return pd.DataFrame(rows, columns=_tables.columns("random_removals"))


def _external_row(results: AuditResults, settings: AuditSettings, removals: Removals, name: str) -> dict[str, object]:
    """Return the row of an external model with random removals, on perturbations that it has not seen."""
    full, regime = results.screens["full"], removals.regime
    unseen = {r: results.unseen[r].get(name) for r in ("full", regime)}
    before, after = unseen["full"], unseen[regime]
    record = results.records["full"][name]
    names = None if record.get("cross_fitted") else _held_out.unseen(record, full, results.folds)
    n_genes = len(full.genes)
    own_reference = reference(full, n_top_genes=n_genes, folds=results.folds, genes=_all(full), unseen=names)
    scorer, keep = RemovalScorer(full, own_reference, settings.n_top_genes), ~removals.removed
    if before is None or after is None:
        return _row(name, removals, np.empty(0), [])
    genes = scorer.genes(keep)
    gain = scorer.gain(before[:, genes], after[:, (np.cumsum(keep) - 1)[genes]], genes)
    removal_results = []
    for predictions in results.without_random[name].values():
        removed = np.asarray(np.isnan(predictions).all(axis=0), dtype=np.bool_)
        genes = scorer.genes(keep & ~removed)
        gain_of_removal = scorer.gain(before[:, genes], predictions[:, genes], genes, also=_predicted(after))
        distance = mismatch(full.moments.control, removals.removed, removed)
        gains = {name: float(gain_of_removal.mean())} if len(gain_of_removal) else {}
        removal_results.append(RemovalResult(gains, distance))
    return _row(name, removals, gain, removal_results)


class RemovalResult(NamedTuple):
    """Result of one removal: mean gain of each model, and difference in expression from the genes of the regime."""

    gains: dict[str, float]
    mismatch: float


@dataclass(frozen=True)
class RemovalTrainer:
    """Cross-fits models without random genes."""

    screen: Screen
    models: Sequence[Variant]
    folds: Mapping[str, int]
    graphs: Graphs | None
    before: Mapping[str, FloatArray]
    predicted: Mapping[str, BoolArray]
    scorer: RemovalScorer
    removals: Removals
    seed: int

    @cached_property
    def products(self) -> ScreenProducts:
        """Products of the means on all genes, which those on fewer genes follow from."""
        return products_of(self.screen)

    def run_all(self, settings: AuditSettings) -> list[RemovalResult]:
        """Run all removals, each as a separate job."""
        inputs: list[Any] = []
        if settings.cache is not None:
            net = None if self.graphs is None else self.graphs.net
            models = [[m.name, m.kind, m.params, self.before[m.name], self.predicted[m.name]] for m in self.models]
            genes = [self.removals.removed, self.removals.eligible, self.scorer.n_top_genes, self.seed]
            inputs = [self.screen.digest(), digest([self.folds, net, models, genes])]
        numbers = range(settings.n_random)
        jobs = [Job(("random", str(number)), partial(self.retrain, number), [inputs, number]) for number in numbers]
        results: dict[JobKey, Any] = {}
        # Threads of BLAS would fight over the cores: its matrices are small here, and the removals many.
        with (
            threadpool_limits(1, user_api="blas"),
            progress("random removals", settings.n_random) as bar,
        ):
            for key, arrays in run(jobs, n_jobs=settings.n_jobs, cache=settings.cache):
                results[key] = arrays
                bar.update()
        return [
            RemovalResult(dict(zip(a["models"].tolist(), a["gains"].tolist(), strict=True)), float(a["mismatch"]))
            for a in (results[job.key] for job in jobs)
        ]

    def retrain(self, number: int) -> Arrays:
        """Retrain without the genes of one removal; a model that cannot be fitted without them has no gain."""
        removed = self.removals.draw(np.random.default_rng([self.seed, number]))
        genes = self.scorer.genes(~self.removals.removed & ~removed)
        gains = {}
        for model, predictions in self._cross_fit(~removed, genes).items():
            gain = self.scorer.gain(self.before[model][:, genes], predictions, genes, also=self.predicted[model])
            if len(gain):
                gains[model] = float(gain.mean())
        distance = mismatch(self.screen.moments.control, self.removals.removed, removed)
        return {
            "models": np.array(list(gains), dtype=str),
            "gains": np.array(list(gains.values())),
            "mismatch": np.array(distance),
        }

    def _cross_fit(self, keep: BoolArray, genes: IntArray) -> dict[str, FloatArray]:
        """Cross-fit all models on the genes to ``keep``; return the predictions of those that can be fitted on ``genes``."""
        fold = np.array([self.folds.get(name, -1) for name in self.screen.names])
        graphs = self.graphs
        graphs = None if graphs is None else Graphs(graphs.net, self.screen.symbols[keep], graphs.targets)
        columns, products = (np.cumsum(keep) - 1)[genes], self.products.without(np.flatnonzero(~keep))
        predictions = {model.name: np.full((len(fold), len(genes)), np.nan) for model in self.models}
        for number in sorted(set(self.folds.values())):
            train, rows = fold[self.screen.perturbation] != number, np.flatnonzero(fold == number)
            training = problem(self.screen, train, graphs=graphs, rows=rows, keep=keep, products=products)
            for model in self.models:
                if model.name in predictions:
                    try:
                        solution = closed_form(model.kind)(training, **model.params)
                    except ValueError:
                        del predictions[model.name]
                    else:
                        predictions[model.name][rows] = solution.predictions[:, columns]
        return predictions


@dataclass(frozen=True)
class RemovalScorer:
    """Errors relative to the mean baseline, on any genes of the full screen."""

    screen: Screen
    reference: Reference
    n_top_genes: int

    def genes(self, allowed: BoolArray) -> IntArray:
        """Return the genes to score, of those that are allowed."""
        order = np.lexsort((self.screen.genes.to_numpy(str), -self.screen.moments.control))
        return np.sort(order[allowed[order]][: self.n_top_genes])

    def gain(
        self, before: FloatArray, after: FloatArray, genes: IntArray, *, also: BoolArray | None = None
    ) -> FloatArray:
        """Return l2_ratio(before) − l2_ratio(after) by held-out perturbation that both (and ``also``) predict.

        Both are predictions on the ``genes`` only.
        """
        rows, truth = self.reference.perturbation, self.reference.truth
        observed, center = (values[:, genes] for values in (truth.observed, truth.centroid))
        baseline_error = np.linalg.norm(center - observed, axis=1)
        error_before, error_after = (np.linalg.norm(values[rows] - observed, axis=1) for values in (before, after))
        scored = np.isfinite(error_before) & np.isfinite(error_after)
        scored &= (baseline_error > 0) & (self.reference.fold >= 0)
        if also is not None:
            scored &= also[rows]
        return (error_before[scored] - error_after[scored]) / baseline_error[scored]


def _all(screen: Screen) -> IntArray:
    return np.arange(len(screen.genes), dtype=np.int64)


def _predicted(predictions: FloatArray) -> BoolArray:
    return np.asarray(np.isfinite(predictions).any(axis=1), dtype=np.bool_)


def _row(
    model: str,
    removals: Removals,
    gain: FloatArray,
    removal_results: Sequence[RemovalResult],
    *,
    separately: bool = False,
) -> dict[str, object]:
    """Make the row of a model; one that fits each gene independently is not tested."""
    n_removals = len(removal_results)
    gains = np.array([result.gains[model] for result in removal_results if model in result.gains])
    no_gain = bool(len(gain)) and float(np.abs(gain).max()) <= NO_GAIN
    estimate = 0.0 if no_gain else float(gain.mean()) if len(gain) else np.nan
    unchanged = separately or (no_gain and len(gains) > 0 and float(np.abs(gains).max()) <= NO_GAIN)
    notes = [UNCHANGED] if unchanged else [] if removals.possible else [TOO_FEW_GENES]
    if len(gains) < n_removals and not separately:
        notes.append(f"{n_removals - len(gains)} of {n_removals} removals leave too few genes for fits or comparisons")
    tested = not unchanged and len(gains) > 0 and np.isfinite(estimate)
    if tested and max(abs(estimate), float(np.abs(gains).max())) < NEGLIGIBLE:
        tested = False  # which of such gains is larger is a matter of rounding
        notes.append(NO_DIFFERENCE)
    return {
        "model": model,
        "regime": removals.regime,
        "n": len(gain),
        "n_genes": int(removals.removed.sum()),
        "n_random": len(gains),
        "gain": estimate,
        "random_mean": float(gains.mean()) if len(gains) else np.nan,
        "random_min": float(gains.min()) if len(gains) else np.nan,
        "random_max": float(gains.max()) if len(gains) else np.nan,
        "p": (1 + int((gains >= estimate).sum())) / (1 + len(gains)) if tested else np.nan,
        "q": np.nan,
        "n_replaced": removals.n_replaced,
        "mismatch": float(np.mean([result.mismatch for result in removal_results])) if removal_results else np.nan,
        "note": "; ".join(notes),
    }
