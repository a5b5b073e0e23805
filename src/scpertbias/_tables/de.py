"""Differential expression, which is computed when it is read."""

from __future__ import annotations

from dataclasses import replace

from .table import GENE, PERTURBATION, SYMBOL, Column, P, Q, Table

DE = Table(
    "de",
    "spb.pp.profiles",
    "Differential expression of each perturbation.",
    "One row per perturbation and gene, the smallest ``p`` first.",
    (
        replace(PERTURBATION, sentence="Name of the perturbation."),
        GENE,
        SYMBOL,
        Column(
            "log_change",
            "float64",
            "Difference of the mean log-normalized value from that of the control cells of the same batches.",
        ),
        Column(
            "standard_error",
            "float64",
            "Standard error of that difference, with no variance below the pooled one of the gene.",
        ),
        Column(
            "z",
            "float64",
            "``log_change`` over ``standard_error``; missing where fewer than ten cells of perturbation and control carry "
            "the gene.",
        ),
        replace(P, sentence="Two-sided normal p of that z."),
        replace(
            Q,
            sentence="p adjusted over the genes of the perturbation (Benjamini–Hochberg); under 0.05 the gene is called.",
            tip="Benjamini–Hochberg, within a perturbation",
        ),
        Column("is_target", "boolean", "Whether the gene is a target of the perturbation."),
    ),
)

TABLES = (DE,)
