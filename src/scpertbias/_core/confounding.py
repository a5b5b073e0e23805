"""Which part of the response of a screen lies on an axis that many perturbations share.

Axes are sets of genes, or directions in expression. The two kinds are kept apart, as half of a gene set would go to the
directions. The share of an axis is that of the axis alone; how axes overlap is said beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.axes import (
    AxisEnergy,
    Effects,
    Resamples,
    cosine,
    energy_on_direction,
    energy_on_genes,
    leading_axes,
    mean_axis,
    mean_axis_draws,
    noise_error,
    top_directions,
)
from scpertbias._core.matched_genes import random_sets
from scpertbias._core.ranking import expression_bins
from scpertbias._core.resampling import MIN_PERTURBATIONS, interval
from scpertbias._core.shapley import NO_AXIS, Basis, shapley

N_LEADING = 5
N_PARTS = 5
WEAK_AXIS = 0.3
SURE = 3.0
FEW_PERTURBATIONS, FEW_EFFECTIVE = 50, 20

NO_RESPONSE = "no reproducible response"
NO_REPRODUCIBLE_AXIS = "no reproducible axis"
WEAK = "weak axis: its share may be up to 0.06 too high"
NO_GENES = "no gene of the set is measured"
TOO_FEW = "too few perturbations"
NO_DEPTH = "no depth known"
APPROXIMATE = "approximate interval"


def note_codes(note: str) -> set[str]:
    """Return what the note of a row says of an axis and its interval, as codes that stay where its words change."""
    codes = {WEAK: "weak_axis", NO_REPRODUCIBLE_AXIS: "no_reproducible_axis", NO_RESPONSE: "no_reproducible_response"}
    parts = note.split("; ")
    approximate = {"approximate_interval"} if any(p.partition(":")[0] == APPROXIMATE for p in parts) else set()
    return approximate | {codes[part] for part in parts if part in codes}


@dataclass(frozen=True)
class Share:
    """The share of one axis, with its interval, and of every perturbation alone (P,)."""

    share: float = np.nan
    low: float = np.nan
    high: float = np.nan
    null: float = np.nan
    p: float = np.nan
    shapley: float = np.nan
    on_systematic: float = np.nan
    share_without: float = np.nan
    per_perturbation: FloatArray = field(default_factory=lambda: np.empty(0))
    weights: FloatArray = field(default_factory=lambda: np.empty(0))
    """What each gene counts on the axis (G,): energy of a set's genes, loading of a direction."""
    note: str = ""


@dataclass(frozen=True)
class Response:
    """The whole response: energy of each perturbation and in each resample, and whether it is more than noise."""

    effects: Effects
    resamples: Resamples | None
    energy: FloatArray
    draws: FloatArray
    known: bool

    @property
    def n_effective(self) -> float:
        """Number of perturbations, all alike, that would carry the response."""
        squares = float(np.sum(self.energy**2))
        return float(self.energy.sum()) ** 2 / squares if squares > 0 else float("nan")

    @property
    def approximate(self) -> bool:
        """Whether there are too few perturbations for intervals that cover as often as they say."""
        return len(self.energy) < FEW_PERTURBATIONS or not self.n_effective >= FEW_EFFECTIVE

    def share(self, own: FloatArray, draws: FloatArray) -> Share:
        """Return the share of an axis from its energies, by perturbation and in the resamples."""
        alone = np.divide(own, self.energy, out=np.full(len(own), np.nan), where=self.energy > 0)
        if not self.known:
            return Share(per_perturbation=alone, note=NO_RESPONSE)
        low = high = np.nan
        if len(draws) and len(own) >= MIN_PERTURBATIONS:
            ratio = np.divide(draws, self.draws, out=np.full(len(draws), np.nan), where=self.draws > 0)
            low, high = map(float, interval(ratio))
        return Share(float(own.sum() / self.energy.sum()), low, high, per_perturbation=alone)

    def of_axis(self, energy: AxisEnergy) -> Share:
        """Return the share of an axis whose place does not depend on the resample."""
        return self.share(energy.own, np.empty(0) if self.resamples is None else energy.draws(self.resamples))


def response(effects: Effects, resamples: Resamples | None) -> Response:
    """Take the energy of all genes."""
    whole = energy_on_genes(effects)
    draws = np.empty(0) if resamples is None else whole.draws(resamples)
    return Response(effects, resamples, whole.own, draws, is_known(effects))


def is_known(effects: Effects) -> bool:
    """Whether the summed energy is more than noise: at least 3 standard errors above 0."""
    return len(effects.first) > 0 and float(effects.energy.sum()) > SURE * noise_error(effects)


# -- gene sets -----------------------------------------------------------------------------------------------------


