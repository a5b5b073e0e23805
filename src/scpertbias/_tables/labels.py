"""What the labels of the cells were understood to mean."""

from __future__ import annotations

from dataclasses import replace

from .table import N_CELLS, Column, Table

LABELS = Table(
    "labels",
    "spb.pp.check",
    "What each label of the cells was understood to mean, and why.",
    "One row per label.",
    (
        Column("label", "str", "The label as ``obs`` holds it.", form="name"),
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
        Column("name", "str", "The perturbation (or control) that its cells count as; empty where they are left out."),
        Column("targets", "str", "Its targets, joined by ``+``; of a measured gene the symbol."),
        replace(N_CELLS, sentence="Cells with the label."),
        Column("reason", "str", "Why it was understood so.", form="prose"),
    ),
)

TABLES = (LABELS,)
