"""Are perturbations and control balanced over batches, cell types and the quality of cells?"""

from __future__ import annotations

from dataclasses import replace

from .table import NOTE, Column, N, P, Table

BALANCE = Table(
    "balance",
    "spb.tl.balance",
    "Share of the response accounted for by differences in cell composition between perturbations and control.",
    "One row per tested column of ``obs``, one for sequencing depth and one for the percentage of mitochondrial "
    "counts.",
    (
        Column(
            "column",
            "str",
            "Name of the column; if ``batch_key`` names several columns, one row has the names of all of them.",
            form="name",
        ),
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
        Column(
            "n_levels",
            "int64",
            "Number of different values in the column; 0 for depth and mitochondrial counts, which are numeric.",
            label="levels",
        ),
        Column(
            "share",
            "float64",
            "Share of the response (summed squared effects) accounted for by differences in cell composition between "
            "perturbations and control. The share expected by chance is already subtracted; the result can be "
            "negative or above 1. Missing if not tested, or if the response does not exceed noise.",
            form="percent",
            tip="share of the response accounted for by composition; the share expected by chance is already subtracted",
        ),
        Column(
            "null",
            "float64",
            "Mean share after the values of the column are assigned to the cells at random; already subtracted from ``share``.",
            label="by chance",
            form="percent",
            tip="mean share after the values of the column are assigned to the cells at random; already subtracted",
        ),
        Column(
            "null_ci_low",
            "float64",
            "Lower end of the interval that contains 95% of the shares from random assignments. ``null`` is subtracted "
            "from this value, as from ``share``.",
        ),
        Column("null_ci_high", "float64", "Upper end of that interval."),
        replace(
            P,
            sentence="Proportion of random assignments whose share is at least ``share``. For depth and "
            "mitochondrial counts: p of a chi-square test. Its null hypothesis is that all perturbations have the mean "
            "of the control. Missing if not tested.",
            tip="proportion of random assignments with at least this share",
        ),
        Column(
            "untested",
            "float64",
            "Share of the perturbed cells that the test leaves out, because fewer than 10 control cells have the "
            "same value of the column.",
            form="percent",
            tip="share of the perturbed cells that are left out, because too few control cells have the same value",
        ),
        Column(
            "outcome",
            "boolean",
            "Whether the column is possibly a result of the perturbations, such as a cluster, according to its name.",
        ),
        Column(
            "status",
            "str",
            "Result of the test.",
            form="line",
            values={
                "confounded": "composition accounts for at least 10% of the response, with p at most 0.01",
                "cannot be separated": "more than 20% of the perturbed cells are in levels without enough control "
                "cells",
                "adopted": "each cell is already compared with the control cells of the same level",
                "outcome": "according to its name, the column is possibly a result of the perturbations, such as a "
                "cluster; do not pass it as ``batch_key``",
                "noted": "unbalanced with p at most 0.01, but not confounded; depth and mitochondrial counts are never "
                "called confounded",
                "balanced": "",
                "determined by the labels": "not tested, because the label of a cell determines its level, or the "
                "level determines its label",
            },
        ),
        Column(
            "within",
            "str",
            "Column that the audit had already adopted as a batch when this column was tested. The test then compares "
            "cells within the levels of the adopted column. Empty if no column was adopted before.",
        ),
        NOTE,
    ),
    regime_at=1,
)

TABLES = (BALANCE,)
