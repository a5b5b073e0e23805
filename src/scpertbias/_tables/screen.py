"""The screen itself: checks, perturbations, confounders."""

from __future__ import annotations

from dataclasses import replace

from .table import (
    CI_HIGH,
    CI_LOW,
    N_CELLS,
    NOTE,
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
    sentence="That p adjusted over perturbations (Benjamini–Hochberg); at most 0.05: detected.",
    tip="of any effect, Benjamini–Hochberg over perturbations",
)

CHECK = Table(
    "check",
    "spb.pp.check",
    "What is wrong with the screen, before any model.",
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
        replace(N_CELLS, sentence="Cells of the perturbation; 0 in other rows."),
        REPRODUCIBILITY,
        Column(
            "reproducibility_guides",
            "float64",
            "The same between the two halves of its guides; missing without ``guide_key``.",
            label="between guides",
            tip="between the two halves of its guides",
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
            sentence="p of any effect but on the own target: of the squared effect and of the strongest gene, twice the "
            "smaller.",
        ),
        EFFECT_Q,
        TOP_GENES,
        Column("detail", "str", "The finding in words.", label="finding", form="prose"),
    ),
)

PERTURBATIONS = Table(
    "perturbations",
    "spb.tl.audit",
    "Every perturbation, before any model.",
    "One row per perturbation.",
    (
        PERTURBATION,
        Column(
            "kind",
            "str",
            "The first that holds.",
            form="line",
            tip="the first that holds; models can be judged on specific ones",
            values={
                "too few cells": "",
                "not detected": "neither any effect nor one on its own gene, q above 0.05",
                "target gene only": "only its own gene responds",
                "targets a confounder gene": "whatever share of the response that set accounts for",
                "mostly shared": "more than half of its effect lies on the shared axis or on one technical gene set",
                "specific": "",
                "weak": "detected, but too weak to be sorted",
            },
        ),
        replace(N_CELLS, label="cells"),
        REPRODUCIBILITY,
        Column("effect", "float64", "Length of the effect without noise.", tip=True, unit="log-normalized units"),
        RESPONSE_SHARE,
        replace(
            EFFECT_Q,
            sentence="p of any effect but on the own target, adjusted over perturbations (Benjamini–Hochberg); at most "
            "0.05: detected.",
        ),
        Column(
            "target_gene",
            "str",
            "The measured target, of several the one that moved least; empty if none is measured.",
            label="own gene",
            tip="the measured target",
        ),
        Column(
            "target_log_change",
            "float64",
            "Difference of its mean log-normalized value from the control.",
            label="its change",
            tip="of its mean log-normalized value against control",
        ),
        Column(
            "target_z",
            "float64",
            "z of the target gene against control; missing where too few cells carry it.",
            label="its z",
            tip="of the measured target against control",
        ),
        Column(
            "target_q",
            "float64",
            "Two-sided p of that z, adjusted over perturbations (Benjamini–Hochberg).",
            label="its q",
            tip="of its z, Benjamini–Hochberg over perturbations",
        ),
        Column("target_percentile", "float64", "Percentile of its ``|z|`` among all genes, 0 to 1."),
        Column(
            "mt",
            "float64",
            "Share of its effect on mitochondrial genes.",
            label="on mt",
            form="percent",
            tip=True,
        ),
        Column(
            "ribo",
            "float64",
            "Share of its effect on ribosomal genes.",
            label="on ribo",
            form="percent",
            tip=True,
        ),
        Column(
            "systematic",
            "float64",
            "Share of its effect on the mean response of all perturbations.",
            label="on shared axis",
            form="percent",
            tip="share of its effect on the mean response (systematic)",
        ),
        replace(TOP_GENES, tip="largest |z| against control, with the direction"),
    ),
)

