"""Is it these genes, or any genes of their expression? As many others are removed instead, and the models retrained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import scanpy as sc
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from .._core.ranking import expression_bins
from .._models._problem import Graphs, Problem, problem
from .._models._registry import closed_form
from .._moments import Screen
from ._compare import NO_GAIN, UNCHANGED
from ._cross_fit import Fits, Variant, graphs_of
from ._truth import Reference, reference

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

GENE_REGIMES = ("no_mt", "no_mt_ribo")
TOO_FEW_GENES = "too few other genes to remove as many"
COLUMNS = [
    "model",
    "regime",
    "n",
    "n_genes",
    "n_random",
    "gain",
    "random_mean",
    "random_low",
    "random_high",
    "p",
    "q",
    "n_replaced",
    "mismatch",
    "note",
]


def by_gene(variant: Variant) -> bool:
    """Whether a model solves every gene apart, so that no gene's prediction depends on which others there are."""
    if variant.kind == "grn_linear":
        return variant.params["axis"] == "perturbations" or variant.params["gamma"] == 0
    return variant.kind in {"control", "mean", "additive", "ridge"}


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
    rng
        Seed or generator.
    """
    made = [name for name in GENE_REGIMES if name in screens]
    if not made or n_random < 1:
        return None
    full, regime = screens["full"], made[-1]
    kept = np.isin(np.arange(len(full.genes)), full.genes.get_indexer(screens[regime].genes))
    models = [v for v in wanted if v.name in fits["full"].solutions and v.name in fits[regime].solutions]
    tried = [v for v in models if not by_gene(v)]
    judge = _Judge(full, reference(full, n_top_genes=len(full.genes), folds=folds, genes=_all(full)), n_top_genes)
    before = {v.name: fits["full"].solutions[v.name].predictions for v in models}
    after = {v.name: _spread(fits[regime].solutions[v.name].predictions, kept) for v in models}
    removals = Removals(regime, ~kept, kept & ~confounders, full.moments.control)
    draws: list[Draw] = []
    if removals.possible and tried:
        graphs = graphs_of(full, net, quiet=True) if any(v.needs_net for v in tried) else None
        parts = _folds_of(full, folds)
        seed = int(np.random.default_rng(rng).integers(2**32))

        def draw(r: int) -> Draw:
            out = removals.draw(np.random.default_rng([seed, r]))
            again = _retrain(tried, parts, ~out, graphs)
            gains = {name: judge.gain(before[name], t, kept & ~out, also=after[name]) for name, t in again.items()}
            far = mismatch(full.moments.control, removals.removed, out)
            return Draw({name: float(gain.mean()) for name, gain in gains.items() if len(gain)}, far)

        turns = tqdm(range(n_random), "random removals", disable=int(sc.settings.verbosity) < 1)
        # Threads of BLAS would fight over the cores: its matrices are small here, and the removals many.
        with threadpool_limits(1, user_api="blas"):
            draws = Parallel(n_jobs=sc.settings.n_jobs, prefer="threads")(delayed(draw)(r) for r in turns)
    rows = [_row(v, removals, judge.gain(before[v.name], after[v.name], kept), draws) for v in models]
    return pd.DataFrame(rows, columns=COLUMNS)


class Draw(NamedTuple):
    """What one removal does: each model's mean gain, and how far its genes' expression lies from the regime's."""

    gains: dict[str, float]
    mismatch: float


class Removals:
    """Random sets of as many genes of the same expression as a regime leaves out."""

    def __init__(self, regime: str, removed: BoolArray, eligible: BoolArray, control: FloatArray) -> None:
        self.regime, self.removed, self.eligible = regime, removed, eligible
        self.bins = expression_bins(control)
        self.take, self.n_replaced = places(self.bins, removed, eligible)
        self.possible = bool(removed.any() and eligible.sum() > removed.sum())

    def draw(self, rng: np.random.Generator) -> BoolArray:
        """Return which genes a removal takes."""
        out = np.zeros(len(self.bins), dtype=bool)
        for b, n in enumerate(self.take):
            out[rng.choice(np.flatnonzero(self.eligible & (self.bins == b)), n, replace=False)] = True
        return out


