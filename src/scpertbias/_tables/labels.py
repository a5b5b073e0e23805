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
            "Interpretation of the label.",
            values={
                "control": "",
                "target": "",
                "combination": "several targets",
                "guide": "one of several guides of the same target",
                "clone": "a clone of perturbed cells",
                "dose": "one dose of a drug or target",
                "time": "a time point",
                "class": "a class of cells, such as ``KO`` or ``NP`` in the output of mixscape",
                "unassigned": "left out",
            },
        ),
        Column(
            "name",
            "str",
            "Perturbation (or control) to which the cells with this label are assigned; empty if they are left out.",
        ),
        Column("targets", "str", "Targets of the label, joined by ``+``; measured genes are given by symbol."),
        replace(N_CELLS, sentence="Number of cells with the label."),
        Column("reason", "str", "Reason for this interpretation.", form="prose"),
    ),
)

TABLES = (LABELS,)