CONFOUNDING = Table(
    "confounding",
    "spb.tl.confounding",
    "Shares of the whole response on gene sets and directions.",
    "One row per axis, and one per axis and perturbation.",
    (
        Column(
            "axis",
            "str",
            "Name of the gene set (``other``: the genes in none) or direction (``systematic``: the axis that each perturbation "
            "shares with all others; "
            "``depth``: along which genes change with sequencing depth; ``leading_1`` to ``leading_5``: in which "
            "perturbations differ most, estimated from other perturbations).",
            form="name",
        ),
        Column(
            "kind",
            "str",
            "Kind of the axis; kinds overlap and are never added up.",
            form="line",
            tip="kinds overlap and are never added up",
            values={"genes": "a gene set", "direction": ""},
        ),
        Column(
            "level",
            "str",
            "What the row is about.",
            values={"screen": "the whole response", "perturbation": "that of one perturbation"},
        ),
        PERTURBATION,
        Column(
            "share",
            "float64",
            "Share of the response of this screen (summed squared effects) on this axis alone, free of sampling noise; "
            "cut to 0 and 1 where it has an interval. Of the shared axis: missing where no axis is measurable.",
            label="share [95 %]",
            form="percent_interval",
            tip="of the response of this screen, on this axis alone, without noise",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95 % interval for other cells of the same perturbations, between 0 and 1; missing "
            "for ``depth`` and the leading directions, as ``note`` says.",
        ),
        CI_HIGH,
        Column(
            "typical",
            "float64",
            "Share of a gene set in a typical perturbation: each counts by its reproducibility.",
            label="typical",
            form="percent",
            tip="share in a typical perturbation: each counts by its reproducibility",
        ),
        Column(
            "typical_ci_low",
            "float64",
            "Lower end of its 95 % interval for other perturbations; missing under ten perturbations.",
        ),
        Column("typical_ci_high", "float64", "Upper end of that interval."),
        Column(
            "null",
            "float64",
            "Mean share of random sets of equally expressed genes in no set; missing under five measured genes.",
            label="random genes",
            form="percent",
            tip="mean share of random sets of equally expressed genes in no set",
        ),
        Column("typical_null", "float64", "The same in a typical perturbation."),
        replace(
            P,
            sentence="Share of those random sets with at least as large a share; missing for directions.",
            tip="share of random sets with at least as large a share",
        ),
        Column(
            "mismatch",
            "float64",
            "Mean difference in log mean expression between a gene of the set and those that take its place.",
        ),
        Column(
            "beyond",
            "boolean",
            "Whether the set carries more than such random sets: in this screen and in a typical perturbation, with ``p`` "
            "adjusted for the number of sets (Bonferroni); missing where it was not tested.",
        ),
        Column("shapley", "float64", "The share with the overlap of the axes of a kind divided between them."),
        Column(
            "on_systematic",
            "float64",
            "Part of the mean response that lies in the set.",
            label="of shared axis",
            form="percent",
            tip=True,
        ),
        Column("share_without", "float64", "The share without the perturbations that target a gene of the set."),
        Column(
            "n_axis",
            "float64",
            "Effective number of perturbations on the shared axis: so many equal ones would account for it.",
        ),
        Column(
            "carriers",
            "str",
            "The fewest perturbations that account for 80 % of the shared axis, the strongest first; empty for others.",
        ),
        Column(
            "common",
            "float64",
            "Share of the response that is one and the same shift of all perturbations; of the shared axis only.",
        ),
        Column(
            "common_ci_low",
            "float64",
            "Lower end of its 95 % interval for other perturbations; missing under ten perturbations.",
        ),
        Column("common_ci_high", "float64", "Upper end of that interval."),
        Column("common_exists", "boolean", "Whether that share is at least two standard errors above 0."),
        Column("n_target", "int64", "Perturbations that target a gene of the set."),
        Column(
            "n_effective",
            "float64",
            "Effective number of perturbations in the response: so many equal ones would account for it.",
        ),
        Column("n_genes", "int64", "Measured genes of the axis.", label="genes"),
        TOP_GENES,
        NOTE,
    ),
    regime_at=1,
)

TABLES = (CHECK, PERTURBATIONS, CONFOUNDING)
