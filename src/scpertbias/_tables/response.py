"""Composition of the response of a screen."""

from __future__ import annotations

from dataclasses import replace

from .._core import shared_axis
from .table import CI_HIGH, CI_LOW, NOTE, PERTURBATION, TOP_GENES, Column, P, Table

CARRY = shared_axis.CARRY
"""Share of the shared axis for which the perturbations account that are named with it."""

CONFOUNDING = Table(
    "confounding",
    "spb.tl.confounding",
    "Shares of the response on gene sets and directions.",
    "One row per axis, and one per axis and perturbation.",
    (
        Column(
            "axis",
            "str",
            "Name of the gene set or direction. ``other``: genes in no confounder set; ``systematic``: the shared "
            "axis, for each perturbation that of all others; ``depth``: changes with sequencing depth; ``leading_1`` "
            "to ``leading_5``: directions in which perturbations differ most, estimated from other perturbations.",
            form="name",
        ),
        Column(
            "kind",
            "str",
            "Kind of the axis; kinds overlap, so shares do not add up.",
            form="line",
            tip="kinds overlap, so shares do not add up",
            values={"genes": "a gene set", "direction": ""},
        ),
        Column(
            "set_class",
            "str",
            "Class of the gene set.",
            label="class",
            form="line",
            tip="technical sets change with the state of cells; programs describe biology",
            values={
                "technical": "mitochondrial, ribosomal, heat-shock, stress-response and histone genes",
                "program": "all other sets, including the Hallmark sets",
                "": "genes in no confounder set, or a direction",
            },
        ),
        Column(
            "level",
            "str",
            "What the row is about. Hallmark sets that are not ``beyond`` have no rows per perturbation.",
            values={"screen": "the whole response", "perturbation": "that of one perturbation"},
        ),
        PERTURBATION,
        Column(
            "share",
            "float64",
            "Share of the response of this screen (summed squared effects) on this axis alone, corrected for sampling "
            "noise; limited to 0–1 if it has an interval. For the shared axis: missing if no axis is measurable.",
            label="share (95% CI)",
            form="percent_interval",
            tip="share of the response of this screen on this axis alone, corrected for noise",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval for other cells of the same perturbations, between 0 and 1; "
            "missing for ``depth`` and the leading directions (see ``note``).",
        ),
        CI_HIGH,
        Column(
            "typical",
            "float64",
            "Share of a gene set in a typical perturbation (weighted by reproducibility).",
            label="typical perturbation",
            form="percent",
            tip="share of the set in a typical perturbation; reproducible perturbations have more weight",
        ),
        Column(
            "typical_ci_low",
            "float64",
            "Lower end of its 95% interval for other perturbations; missing with fewer than ten perturbations.",
        ),
        Column("typical_ci_high", "float64", "Upper end of that interval."),
        Column(
            "null",
            "float64",
            "Mean share of random sets of genes with similar expression that are in no set; missing with fewer than "
            "five measured genes.",
            label="random genes",
            form="percent",
            tip="mean share of random sets of genes of similar expression",
        ),
        Column("typical_null", "float64", "The same in a typical perturbation."),
        replace(
            P,
            sentence="Proportion of these random sets with at least this share; missing for directions.",
            tip="proportion of the random sets with at least this share",
        ),
        Column(
            "mismatch",
            "float64",
            "Mean difference in log mean expression between the genes of the set and their replacements.",
        ),
        Column(
            "beyond",
            "boolean",
            "Whether the set accounts for more than random sets, in this screen and in a typical perturbation, with "
            "``p`` adjusted for the number of sets (Bonferroni); missing if not tested.",
        ),
        Column(
            "part_of",
            "str",
            "For a set that is ``beyond``: the set named in its place, if both share half of their genes (a technical "
            "set, or one of larger share); otherwise empty.",
        ),
        Column(
            "shapley",
            "float64",
            "Share with the overlap between axes of the same kind divided among them (Shapley value); missing for "
            "sets that are not confounder sets.",
        ),
        Column(
            "on_systematic",
            "float64",
            "Share of the mean response in this set.",
            label="part of shared axis",
            form="percent",
            tip="share of the shared axis that lies in this set",
        ),
        Column("share_without", "float64", "The share without the perturbations that target a gene of the set."),
        Column(
            "n_axis",
            "float64",
            "Effective number of perturbations on the shared axis.",
        ),
        Column(
            "carriers",
            "str",
            f"The fewest perturbations that account for {CARRY:.0%} of the shared axis, strongest first; empty for other axes.",
        ),
        Column(
            "common",
            "float64",
            "Share of the response that is a shift common to all perturbations; for the shared axis only.",
        ),
        Column(
            "common_ci_low",
            "float64",
            "Lower end of its 95% interval for other perturbations; missing with fewer than ten perturbations.",
        ),
        Column("common_ci_high", "float64", "Upper end of that interval."),
        Column("common_exists", "boolean", "Whether that share is at least two standard errors above 0."),
        Column("n_target", "int64", "Perturbations that target a gene of the set."),
        Column(
            "n_effective",
            "float64",
            "Effective number of perturbations in the response.",
        ),
        Column("n_genes", "int64", "Measured genes of the axis.", label="genes"),
        TOP_GENES,
        NOTE,
    ),
    regime_at=1,
)

TABLES = (CONFOUNDING,)
