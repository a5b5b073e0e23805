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
    sentence="This p adjusted over perturbations (Benjamini–Hochberg); at most 0.05: detected.",
    tip="p of any effect, adjusted over perturbations (Benjamini–Hochberg); at most 0.05: detected",
)

CHECK = Table(
    "check",
    "spb.pp.check",
    "Quality checks of the screen.",
    "One row per finding, and one per perturbation.",
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
            "How serious it is.",
            form="status",
            values={"ok": "", "note": "", "warning": ""},
        ),
        replace(N_CELLS, sentence="Number of cells of the perturbation; 0 in other rows."),
        REPRODUCIBILITY,
        Column(
            "reproducibility_guides",
            "float64",
            "The same between the two halves of its guides; missing without ``guide_key``.",
            label="between guides",
            tip="reproducibility between the two halves of the guides",
        ),
        Column(
            "squared_effect",
            "float64",
            "Noise-corrected squared effect; may be negative.",
            unit="squared log-normalized units",
        ),
        RESPONSE_SHARE,
        replace(
            P,
            sentence="p of any effect, excluding the target gene: twice the smaller of the p-values of the squared "
            "effect and of the strongest gene.",
        ),
        EFFECT_Q,
        TOP_GENES,
        Column("detail", "str", "The finding in words.", label="finding", form="prose"),
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
            "The first category that applies.",
            form="line",
            tip="the first category that applies; evaluate models on the category specific",
            values={
                "too few cells": "",
                "not detected": "no significant effect, and none on its target gene (q above 0.05)",
                "target gene only": "only its target gene responds",
                "targets a confounder gene": "independent of the share of that set",
                "mostly shared": "more than half of its effect lies on the shared axis or on one technical gene set",
                "specific": "",
                "weak": "detected, but too weak to sort",
            },
        ),
        replace(N_CELLS, label="cells"),
        REPRODUCIBILITY,
        Column(
            "effect", "float64", "Length of the effect, corrected for noise.", tip=True, unit="log-normalized units"
        ),
        RESPONSE_SHARE,
        replace(
            EFFECT_Q,
            sentence="p of any effect, excluding the target gene, adjusted over perturbations (Benjamini–Hochberg); "
            "at most 0.05: detected.",
        ),
        Column(
            "target_gene",
            "str",
            "The measured target (of several, the one that changed least); empty if none is measured.",
            label="target gene",
            tip="the target gene, if it is measured",
        ),
        Column(
            "target_log_change",
            "float64",
            "Difference of its mean log-normalized value from the control.",
            label="target change",
            tip="mean log-normalized value of the target gene minus that of the control",
        ),
        Column(
            "target_z",
            "float64",
            "z of the target gene against control; missing if too few cells express it.",
            label="target z",
            tip="change of the target gene divided by its standard error",
        ),
        Column(
            "target_q",
            "float64",
            "Two-sided p of that z, adjusted over perturbations (Benjamini–Hochberg).",
            label="target q",
            tip="p of the target z, adjusted over perturbations (Benjamini–Hochberg)",
        ),
        Column("target_percentile", "float64", "Percentile of its ``|z|`` among all genes, 0 to 1."),
        Column(
            "mt",
            "float64",
            "Share of its effect on mitochondrial genes.",
            label="on mitochondrial genes",
            form="percent",
            tip="share of the effect on mitochondrial genes",
        ),
        Column(
            "ribo",
            "float64",
            "Share of its effect on ribosomal genes.",
            label="on ribosomal genes",
            form="percent",
            tip="share of the effect on ribosomal genes",
        ),
        Column(
            "systematic",
            "float64",
            "Share of its effect on the mean response of all perturbations.",
            label="on shared axis",
            form="percent",
            tip="share of the effect on the shared axis",
        ),
        replace(TOP_GENES, tip="genes with the largest |z| of the difference from control; arrows show the direction"),
    ),
)

TABLES = (CHECK, PERTURBATIONS)
