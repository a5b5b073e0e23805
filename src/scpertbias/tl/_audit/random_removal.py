"""Is it these genes, or any genes of their expression? As many others are removed instead, and the models retrained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ... import _tables
from ..._core.arrays import BoolArray, FloatArray, IntArray
from ..._core.matched_genes import Removals, mismatch
from ..._log import progress
from ..._models._base import closed_form, problem
from ..._models._net import Graphs, graphs_of
from ..._moments import Screen
from ...pp._regimes import WITHOUT_GENES
from .._reference import Reference, reference
from .cross_fit import Fits, Variant
from .jobs import Arrays, Cache, Part, Place, digest, run
from .retraining import NO_GAIN, UNCHANGED

TOO_FEW_GENES = "too few other genes to remove as many"


def random_table(
    screens: Mapping[str, Screen],
    wanted: Sequence[Variant],
    fits: Mapping[str, Fits],
    folds: Mapping[str, int],
    net: pd.DataFrame | None,
    *,
    confounders: BoolArray,
    n_random: int,
    n_top_genes: int,
    n_jobs: int | None = None,
    cache: Cache | None = None,
    rng: int | np.random.Generator | None,
) -> pd.DataFrame | None:
    """Compare the widest gene regime with random removals: one row a model; None without such a regime.

    ``gain`` is the mean of l2_ratio(full) − l2_ratio(retrained) over the regime's genes, that of a removal the same over
    the genes that neither it nor the regime lacks, on the perturbations that all three predict. Nothing depends on the
    order or the number of removals: each has a generator of its own.

    Parameters
    ----------
    screens, fits
        By regime.
    wanted, folds, net
        As they were cross-fitted.
    confounders
        Which genes of the full screen no removal may take: all mitochondrial and ribosomal ones.
    n_random
        Removals.
    n_top_genes
        Scores are over so many genes of highest mean in control.
    n_jobs, cache
        How the removals are run; see :func:`run`.
    rng
        Seed or generator.
    """
    made = [name for name in WITHOUT_GENES if name in screens]
    if not made or n_random < 1:
        return None
    full, regime = screens["full"], made[-1]
    kept = np.isin(np.arange(len(full.genes)), full.genes.get_indexer(screens[regime].genes))
    models = [v for v in wanted if v.name in fits["full"].solutions and v.name in fits[regime].solutions]
    tried = [v for v in models if not v.fits_genes_separately]
    judge = _Judge(full, reference(full, n_top_genes=len(full.genes), folds=folds, genes=_all(full)), n_top_genes)
    removals = Removals(regime, ~kept, kept & ~confounders, full.moments.control)
    draws: list[Draw] = []
    if removals.possible and tried:
        graphs = graphs_of(full, net, quiet=True) if any(v.needs_net for v in tried) else None
        before = {v.name: fits["full"].solutions[v.name].predictions for v in tried}
        predicted = {v.name: _predicted(fits[regime].solutions[v.name].predictions) for v in tried}
        seed = int(np.random.default_rng(rng).integers(2**32))
        retrain = _Retrain(full, tried, folds, graphs, before, predicted, judge, removals, seed)
        draws = retrain.draws(n_random, n_jobs, cache)
    rows = []
    for v in models:
        first, second = (fits[r].solutions[v.name].predictions for r in ("full", regime))
        rows.append(_row(v, removals, judge.gain(first, _spread(second, kept), kept), draws))
    return pd.DataFrame(rows, columns=_tables.columns("random_removals"))


class Draw(NamedTuple):
    """What one removal does: each model's mean gain, and how far its genes' expression lies from the regime's."""

    gains: dict[str, float]
    mismatch: float


