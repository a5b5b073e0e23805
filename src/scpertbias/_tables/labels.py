"""How the labels of the cells were interpreted."""

from __future__ import annotations

from dataclasses import replace

from .table import N_CELLS, Column, Table

LABELS = Table(
    "labels",
    "spb.pp.check",
    "How each label of the cells was interpreted, and why.",
    "One row per label.",
    (
        Column("label", "str", "The label as in ``obs``.", form="name"),
        Column(
            "meaning",
            "str",
            "What it means.",
            values={
                "control": "",
                "target": "",
                "combination": "of several targets",
                "guide": "one of several of a target",
                "clone": "of a target",
                "dose": "of a drug or of a target",
                "time": "a time point",
                "class": "of cells, such as KO and NP of mixscape",
                "unassigned": "left out",
            },
        ),
        Column("name", "str", "The perturbation (or control) of its cells; empty if they are left out."),
        Column("targets", "str", "Its targets, joined by ``+``; symbols for measured genes."),
        replace(N_CELLS, sentence="Cells with the label."),
        Column("reason", "str", "Reason for this interpretation.", form="prose"),
    ),
)

TABLES = (LABELS,)
