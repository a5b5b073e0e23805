"""Composition of the response of a screen."""

from __future__ import annotations

from dataclasses import replace

from .._core import shared_axis
from .table import CI_HIGH, CI_LOW, NOTE, PERTURBATION, TOP_GENES, Column, P, Table

CARRY = shared_axis.CARRY
"""The column ``carriers`` names perturbations until together they make up this share of the shared axis."""

CONFOUNDING = Table(
    "confounding",
    "spb.tl.confounding",
    "Shares of the response accounted for by gene sets and by axes such as the shared axis.",
    "One row per axis (a gene set or a direction), and one per axis and perturbation.",
    (
        Column(
            "axis",
            "str",
            "Name of the gene set or direction. ``other``: genes in no confounder gene set. ``systematic``: the shared "
            "axis, estimated for each perturbation from all other perturbations. ``depth``: the direction "
            "in which expression depends on sequencing depth. ``leading_1`` to ``leading_5``: the directions in which "
            "perturbations differ most; those of each perturbation are estimated from other perturbations.",
            form="name",
        ),
        Column(
            "kind",
            "str",
            "Kind of the axis. Gene sets and directions overlap, so the shares do not add up to 1.",
            form="line",
            tip="axes overlap, so shares do not add up to 1",
            values={"genes": "a gene set", "direction": "a direction in expression"},
        ),
        Column(
            "set_class",
            "str",
            "Class of the gene set.",
            label="class",
            form="line",
            tip="technical sets change with the state of the cells; programs describe biology",
            values={
                "technical": "mitochondrial, ribosomal, heat-shock, stress-response and histone genes",
                "program": "all other sets, including the Hallmark sets",
                "": "genes in no confounder gene set, or a direction",
            },
        ),
        Column(
            "level",
            "str",
            "What the row is about. A Hallmark set has rows of the level ``perturbation`` only if ``beyond`` is true.",
            values={"screen": "the response of the whole screen", "perturbation": "the response of one perturbation"},
        ),
        PERTURBATION,
        Column(
            "share",
            "float64",
            "Share of the response (summed squared effects of this screen) in this gene set or along this direction, "
            "regardless of other axes. Sampling noise is already subtracted. If the row has an interval, the share is "
            "limited to values from 0 to 1; otherwise it can be negative. For the shared axis: missing if no shared "
            "axis is measurable.",
            label="share (95% CI)",
            form="percent_interval",
            tip="share of the response of this screen, corrected for noise; regardless of other axes",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval of ``share``, between 0 and 1. The interval accounts for the "
            "sampling of cells, not of perturbations. Missing for ``depth`` and the leading directions (see "
            "``note``).",
        ),
        CI_HIGH,
        Column(
            "typical",
            "float64",
            "Share of a gene set in the response of a typical perturbation: mean over perturbations, weighted by "
            "reproducibility.",
            label="typical perturbation",
            form="percent",
            tip="mean share over perturbations, weighted by reproducibility",
        ),
        Column(
            "typical_ci_low",
            "float64",
            "Lower end of the 95% interval of ``typical``. The interval accounts for the sampling of perturbations. "
            "Missing with fewer than ten perturbations.",
        ),
        Column("typical_ci_high", "float64", "Upper end of the 95% interval of ``typical``."),
        Column(
            "null",
            "float64",
            "Mean share of random gene sets. In a random set, each gene of the set is replaced by another gene of "
            "similar expression, which is in no confounder gene set. Missing if fewer than five "
            "genes of the set are measured.",
            label="random genes",
            form="percent",
            tip="mean share of random sets of genes of similar expression",
        ),
        Column("typical_null", "float64", "Mean of ``typical`` over the same random sets."),
        replace(
            P,
            sentence="Proportion of the random sets whose share is at least ``share``; missing for directions.",
            tip="proportion of random sets with at least this share",
        ),
        Column(
            "mismatch",
            "float64",
            "Mean absolute difference in log mean expression between the genes of the set and the genes that replace "
            "them in the random sets. Above 0.5 the random sets are not comparable with the set.",
        ),
        Column(
            "beyond",
            "boolean",
            "Whether the share of the set is significantly above the shares of random sets, both in this screen and "
            "in a typical perturbation. ``p`` is compared with 0.05 divided by the number of sets (Bonferroni). "
            "Missing if not tested.",
        ),
        Column(
            "part_of",
            "str",
            "Name of another set that overlaps with this set, and that the report names instead; empty if the report "
            "names this set. Two sets overlap if they share at least half of the genes of the smaller one. Of two "
            "overlapping sets with ``beyond``, the report names a technical set, or the set with the larger share.",
        ),
        Column(
            "shapley",
            "float64",
            "``share``, but what several axes of the same kind have in common is divided among these axes (Shapley "
            "value). Missing for sets that are not confounder gene sets.",
        ),
        Column(
            "on_systematic",
            "float64",
            "Share of the squared shared axis in the genes of this set.",
            label="part of shared axis",
            form="percent",
            tip="share of the shared axis that lies in this set",
        ),
        Column(
            "share_without", "float64", "``share``, computed without the perturbations that target a gene of the set."
        ),
        Column(
            "n_axis",
            "float64",
            "Effective number of perturbations that contribute to the shared axis; lower than their number if a few "
            "perturbations dominate.",
        ),
        Column(
            "carriers",
            "str",
            "The fewest perturbations that together make up 80% of the shared axis, strongest first; empty for other "
            "axes.",
        ),
        Column(
            "common",
            "float64",
            "Share of the response due to a shift that is the same in all perturbations; only for the shared axis.",
        ),
        Column(
            "common_ci_low",
            "float64",
            "Lower end of the 95% interval of ``common``. The interval accounts for the sampling of perturbations. "
            "Missing with fewer than ten perturbations.",
        ),
        Column("common_ci_high", "float64", "Upper end of the 95% interval of ``common``."),
        Column("common_exists", "boolean", "Whether ``common`` is at least two standard errors above 0."),
        Column("n_target", "int64", "Number of perturbations that target a gene of the set."),
        Column(
            "n_effective",
            "float64",
            "Effective number of perturbations that contribute to the response; lower than their number if a few "
            "perturbations dominate.",
        ),
        Column("n_genes", "int64", "Number of measured genes of the axis.", label="genes"),
        TOP_GENES,
        NOTE,
    ),
    regime_at=1,
)

TABLES = (CONFOUNDING,)
