"""What the response of a screen is made of."""

from __future__ import annotations

from dataclasses import replace

from .table import CI_HIGH, CI_LOW, NOTE, PERTURBATION, TOP_GENES, Column, P, Table

CONFOUNDING = Table(
    "confounding",
    "spb.tl.confounding",
    "Shares of the whole response on gene sets and directions.",
    "One row per axis, and one per axis and perturbation.",
    (
        Column(
            "axis",
            "str",
            "Name of the gene set (``other``: the genes in no confounder set) or direction (``systematic``: the axis that each perturbation "
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
            "set_class",
            "str",
            "Class of the gene set.",
            label="class",
            form="line",
            tip="technical sets change with the state of cells, programs with what they do",
            values={
                "technical": "mitochondrial, ribosomal, heat-shock, stress-response and histone genes",
                "program": "all other sets, among them the Hallmark sets",
                "": "genes in no confounder set, or a direction",
            },
        ),
        Column(
            "level",
            "str",
            "What the row is about. Of a Hallmark set that is not ``beyond`` there is no row per perturbation.",
            values={"screen": "the whole response", "perturbation": "that of one perturbation"},
        ),
        PERTURBATION,
        Column(
            "share",
            "float64",
            "Share of the response of this screen (summed squared effects) on this axis alone, free of sampling noise; "
            "cut to 0 and 1 where it has an interval. Of the shared axis: missing where no axis is measurable.",
            label="share (95% CI)",
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
        Column(
            "part_of",
            "str",
            "Of a set that is ``beyond``: the set of larger share, or the technical one, that stands for it, as the two have "
            "half of their genes in common; empty if none does.",
        ),
        Column(
            "shapley",
            "float64",
            "The share with the overlap of the axes of a kind divided between them; missing for sets that are not confounder "
            "sets.",
        ),
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

TABLES = (CONFOUNDING,)
