"""Contribution of gene groups to the response of each perturbation; each gene is in one group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import _tables
from .._core.noise import SURE
from .._core.response import Response
from .._moments import Screen
from ._gene_sets import OTHER, GeneSet

TOO_WEAK = "effect too weak for shares"


def composition_table(screen: Screen, sets: Sequence[GeneSet], confounding: pd.DataFrame) -> pd.DataFrame:
    """Divide the response of each perturbation among groups of genes.

    Parameters
    ----------
    screen
        The screen; all splits of a perturbation are taken together.
    sets
        From :func:`scpertbias.tl._gene_sets.measured_sets`.
    confounding
        The table of :func:`scpertbias.tl.confounding`, to find sets that are ``beyond`` random genes.
    """
    moments, detection = screen.merged.moments, screen.detection
    rows = np.flatnonzero(detection.counted)
    response = Response.of(moments, rows, screen.noise_shape)
    weak = ~((detection.z_effect[rows] >= SURE) & (response.energy > 0))
    group_of, total = gene_groups(sets, confounding), response.energy.sum()
    set_class = {s.name: s.set_class for s in sets}
    parts = []
    for group in dict.fromkeys(s.name for s in in_order(sets, confounding)):
        genes = group_of == group
        if not genes.any():
            continue
        energy = response.gene_energy[:, genes].sum(axis=1)
        parts.append(
            pd.DataFrame(
                {
                    "perturbation": [screen.names[row] for row in rows],
                    "group": group,
                    "set_class": set_class[group],
                    "share": np.where(weak, np.nan, energy / np.where(weak, 1.0, response.energy)),
                    "response_share": energy / total if response.known else np.nan,
                    "n_genes": int(genes.sum()),
                    "note": np.where(weak, TOO_WEAK, ""),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[_tables.columns("composition")]


def gene_groups(sets: Sequence[GeneSet], confounding: pd.DataFrame | None) -> npt.NDArray[np.str_]:
    """Return the group of each gene (G,): the first set that contains it."""
    groups = np.full(len(sets[0].measured), OTHER, dtype=object)
    for group in reversed(in_order(sets, confounding)):
        groups[group.measured] = group.name
    return groups.astype(str)


def in_order(sets: Sequence[GeneSet], confounding: pd.DataFrame | None) -> list[GeneSet]:
    """Return technical sets, then those with a significantly large share, the largest share first, the other confounder gene sets, and the rest."""
    table = _tables.empty("confounding") if confounding is None else confounding
    screen = table[table["level"] == "screen"].set_index("axis")
    leading = screen["beyond"].eq(True).fillna(False).astype(bool) & (screen["part_of"] == "")
    share = {s.name: float(screen["share"].get(s.name, np.nan)) for s in sets}
    of_use = [s for s in sets if s.confounder or leading.get(s.name, False)]

    def place(group: GeneSet) -> tuple[bool, bool, bool, float]:
        rest, technical = group.name == OTHER, group.set_class == "technical"
        return rest, not technical, not leading.get(group.name, False), -np.nan_to_num(share[group.name])

    return sorted(of_use, key=place)
