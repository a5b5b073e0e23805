"""How many cells an effect takes."""

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
    "Expected reproducibility with other numbers of cells.",
    "One row per number of cells, for the screen and for each perturbation.",
    (
        LEVEL,
        PERTURBATION,
        replace(N_CELLS, sentence="Cells of each perturbation, with the control cells as they are."),
        replace(
            REPRODUCIBILITY,
            sentence="Expected cosine of the effect with that of a repeat with that number of cells, 0 to 1.",
        ),
        replace(CI_LOW, sentence="Lower end of the 95% interval, for other cells of the same perturbations."),
        CI_HIGH,
    ),
)

CELLS_NEEDED = Table(
    "cells_needed",
    "spb.tl.power",
    "Cells that a reproducibility takes.",
    "One row per target, for the screen and for each perturbation.",
    (
        LEVEL,
        PERTURBATION,
        replace(
            N_CELLS,
            sentence="Cells of the perturbation; of the screen the number that, alike in all perturbations, gives the same "
            "noise.",
        ),
        REPRODUCIBILITY,
        Column("target", "float64", "Reproducibility to be reached."),
        Column(
            "n_needed",
            "Int64",
            "Cells of the perturbation (of the screen: of each) that it takes, with the control cells as they are; missing "
            "where no number of cells suffices, and where the effect is not known.",
            label="cells needed",
            tip="with the present number of control cells",
        ),
        Column("ci_low", "Int64", "Lower end of the 95% interval of ``n_needed``, for other cells; missing with it."),
        Column("ci_high", "Int64", "Upper end of that interval; missing if no number of cells may suffice."),
        Column(
            "status",
            "str",
            "What it takes.",
            form="line",
            values={
                ENOUGH: "the cells that there are suffice",
                MORE_CELLS: "",
                MORE_CONTROLS: "no number of cells suffices with these control cells",
                UNKNOWN: "the effect is less than two standard errors above 0",
            },
        ),
    ),
)

TABLES = (POWER, CELLS_NEEDED)
