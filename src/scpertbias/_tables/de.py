"""Differential expression, which is computed when the table is read."""

from __future__ import annotations

from dataclasses import replace

from .table import GENE, PERTURBATION, SYMBOL, Column, P, Q, Table

DE = Table(
    "de",
    "spb.pp.profiles",
    "Differential expression of each perturbation.",
    "One row per perturbation and gene; within a perturbation, the smallest ``p`` is first.",
    (
        replace(PERTURBATION, sentence="Name of the perturbation."),
        GENE,
        SYMBOL,
        Column(
            "log_change",
            "float64",
            "Mean log-normalized value minus the mean of the control cells in the same batches.",
        ),
        Column(
            "standard_error",
            "float64",
            "Standard error of ``log_change``. A variance below the pooled variance of the gene is replaced by the "
            "pooled variance.",
        ),
        Column(
            "z",
            "float64",
            "``log_change`` divided by ``standard_error``; missing if fewer than ten cells express the gene "
            "(perturbed and control cells together).",
        ),
        replace(P, sentence="Two-sided p of ``z`` from the normal distribution."),
        replace(
            Q,
            sentence="p adjusted for all genes of this perturbation (Benjamini–Hochberg); a gene with q < 0.05 is "
            "called differentially expressed.",
            tip="Benjamini–Hochberg, within a perturbation",
        ),
        Column("is_target", "boolean", "Whether the gene is a target of the perturbation."),
    ),
)

TABLES = (DE,)