def places(bins: IntArray, removed: BoolArray, eligible: BoolArray) -> tuple[IntArray, int]:
    """Return how many genes each bin gives, and how many of them stand in for genes of another bin.

    What a bin lacks is taken from the next lower ones, and where those end, from the lowest that has any left.
    """
    n_bins = int(bins.max(initial=0)) + 1
    need, free = (np.bincount(bins[which], minlength=n_bins) for which in (removed, eligible))
    take, missing = np.zeros(n_bins, dtype=np.int64), 0
    for b in range(n_bins - 1, -1, -1):
        take[b] = min(need[b] + missing, free[b])
        missing += need[b] - take[b]
    for b in range(n_bins):
        more = min(missing, free[b] - take[b])
        take[b] += more
        missing -= more
    return take, int(np.maximum(take - need, 0).sum())


def mismatch(control: FloatArray, removed: BoolArray, out: BoolArray) -> float:
    """Return the mean |log c| between two sets of as many genes, each gene beside that of its rank."""
    if control.min() < 0 or not (control > 0).any():
        return float("nan")
    logs = np.log(np.maximum(control, control[control > 0].min()))
    return float(np.abs(np.sort(logs[removed]) - np.sort(logs[out])).mean())


@dataclass(frozen=True)
class _Judge:
    """Errors relative to the mean baseline, on any genes of the full screen."""

    screen: Screen
    truth: Reference
    n_top_genes: int

    def gain(
        self, before: FloatArray, after: FloatArray, allowed: BoolArray, *, also: FloatArray | None = None
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
            known &= np.isfinite(also[self.truth.perturbation]).any(axis=1)
        return (first[known] - second[known]) / base[known]


def _all(screen: Screen) -> IntArray:
    return np.arange(len(screen.genes), dtype=np.int64)


def _spread(table: FloatArray, kept: BoolArray) -> FloatArray:
    """Put predictions of some genes where those genes stand among all."""
    out = np.full((len(table), len(kept)), np.nan)
    out[:, kept] = table
    return out


def _folds_of(screen: Screen, folds: Mapping[str, int]) -> list[tuple[BoolArray, Problem]]:
    fold = np.array([folds.get(name, -1) for name in screen.names])
    return [(fold == r, problem(screen, fold[screen.perturbation] != r)) for r in sorted(set(folds.values()))]


def _retrain(
    tried: Sequence[Variant], parts: Sequence[tuple[BoolArray, Problem]], kept: BoolArray, graphs: Graphs | None
) -> dict[str, FloatArray]:
    """Cross-fit without some genes; a model that cannot be fitted without them is left out."""
    symbols = parts[0][1].symbols[kept]
    fewer = None if graphs is None else Graphs(graphs.net, symbols, graphs.targets)
    cut = [
        (
            held_out,
            replace(
                part,
                means=part.means[:, kept],
                val_means=part.val_means[:, kept],
                control=part.control[kept],
                symbols=symbols,
                graphs=fewer,
            ),
        )
        for held_out, part in parts
    ]
    found = {}
    for variant in tried:
        table = np.full((len(parts[0][1].names), len(kept)), np.nan)
        try:
            for held_out, part in cut:
                table[np.ix_(held_out, kept)] = closed_form(variant.kind)(part, **variant.params).predictions[held_out]
        except ValueError:
            continue
        found[variant.name] = table
    return found


def _row(variant: Variant, removals: Removals, gain: FloatArray, draws: Sequence[Draw]) -> dict[str, object]:
    """Make a model's row; one that solves every gene apart is not tested."""
    gains = np.array([draw.gains[variant.name] for draw in draws if variant.name in draw.gains])
    still = bool(len(gain)) and float(np.abs(gain).max()) <= NO_GAIN
    estimate = 0.0 if still else float(gain.mean()) if len(gain) else np.nan
    unchanged = by_gene(variant) or (still and len(gains) > 0 and float(np.abs(gains).max()) <= NO_GAIN)
    notes = [UNCHANGED] if unchanged else [] if removals.possible else [TOO_FEW_GENES]
    if len(gains) < len(draws) and not by_gene(variant):
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
        "random_low": float(gains.min()) if len(gains) else np.nan,
        "random_high": float(gains.max()) if len(gains) else np.nan,
        "p": (1 + int((gains >= estimate).sum())) / (1 + len(gains)) if tested else np.nan,
        "q": np.nan,
        "n_replaced": removals.n_replaced,
        "mismatch": float(np.mean([draw.mismatch for draw in draws])) if draws else np.nan,
        "note": "; ".join(notes),
    }