def gene_set_shares(
    whole: Response,
    members: BoolArray,
    targeted: BoolArray,
    *,
    control: FloatArray,
    n_random: int,
    rng: np.random.Generator,
) -> list[Share]:
    """Share of each gene set.

    Parameters
    ----------
    whole
        The response.
    members
        Which genes each set holds (S, G); genes in no set should make one of their own, for `shapley` to sum to 1.
    targeted
        Which perturbations target a gene of the set (S, P).
    control
        Mean of each gene in control (G,), by which random sets are matched.
    n_random
        Number of random sets.
    rng
        Generator.
    """
    effects = whole.effects
    # Σ_p D1_pg D2_pg: the energy of each gene, over perturbations (G,)
    by_gene = np.einsum("pg,pg->g", effects.first, effects.second)
    total = by_gene.sum() if whole.known else 1.0
    nulls = random_sets(by_gene / total, control, members, n_random, rng)
    u1, u2 = mean_axis(effects)
    steady = cosine(u1, u2) >= NO_AXIS
    once = members / np.maximum(members.sum(axis=0), 1)
    shares = []
    for genes, targets, part, null in zip(members, targeted, once, nulls, strict=True):
        if not genes.any():
            shares.append(Share(per_perturbation=np.full(len(whole.energy), np.nan), note=NO_GENES))
            continue
        energy = energy_on_genes(effects, genes)
        share = whole.of_axis(energy)
        if whole.known:
            share = _with(
                share,
                null=float(null.mean()) if n_random else np.nan,
                p=_p_value(share.share, null, genes, control),
                # A gene counts in equal parts for all sets that hold it
                shapley=float(by_gene @ part / by_gene.sum()),
                # u1 · u2 on the genes of the set, over that on all genes
                on_systematic=float(u1[genes] @ u2[genes] / (u1 @ u2)) if steady else np.nan,
                share_without=_share_without(whole, energy, targets),
            )
        shares.append(_with(share, weights=np.where(genes, by_gene, 0.0)))
    return shares


def _with(share: Share, **changes: object) -> Share:
    return Share(**{**share.__dict__, **changes})


def _share_without(whole: Response, energy: AxisEnergy, targets: BoolArray) -> float:
    """Share over the perturbations that do not target the set."""
    if not targets.any():
        return float(energy.own.sum() / whole.energy.sum())
    rest = ~targets
    if not is_known(whole.effects.rows(rest)):
        return float("nan")
    return float(energy.own[rest].sum() / whole.energy[rest].sum())


def _p_value(share: float, null: FloatArray, genes: BoolArray, control: FloatArray) -> float:
    """Share of random sets with as much; NaN for a set that fills more than half of its bins."""
    bins = expression_bins(control)
    room = np.isin(bins, bins[genes]).sum()
    if not len(null) or genes.sum() > room / 2:
        return float("nan")
    # Sets of the same genes have the same share, but for rounding.
    return (1 + int(np.count_nonzero(null >= share - 1e-9 * max(1.0, abs(share))))) / (1 + len(null))


# -- directions ----------------------------------------------------------------------------------------------------


def direction_shares(
    whole: Response, depth: FloatArray | None, fold: IntArray, *, n_leading: int = N_LEADING
) -> dict[str, Share]:
    """Share of each direction: the mean response, sequencing depth, and those in which perturbations differ most.

    Parameters
    ----------
    whole
        The response.
    depth
        Slopes of the genes on log depth in the two halves of the control (2, G), if they are known.
    fold
        Part of each perturbation (P,): leading directions are found on the others.
    n_leading
        Number of leading directions.
    """
    effects = whole.effects
    if not len(effects.first):
        return {}
    systematic = mean_axis(effects)
    draws = np.empty(0) if whole.resamples is None else mean_axis_draws(effects, whole.resamples)
    shares = {"systematic": _checked(whole, *systematic, draws)}
    shares["depth"] = Share(note=NO_DEPTH) if depth is None else _checked(whole, depth[0], depth[1], None)
    leading = leading_axes(effects.mean, fold, n_leading)
    directions = top_directions(effects.mean, n_leading)
    for k in range(n_leading):
        axes = leading[:, k]
        if not (len(axes) and np.isfinite(axes).all()):
            shares[f"leading_{k + 1}"] = Share(note=TOO_FEW)
            continue
        share = whole.of_axis(energy_on_direction(effects, axes, axes, fold))
        shares[f"leading_{k + 1}"] = _with(share, weights=directions[k])
    pairs = {"systematic": systematic, "depth": None if depth is None else (depth[0], depth[1])}
    return _with_shapley(whole, shares, pairs, leading, fold)


def _checked(whole: Response, axis_1: FloatArray, axis_2: FloatArray, draws: FloatArray | None) -> Share:
    """Share of a direction of which there are two estimates; NaN where they do not agree."""
    agreement = cosine(axis_1, axis_2)
    weights = axis_1 + axis_2
    if agreement < NO_AXIS:
        return Share(weights=weights, note=NO_REPRODUCIBLE_AXIS)
    energy = energy_on_direction(whole.effects, axis_1[None], axis_2[None])
    share = whole.of_axis(energy) if draws is None else whole.share(energy.own, draws)
    note = share.note or (WEAK if agreement < WEAK_AXIS else "")
    return _with(share, weights=weights, note=note)


def _with_shapley(
    whole: Response,
    shares: dict[str, Share],
    pairs: dict[str, tuple[FloatArray, FloatArray] | None],
    leading: FloatArray,
    fold: IntArray,
) -> dict[str, Share]:
    """Add to each direction its mean gain over all orders in which directions are taken."""
    names = [name for name, share in shares.items() if np.isfinite(share.share)]
    if not names:
        return shares
    names.sort(key=lambda name: not name.startswith("leading"))  # those that need no estimate first
    parts = []
    for f in range(len(leading)):
        held_out = whole.effects.rows(fold == f)
        bases = []
        for a in (0, 1):
            rows = [pairs[n][a] if n in pairs else leading[f, int(n.split("_")[1]) - 1] for n in names]  # type: ignore[index]
            bases.append(np.array(rows))
        parts.append(Basis.of(held_out, bases[0], bases[1]))
    gains = shapley(parts, len(names))
    total = float(whole.energy.sum())
    return {
        name: _with(share, shapley=gains[names.index(name)] / total) if name in names else share
        for name, share in shares.items()
    }
