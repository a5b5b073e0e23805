"""How often does the audit answer yes where there is nothing? Null screens of two controls.

``python -m benchmarks.calibration [N]`` audits N (100) null screens each, made of the control cells of the bundled screen and
of a simulated one in which each perturbation is in one batch, and prints the rates with their intervals.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from anndata import AnnData

import scpertbias as spb
from benchmarks import screens

SIMULATED = {"n_control": 2_000, "n_perturbations": 40, "cells_per_perturbation": 150}
EFFECTS = {"axis_strength": 0.12, "own_strength": 0.12}


def cells() -> Iterator[tuple[str, AnnData, str]]:
    """Yield the name of each screen, its cells, and the column of its batches."""
    yield "Papalexi et al. 2021", spb.ds.papalexi_2021(), "bio_rep"
    nested = screens.draw(0, shape="nested", truth_cells=0, **SIMULATED, **EFFECTS)
    yield "simulated, each perturbation in one batch", screens.normalize(nested), "batch"


def main() -> None:
    """Print the rates of both screens."""
    n_screens = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for name, adata, batch_key in cells():
        spb.tl.calibrate(adata, n_screens=n_screens, batch_key=batch_key, covariates=())
        table = spb.get.calibration(adata)
        shown = ["question", "model", "metric", "n", "rate", "ci_low", "ci_high", "nominal", "flag"]
        print(f"\n{name}\n{table[shown].round(3).to_string(index=False)}")


if __name__ == "__main__":
    main()
