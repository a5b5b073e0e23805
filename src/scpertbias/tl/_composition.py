"""What the response of each perturbation is made of: each gene counts in one group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import _tables
from .._core.noise import SURE
from .._core.response import Response
from .._moments import Screen
from ._gene_sets import OTHER, GeneSet

TOO_WEAK = "too weak an effect for shares of its own"


def composition_table(screen: Screen, sets: Sequence[GeneSet], confounding: pd.DataFrame) -> pd.DataFrame:
    """Divide the response of each perturbation among groups of genes.

    Parameters
    ----------
    screen
        The screen; all splits of a perturbation are taken together.
    sets
        From :func:`scpertbias.tl._gene_sets.measured_sets`.
    confounding
        The table of :func:`scpertbias.tl.confounding`, which says which sets account for more than random genes.
    """
    moments, detection = screen.merged.moments, screen.detection
    rows = np.flatnonzero(detection.counted)
    response = Response.of(moments, rows, screen.noise_shape)
    weak = ~((detection.z_effect[rows] >= SURE) & (response.energy > 0))
    total, free = response.energy.sum(), np.ones(len(screen.genes), dtype=bool)
    parts = []
    for group in (*_in_order(sets, confounding), next(s for s in sets if s.name == OTHER)):
        genes = free if group.name == OTHER else free & group.measured
        free = free & ~genes
        if not genes.any():
            continue
        energy = response.gene_energy[:, genes].sum(axis=1)
        parts.append(
            pd.DataFrame(
                {
                    "perturbation": [screen.names[row] for row in rows],
                    "group": group.name,
                    "set_class": group.set_class,
                    "share": np.where(weak, np.nan, energy / np.where(weak, 1.0, response.energy)),
                    "response_share": energy / total if response.known else np.nan,
                    "n_genes": int(genes.sum()),
                    "note": np.where(weak, TOO_WEAK, ""),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[_tables.columns("composition")]


def _in_order(sets: Sequence[GeneSet], confounding: pd.DataFrame) -> list[GeneSet]:
    """Return technical sets, then those that are beyond chance, the largest share first, then the other confounder sets."""
    screen = confounding[confounding["level"] == "screen"].set_index("axis")
    leading = screen["beyond"].eq(True).fillna(False).astype(bool) & (screen["part_of"] == "")
    share = {s.name: float(screen["share"].get(s.name, np.nan)) for s in sets}
    of_use = [s for s in sets if s.name != OTHER and (s.confounder or leading.get(s.name, False))]

    def place(group: GeneSet) -> tuple[bool, bool, float]:
        return group.set_class != "technical", not leading.get(group.name, False), -np.nan_to_num(share[group.name])

    return sorted(of_use, key=place)
