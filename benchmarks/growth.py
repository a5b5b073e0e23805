"""How time and memory of `pp.profiles` grow with cells, genes and perturbations: ``python -m benchmarks.growth``."""

from __future__ import annotations

import numpy as np
from anndata import AnnData

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, seconds

BASE = {"n_cells": 20_000, "n_genes": 1000, "n_perturbations": 200}
STEPS = (1, 2, 4)


def run(adata: AnnData | None = None, *, pairs: int = MIN_PAIRS, base: dict[str, int] | None = None) -> list[Row]:
    """Grow one of the three at a time; the screen that others are measured on is not used."""
    del adata
    return [row for parameter in BASE for row in grow(parameter, base or BASE, pairs)]


def grow(parameter: str, base: dict[str, int], pairs: int) -> list[Row]:
    """Time at every size; the ratio is that to the first, so that it says how it grows."""
    rows: list[Row] = []
    for step in STEPS:
        size = {**base, parameter: base[parameter] * step}
        cells = spb.ds.simulate(**size, keep_counts=False)
        spb.pp.profiles(cells, min_cells=2)
        spent = float(
            np.median([seconds(lambda cells=cells: spb.pp.profiles(cells, min_cells=2)) for _ in range(pairs)])
        )
        ratio = spent / rows[0].ours_s if rows else 1.0
        rows.append(
            Row(
                work=f"growth in {parameter.removeprefix('n_')}",
                size=" × ".join(f"{n:,}" for n in size.values()),
                ours_s=spent,
                ratio=ratio,
                ratio_min=ratio,
                ratio_max=ratio,
                budget=f"{step}× the {parameter.removeprefix('n_')}",
                met=None,
            )
        )
    return rows


if __name__ == "__main__":
    from ._table import table

    print(table(run()))
