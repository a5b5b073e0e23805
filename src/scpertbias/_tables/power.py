"""Tables about reproducibility and numbers of cells."""

from __future__ import annotations

from dataclasses import replace

from .table import CI_HIGH, CI_LOW, N_CELLS, PERTURBATION, REPRODUCIBILITY, Column, Table

LEVEL = Column(
    "level",
    "str",
    "What the row is about.",
    values={"screen": "all perturbations together", "perturbation": "one perturbation"},
)
ENOUGH, MORE_CELLS, MORE_CONTROLS, UNKNOWN = "enough", "more cells", "more controls", "unknown"

POWER = Table(
    "power",
    "spb.tl.power",
    "Expected reproducibility for given numbers of cells.",
    "One row per number of cells, for the screen and for each perturbation.",
    (
        LEVEL,
        PERTURBATION,
        replace(N_CELLS, sentence="Number of cells per perturbation; the number of control cells stays the same."),
        replace(
            REPRODUCIBILITY,
            sentence="Expected cosine between the effect and the effect in a repeated experiment with this number "
            "of cells, 0 to 1.",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval. The interval accounts for the sampling of cells, not of perturbations.",
        ),
        CI_HIGH,
    ),
)

CELLS_NEEDED = Table(
    "cells_needed",
    "spb.tl.power",
    "Number of cells that are needed for a given reproducibility.",
    "One row per required reproducibility, for the screen and for each perturbation.",
    (
        LEVEL,
        PERTURBATION,
        replace(
            N_CELLS,
            sentence="Number of cells of the perturbation. For the screen: if all perturbations had this number of "
            "cells, the total noise would be the same as with the actual numbers.",
        ),
        REPRODUCIBILITY,
        Column("target", "float64", "Required reproducibility."),
        Column(
            "n_needed",
            "Int64",
            "Number of cells per perturbation that are needed to reach ``target``; the number of control cells stays "
            "the same. Missing if ``status`` is ``more controls`` or ``unknown``.",
            label="cells needed",
            tip="cells per perturbation to reach this reproducibility, with the same control cells",
        ),
        Column(
            "ci_low",
            "Int64",
            "Lower end of the 95% interval of ``n_needed``. The interval accounts for the sampling of cells, not of "
            "perturbations. Missing if ``n_needed`` is missing.",
        ),
        Column(
            "ci_high",
            "Int64",
            "Upper end of the 95% interval of ``n_needed``; missing if the interval has no upper limit.",
        ),
        Column(
            "status",
            "str",
            "What is needed to reach ``target``.",
            form="line",
            values={
                ENOUGH: "the present number of cells is sufficient",
                MORE_CELLS: "",
                MORE_CONTROLS: "with the present control cells, no number of perturbed cells is sufficient",
                UNKNOWN: "the effect is less than two standard errors above 0",
            },
        ),
    ),
)

TABLES = (POWER, CELLS_NEEDED)