@dataclass(frozen=True)
class _Retrain:
    """Cross-fits models without random genes."""

    screen: Screen
    tried: Sequence[Variant]
    folds: Mapping[str, int]
    graphs: Graphs | None
    before: Mapping[str, FloatArray]
    predicted: Mapping[str, BoolArray]
    judge: _Judge
    removals: Removals
    seed: int

    def draws(self, n_random: int, n_jobs: int | None, cache: Cache | None) -> list[Draw]:
        """Make so many removals, each a part of its own."""
        inputs: list[Any] = []
        if cache is not None:
            net = None if self.graphs is None else self.graphs.net
            models = [[v.name, v.kind, v.params, self.before[v.name], self.predicted[v.name]] for v in self.tried]
            genes = [self.removals.removed, self.removals.eligible, self.judge.n_top_genes, self.seed]
            inputs = [self.screen.digest(), digest([self.folds, net, models, genes])]
        parts = [Part(("random", str(r)), partial(self.draw, r), [inputs, r]) for r in range(n_random)]
        found: dict[Place, Any] = {}
        # Threads of BLAS would fight over the cores: its matrices are small here, and the removals many.
        with (
            threadpool_limits(1, user_api="blas"),
            progress("random removals", n_random) as bar,
        ):
            for place, arrays in run(parts, n_jobs=n_jobs, cache=cache):
                found[place] = arrays
                bar.update()
        return [
            Draw(dict(zip(a["models"].tolist(), a["gains"].tolist(), strict=True)), float(a["mismatch"]))
            for a in (found[part.place] for part in parts)
        ]

    def draw(self, r: int) -> Arrays:
        """Retrain without the genes of one removal; a model that cannot be fitted without them has no gain."""
        out = self.removals.draw(np.random.default_rng([self.seed, r]))
        allowed = ~self.removals.removed & ~out
        symbols = self.screen.symbols[~out]
        fewer = None if self.graphs is None else Graphs(self.graphs.net, symbols, self.graphs.targets)
        gains = {}
        for v in self.tried:
            table = self._cross_fitted(v, ~out, fewer)
            if table is None:
                continue
            gain = self.judge.gain(self.before[v.name], table, allowed, also=self.predicted[v.name])
            if len(gain):
                gains[v.name] = float(gain.mean())
        far = mismatch(self.screen.moments.control, self.removals.removed, out)
        return {
            "models": np.array(list(gains), dtype=str),
            "gains": np.array(list(gains.values())),
            "mismatch": np.array(far),
        }

    def _cross_fitted(self, variant: Variant, kept: BoolArray, graphs: Graphs | None) -> FloatArray | None:
        fold = np.array([self.folds.get(name, -1) for name in self.screen.names])
        table = np.full((len(fold), len(kept)), np.nan)
        for r in sorted(set(self.folds.values())):
            seen = problem(self.screen, fold[self.screen.perturbation] != r)
            cut = replace(
                seen,
                means=seen.means[:, kept],
                val_means=seen.val_means[:, kept],
                control=seen.control[kept],
                symbols=seen.symbols[kept],
                graphs=graphs,
            )
            try:
                solution = closed_form(variant.kind)(cut, **variant.params)
            except ValueError:
                return None
            table[np.ix_(fold == r, kept)] = solution.predictions[fold == r]
        return table


@dataclass(frozen=True)
class _Judge:
    """Errors relative to the mean baseline, on any genes of the full screen."""

    screen: Screen
    truth: Reference
    n_top_genes: int

    def gain(
        self, before: FloatArray, after: FloatArray, allowed: BoolArray, *, also: BoolArray | None = None
    ) -> FloatArray:
        """Return l2_ratio(before) − l2_ratio(after) by held-out perturbation that both (and ``also``) predict."""
        order = np.lexsort((self.screen.genes.to_numpy(str), -self.screen.moments.control))
        genes = np.sort(order[allowed[order]][: self.n_top_genes])
        observed, center = (x[:, genes] for x in (self.truth.truth.observed, self.truth.truth.centroid))
        base = np.linalg.norm(center - observed, axis=1)
        first, second = (
            np.linalg.norm(x[np.ix_(self.truth.perturbation, genes)] - observed, axis=1) for x in (before, after)
        )
        known = np.isfinite(first) & np.isfinite(second) & (base > 0) & (self.truth.fold >= 0)
        if also is not None:
            known &= also[self.truth.perturbation]
        return (first[known] - second[known]) / base[known]


def _all(screen: Screen) -> IntArray:
    return np.arange(len(screen.genes), dtype=np.int64)


def _spread(table: FloatArray, kept: BoolArray) -> FloatArray:
    """Put predictions of some genes where those genes stand among all."""
    out = np.full((len(table), len(kept)), np.nan)
    out[:, kept] = table
    return out


def _predicted(table: FloatArray) -> BoolArray:
    return np.asarray(np.isfinite(table).any(axis=1), dtype=np.bool_)


def _row(variant: Variant, removals: Removals, gain: FloatArray, draws: Sequence[Draw]) -> dict[str, object]:
    """Make a model's row; one that solves every gene apart is not tested."""
    gains = np.array([draw.gains[variant.name] for draw in draws if variant.name in draw.gains])
    still = bool(len(gain)) and float(np.abs(gain).max()) <= NO_GAIN
    estimate = 0.0 if still else float(gain.mean()) if len(gain) else np.nan
    unchanged = variant.fits_genes_separately or (still and len(gains) > 0 and float(np.abs(gains).max()) <= NO_GAIN)
    notes = [UNCHANGED] if unchanged else [] if removals.possible else [TOO_FEW_GENES]
    if len(gains) < len(draws) and not variant.fits_genes_separately:
        notes.append(f"{len(draws) - len(gains)} of {len(draws)} removals leave nothing to fit or compare")
    tested = not unchanged and len(gains) > 0 and np.isfinite(estimate)
    return {
        "model": variant.name,
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
        "mismatch": float(np.mean([draw.mismatch for draw in draws])) if draws else np.nan,
        "note": "; ".join(notes),
    }
