"""Are perturbations and control balanced over batches, cell types and the quality of cells?"""

from __future__ import annotations

from dataclasses import replace

from .table import NOTE, Column, N, P, Table

BALANCE = Table(
    "balance",
    "spb.tl.balance",
    "Share of the response that the composition of the cells accounts for.",
    "One row per column of ``obs`` that was examined, and one each for depth and percentage of mitochondrial counts.",
    (
        Column("column", "str", "Name of the column; of several batch keys, their names.", form="name"),
        Column(
            "kind",
            "str",
            "What the row is about.",
            values={
                "column": "a column of ``obs``",
                "depth": "counts per cell",
                "mt_percent": "percentage of mitochondrial counts",
            },
        ),
        N,
        Column("n_levels", "int64", "Number of levels; 0 for depth and mitochondrial counts.", label="levels"),
        Column(
            "share",
            "float64",
            "Share of the response (summed squared effects) that composition accounts for, less the share expected by "
            "chance; may be negative or exceed 1. Missing where it was not tested or there is no response.",
            form="percent",
            tip="of the response, less the share expected by chance",
        ),
        Column(
            "null",
            "float64",
            "Mean share where levels are assigned to cells at random; it is already subtracted from ``share``.",
            label="by chance",
            form="percent",
            tip="mean share with levels assigned at random, already subtracted",
        ),
        Column(
            "null_ci_low",
            "float64",
            "Lower end of the interval that holds 95 % of the shares with levels assigned at random, ``null`` subtracted.",
        ),
        Column("null_ci_high", "float64", "Upper end of that interval."),
        replace(
            P,
            sentence="Share of random assignments with at least as large a share (of depth and mitochondrial counts: "
            "chi-square test of equal means); missing where it was not tested.",
            tip="share of random assignments with at least as large a share",
        ),
        Column(
            "untested",
            "float64",
            "Share of the perturbed cells in levels with fewer than 10 control cells, which the test leaves out.",
            form="percent",
            tip="share of perturbed cells in levels with too few control cells",
        ),
        Column("outcome", "boolean", "Whether the name is that of a result of the experiment, such as a cluster."),
        Column(
            "status",
            "str",
            "What was found.",
            form="line",
            values={
                "confounded": "composition accounts for 10 % of the response or more, p at most 0.01",
                "cannot be separated": "more than 20 % of the perturbed cells are in levels without enough control cells",
                "adopted": "effects are already taken within the levels of this column",
                "outcome": "may be a result of the perturbation, so that nothing is concluded",
                "noted": "out of balance (p at most 0.01) without confounding the response; of depth and mitochondrial "
                "counts: accounts for 10 % of the response or more",
                "balanced": "",
                "determined by the labels": "the column follows from the perturbation labels, or they from it",
            },
        ),
        Column("within", "str", "Column within whose levels the row was tested; empty if none."),
        NOTE,
    ),
    regime_at=1,
)

TABLES = (BALANCE,)
