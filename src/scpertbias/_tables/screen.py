"""The screen itself: checks and perturbations."""

from __future__ import annotations

from dataclasses import replace

from .table import (
    N_CELLS,
    PERTURBATION,
    REPRODUCIBILITY,
    RESPONSE_SHARE,
    TOP_GENES,
    Column,
    P,
    Q,
    Table,
)

EFFECT_Q = replace(
    Q,
    sentence="``p`` adjusted over perturbations (Benjamini–Hochberg); an effect with q of at most 0.05 is detected.",
    tip="p of an effect on any gene other than the target, adjusted over perturbations (Benjamini–Hochberg)",
)

CHECK = Table(
    "check",
    "spb.pp.check",
    "Quality checks of the screen.",
    "One row per check, and one per perturbation.",
    (
        Column(
            "check",
            "str",
            "What the row is about: ``labels``, ``scale``, ``batches``, ``genes``, ``split``, ``response`` or "
            "``perturbation``.",
            label="about",
        ),
        PERTURBATION,
        Column(
            "status",
            "str",
            "Result of the check; a warning needs an action.",
            form="status",
            values={"ok": "", "note": "", "warning": ""},
        ),
        replace(N_CELLS, sentence="Number of cells of the perturbation; 0 in other rows."),
        REPRODUCIBILITY,
        Column(
            "reproducibility_guides",
            "float64",
            "Reproducibility between two halves of the guides of the perturbation; missing without ``guide_key``.",
            label="between guides",
            tip="reproducibility between two halves of the guides",
        ),
        Column(
            "squared_effect",
            "float64",
            "Squared effect, corrected for noise; can be negative.",
            unit="squared log-normalized units",
        ),
        RESPONSE_SHARE,
        replace(
            P,
            sentence="p-value for the null hypothesis that the perturbation changes no gene other than its target. It "
            "is twice the smaller of two p-values: that of the squared effect, and that of the strongest gene.",
        ),
        EFFECT_Q,
        TOP_GENES,
        Column("detail", "str", "Description of the result.", label="finding", form="prose"),
    ),
)

PERTURBATIONS = Table(
    "perturbations",
    "spb.tl.audit",
    "Quality of each perturbation.",
    "One row per perturbation.",
    (
        PERTURBATION,
        Column(
            "kind",
            "str",
            "Category of the perturbation: the first value that applies.",
            form="line",
            tip="the first category that applies; to evaluate models, use perturbations of the category 'specific'",
            values={
                "too few cells": "",
                "not detected": "no significant effect with q at most 0.05, not even on the target gene",
                "target gene only": "a significant effect on the target gene only",
                "targets a confounder gene": "a target is in a confounder gene set, even if the effect on this set "
                "is small",
                "mostly shared": "more than half of the effect is on the shared axis or in one technical gene set",
                "specific": "",
                "weak": "detected, but too weak for the other categories",
            },
        ),
        replace(N_CELLS, label="cells"),
        REPRODUCIBILITY,
        Column(
            "effect",
            "float64",
            "Size of the effect (Euclidean norm over genes), corrected for noise.",
            tip=True,
            unit="log-normalized units",
        ),
        RESPONSE_SHARE,
        replace(
            EFFECT_Q,
            sentence="p-value for the null hypothesis that the perturbation changes no gene other than its target, "
            "adjusted over perturbations (Benjamini–Hochberg). An effect with q of at most 0.05 is detected.",
        ),
        Column(
            "target_gene",
            "str",
            "The target gene; empty if it is not measured. If several targets are measured: the one with the smallest "
            "change.",
            label="target gene",
            tip="the measured target gene",
        ),
        Column(
            "target_log_change",
            "float64",
            "Mean log-normalized value of the target gene minus its mean in control.",
            label="target change",
            tip="mean of the target gene minus its mean in control",
            unit="log-normalized units",
        ),
        Column(
            "target_z",
            "float64",
            "z of the change of the target gene; missing if too few cells express it.",
            label="target z",
            tip="z of the change of the target gene",
        ),
        Column(
            "target_q",
            "float64",
            "Two-sided p of ``target_z``, adjusted over perturbations (Benjamini–Hochberg).",
            label="target q",
            tip="p of the change of the target gene, adjusted over perturbations (Benjamini–Hochberg)",
        ),
        Column("target_percentile", "float64", "Percentile of ``|target_z|`` among all genes, 0 to 1."),
        Column(
            "mt",
            "float64",
            "Share of the squared effect in mitochondrial genes.",
            label="on mitochondrial genes",
            form="percent",
            tip="share of the effect on mitochondrial genes",
        ),
        Column(
            "ribo",
            "float64",
            "Share of the squared effect in ribosomal genes.",
            label="on ribosomal genes",
            form="percent",
            tip="share of the effect on ribosomal genes",
        ),
        Column(
            "systematic",
            "float64",
            "Share of the squared effect on the shared axis.",
            label="on shared axis",
            form="percent",
            tip="share of the squared effect on the shared axis",
        ),
        replace(TOP_GENES, tip="genes with the largest |z|; the arrows show the direction of the change"),
    ),
)

TABLES = (CHECK, PERTURBATIONS)
