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
        Column("column", "str", "Name of the column; for several batch keys, their names.", form="name"),
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
            "Share of the response (summed squared effects) that composition accounts for, minus the share expected "
            "by chance; can be negative or above 1. Missing if not tested, or without a response.",
            form="percent",
            tip="share of the response that unequal proportions of the levels account for; the share expected by chance is subtracted",
        ),
        Column(
            "null",
            "float64",
            "Mean share for random assignments of levels to cells; already subtracted from ``share``.",
            label="by chance",
            form="percent",
            tip="mean share with levels assigned at random, already subtracted",
        ),
        Column(
            "null_ci_low",
            "float64",
            "Lower end of the interval with 95% of the shares for random assignments, minus ``null``.",
        ),
        Column("null_ci_high", "float64", "Upper end of that interval."),
        replace(
            P,
            sentence="Proportion of random assignments with at least this share (for depth and mitochondrial counts: "
            "chi-square test of equal means); missing if not tested.",
            tip="proportion of random assignments of levels with at least this share",
        ),
        Column(
            "untested",
            "float64",
            "Share of the perturbed cells in levels with fewer than 10 control cells, which the test leaves out.",
            form="percent",
            tip="share of the perturbed cells that belong to levels with too few control cells",
        ),
        Column(
            "outcome", "boolean", "Whether the column is, by its name, a result of the experiment, such as a cluster."
        ),
        Column(
            "status",
            "str",
            "Result of the test.",
            form="line",
            values={
                "confounded": "composition accounts for at least 10% of the response, p at most 0.01",
                "cannot be separated": "more than 20% of the perturbed cells are in levels without enough control "
                "cells",
                "adopted": "effects are already taken within the levels of this column",
                "outcome": "can be a result of the perturbation; noted only",
                "noted": "unbalanced (p at most 0.01) but not confounded; for depth and mitochondrial counts: "
                "accounts for at least 10% of the response",
                "balanced": "",
                "determined by the labels": "the labels determine the column, or the column the labels",
            },
        ),
        Column("within", "str", "Column within whose levels the row was tested; empty if none."),
        NOTE,
    ),
    regime_at=1,
)

TABLES = (BALANCE,)
