"""Shares of the response of a screen in gene sets and along directions.

The two kinds are separate, because they overlap. The share of an axis is computed regardless of other axes; overlaps are in
separate columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.axes import cosine
from scpertbias._core.gene_sets import (
    MIN_SET,
    SetNull,
    SetShare,
    is_beyond,
    screen_shares,
    set_null,
    typical_shares,
)
from scpertbias._core.response import Response
from scpertbias._core.shapley import NO_AXIS
from scpertbias._core.shared_axis import CommonShift, common_to_all, shared_axis

NO_RESPONSE = "no reproducible response"
NO_MEASURABLE_AXIS = "no axis is measurable"
NO_REPRODUCIBLE_AXIS = "no reproducible axis"
WEAK = "weak axis: its share may be up to 0.06 too high"
NO_GENES = "no gene of the set is measured"
TOO_FEW_GENES = f"fewer than {MIN_SET} genes of the set are measured"


def note_codes(note: str) -> set[str]:
    """Return the note of a row as codes, which do not change with the wording."""
    codes = {
        WEAK: "weak_axis",
        NO_REPRODUCIBLE_AXIS: "no_reproducible_axis",
        NO_MEASURABLE_AXIS: "no_measurable_axis",
        NO_RESPONSE: "no_reproducible_response",
        TOO_FEW_GENES: "too_few_genes",
    }
    return {codes[part] for part in note.split("; ") if part in codes}


@dataclass(frozen=True)
class Share:
    """The share of one axis in this screen and in a typical perturbation, and of every perturbation alone (P,).

    ``weights`` (G,) is what each gene counts on the axis: energy of a set's genes, loading of a direction.
    """

    share: float = np.nan
    low: float = np.nan
    high: float = np.nan
    typical: SetShare = field(default_factory=SetShare)
    null: SetNull = field(default_factory=SetNull)
    beyond: bool | None = None
    shapley: float = np.nan
    on_systematic: float = np.nan
    share_without: float = np.nan
    n_axis: float = np.nan
    carriers: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    common: CommonShift = field(default_factory=CommonShift)
    per_perturbation: FloatArray = field(default_factory=lambda: np.empty(0))
    weights: FloatArray = field(default_factory=lambda: np.empty(0))
    note: str = ""


def of_each(own: FloatArray, response: Response) -> FloatArray:
    """Share of an axis in each perturbation (P,); NaN where it has no energy."""
    share = np.full(len(own), np.nan)
    np.divide(own, response.energy, out=share, where=response.energy > 0)
    return share


def cut_share(share: float, low: float) -> float:
    """Return a share limited to [0, 1] like its interval, so that the interval includes the estimate."""
    return float(np.clip(share, 0.0, 1.0)) if np.isfinite(low) else share


# -- gene sets -----------------------------------------------------------------------------------------------------


def gene_set_shares(
    response: Response,
    members: BoolArray,
    targeted: BoolArray,
    pools: BoolArray,
    dividing: BoolArray,
    *,
    control: FloatArray,
    draws: npt.NDArray[np.uint16],
) -> list[Share]:
    """Share of each of J gene sets.

    Parameters
    ----------
    response
        The response.
    members
        Which genes each set holds (J, G).
    targeted
        Which perturbations target a gene of the set (J, P).
    pools
        From which genes those are drawn that each set is compared with (J, G); from none, it is not tested.
    dividing
        Which sets divide the response between them (J,), that is, have a `shapley`; together they should hold all genes,
        for it to sum to 1.
    control
        Mean of each gene in control (G,).
    draws
        From :func:`scpertbias._core.gene_sets.gene_draws`.
    """
    on_sets = response.gene_energy @ members.T
    of_none = [Share(weights=np.where(genes, response.gene_energy.sum(axis=0), 0.0)) for genes in members]
    shares = [
        replace(none, per_perturbation=of_each(own, response), note=NO_RESPONSE)
        if genes.any()
        else Share(per_perturbation=np.full(len(own), np.nan), note=NO_GENES)
        for none, genes, own in zip(of_none, members, on_sets.T, strict=True)
    ]
    measured = np.flatnonzero(members.any(axis=1))
    if not response.known:
        return shares
    in_screen = screen_shares(response, members[measured])
    typical = typical_shares(response, members[measured])
    tested = (members.sum(axis=1) >= MIN_SET) & pools.any(axis=1)
    overlap = _Overlap.of(response, members, dividing)
    for j, share, of_typical in zip(measured.tolist(), in_screen, typical, strict=True):
        null, beyond = SetNull(), None
        if tested[j]:
            null = set_null(response, members[j], pools[j], control, draws)
            beyond = is_beyond(int(members[j].sum()), int(tested.sum()), share, of_typical, null)
        shares[j] = replace(
            shares[j],
            share=share.share,
            low=share.low,
            high=share.high,
            typical=of_typical,
            null=null,
            beyond=beyond,
            shapley=float(overlap.shapley[j]),
            on_systematic=float(overlap.on_systematic[j]),
            share_without=_share_without(response, on_sets[:, j], targeted[j]),
            note="" if members[j].sum() >= MIN_SET else TOO_FEW_GENES,
        )
    return shares


@dataclass(frozen=True)
class _Overlap:
    """Overlap of sets with each other, and with the shared axis (J,)."""

    shapley: FloatArray
    on_systematic: FloatArray

    @classmethod
    def of(cls, response: Response, members: BoolArray, dividing: BoolArray) -> _Overlap:
        by_gene = response.gene_energy.sum(axis=0)
        # A gene counts in equal parts for all sets that hold it
        once = members / np.maximum(members[dividing].sum(axis=0), 1)
        u1, u2 = response.half.sum(axis=1)
        parts = np.full(len(members), np.nan)
        if cosine(u1, u2) >= NO_AXIS:
            # u1 · u2 on the genes of each set, over that on all genes (J,)
            parts = members @ (u1 * u2) / (u1 @ u2)
        return cls(np.where(dividing, once @ by_gene / by_gene.sum(), np.nan), parts)


def _share_without(response: Response, own: FloatArray, targets: BoolArray) -> float:
    """Share over the perturbations that do not target the set."""
    rest = ~targets
    if not response.is_known(rest):
        return float("nan")
    return float(own[rest].sum() / response.energy[rest].sum())


# -- the shared axis -----------------------------------------------------------------------------------------------


def systematic_share(response: Response) -> Share:
    """Share of the shared axis, measured for each perturbation on the axis of the others, and its main contributors."""
    axis = shared_axis(response)
    alone = of_each(axis.own, response)
    if not response.known:
        return Share(per_perturbation=alone, note=NO_RESPONSE)
    moving = response.effect[axis.carriers] if len(axis.carriers) else response.effect
    return Share(
        share=axis.share,
        low=axis.low,
        high=axis.high,
        n_axis=axis.n_axis,
        carriers=axis.carriers,
        common=common_to_all(response),
        per_perturbation=np.where(axis.measurable, alone, np.nan),
        weights=moving.mean(axis=0),
        note="" if axis.exists else NO_MEASURABLE_AXIS,
    )
