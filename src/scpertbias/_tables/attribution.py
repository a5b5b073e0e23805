"""Target genes, attributions, and gene sets of top genes."""

from __future__ import annotations

from dataclasses import replace

from .table import CI_HIGH, CI_LOW, GENE, MODEL, NOTE, PERTURBATION, Column, N, P, Q, Table

MODEL_A = Column("model_a", "str", "Name of the first model.", label="model", form="name")
MODEL_B = Column("model_b", "str", "Name of the second model.", label="other model")

TARGET_RESPONSE = Table(
    "target_response",
    "spb.tl.target_response",
    "Effect of each perturbation in the column of its target gene, and in neighboring columns.",
    "One row per model (including ``observed``), block of genes and shift, and one per model and target.",
    (
        MODEL,
        Column(
            "level",
            "str",
            "What the row is about.",
            values={"scan": "a block of genes and a shift", "perturbation": "a target gene"},
        ),
        Column("block", "str", "``all``, or one of ten blocks of consecutive genes (``1`` to ``10``)."),
        Column("first", "str", "First gene of the block."),
        Column("last", "str", "Last gene of the block."),
        Column(
            "shift",
            "Int64",
            "Number of columns between the tested column and the column of the target; −1: the column directly before "
            "that of the target.",
        ),
        Column("n_targets", "Int64", "Number of measured targets."),
        Column(
            "percentile",
            "float64",
            "Percentile of the effect in this column among the effects of the same perturbation on all genes, 0 to 1. "
            "In rows of the level ``scan``: mean over the targets.",
        ),
        Column("expected", "float64", "Mean of ``percentile`` if targets are assigned to random perturbations."),
        replace(
            P,
            sentence="p from permutations of the targets among perturbations, adjusted for the number of shifts. The "
            "excess of ``percentile`` over ``expected``, in standard deviations, is compared with the largest excess "
            "of each permutation at any shift. Missing in rows of the level ``perturbation``.",
        ),
        replace(
            Q,
            sentence="``p`` of the shift with the largest excess, adjusted over the blocks (Benjamini–Hochberg). "
            "Missing for all other shifts.",
        ),
        Column(
            "proposed",
            "boolean",
            "Whether this shift has the largest excess of its block, and ``q`` is below 0.05. If the shift is not 0, "
            "values and gene names are probably misaligned.",
        ),
        PERTURBATION,
        replace(GENE, sentence="Name of the target gene in the data; empty in rows of the level ``scan``."),
        Column(
            "z",
            "float64",
            "Effect of the perturbation on its target gene, divided by the standard error of the "
            "effect. Missing in rows of the level ``scan``.",
        ),
        Column(
            "delta",
            "float64",
            "Effect of the perturbation on its target gene. Missing in rows of the level ``scan``.",
            unit="log-normalized units",
        ),
        replace(NOTE, sentence="Reason why the row was not tested, or empty."),
        Column("direction", "str", "Expected direction of change of the targets: ``either``, ``down`` or ``up``."),
    ),
    regime_at=1,
)

CHECKED = Table(
    "attribution_check",
    "spb.tl.attribution_check",
    "Whether the attributions of each model differ between genes and between perturbations.",
    "One row per model.",
    (
        MODEL,
        Column(
            "flag",
            "str",
            "Result of the check: the first of the values below that applies. Signs of attributions are ignored.",
            form="flag",
            tip="ok, or the reason why the attributions are not informative",
            values={
                "zero": "all attributions are 0 in more than half of the perturbations",
                "constant": "in more than half of the perturbations, the attribution is the same for all genes",
                "one_hot": "one gene has 99.9% of the total attribution in more than half of the perturbations",
                "shared": "the mean cosine between the attributions of two perturbations is above 0.999",
                "ok": "",
            },
        ),
        Column("detail", "str", "The finding in words.", label="finding", form="aside"),
    ),
    regime_at=0,
)

AGREEMENT = Table(
    "attribution_agreement",
    "spb.tl.attribution_agreement",
    "Similarity of the attributions of two models.",
    "For each pair of models, one row per perturbation, and one row with the mean over perturbations. Signs of "
    "attributions are ignored.",
    (
        MODEL_A,
        MODEL_B,
        PERTURBATION,
        Column(
            "spearman",
            "float64",
            "Rank correlation of the attributions over genes; missing if one of the models attributes the same value "
            "to all genes.",
            label="Spearman (95% CI)",
            form="interval",
            tip="rank correlation over genes, mean over perturbations",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval of the mean over perturbations; missing with fewer than ten "
            "perturbations.",
        ),
        CI_HIGH,
        Column(
            "overlap",
            "float64",
            "Share of the top ``k`` genes of one model that are also top genes of the other; ties at rank ``k`` count "
            "fractionally.",
            label="shared top genes",
            form="percent",
        ),
        Column(
            "chance",
            "float64",
            "Overlap expected by chance: ``k`` divided by the number of genes.",
            label="top genes by chance",
            form="percent",
        ),
        replace(
            P,
            sentence="One-sided p of ``spearman``, from permutations of genes within 20 bins of mean expression.",
            tip="a small p means more agreement than expected for genes of similar expression",
        ),
        Column(
            "p_specific",
            "float64",
            "One-sided p of ``spearman``. The null distribution consists of the correlations of ``model_a`` on one "
            "perturbation with ``model_b`` on another perturbation.",
            label="specific p",
            tip="a small p means more agreement on the same perturbation than on different perturbations",
        ),
        replace(
            N,
            sentence="Number of perturbations for which both models have attributions.",
            tip="perturbations for which both models have attributions",
        ),
    ),
    regime_at=0,
)

ENRICH = Table(
    "enrich",
    "spb.tl.enrich",
    "Gene sets that are over-represented among the top genes of a model.",
    "One row per model, gene list and gene set, if the list and the set have a gene in common.",
    (
        MODEL,
        Column(
            "of",
            "str",
            "Origin of the gene list: ``attributions``, or the value of ``by`` in the table ``recurrence`` (``delta``, "
            "``z`` or ``centered``).",
        ),
        PERTURBATION,
        Column("source", "str", "Name of the gene set."),
        Column("overlap", "int64", "Number of genes in both the list and the set."),
        Column("k", "int64", "Number of genes in the list."),
        Column("set_size", "int64", "Number of measured genes in the set."),
        Column("background", "int64", "Number of measured genes."),
        Column("genes", "str", "Names of the genes in both the list and the set."),
        Column("log_odds", "float64", "Log odds ratio of the enrichment."),
        replace(P, sentence="One-sided p of Fisher's exact test."),
        replace(
            Q,
            sentence="p adjusted over all tests of the model, including tests without a gene in common "
            "(Benjamini–Hochberg).",
        ),
        replace(NOTE, sentence="``too small`` if fewer than 3 genes are in common."),
    ),
)

TABLES = (TARGET_RESPONSE, CHECKED, AGREEMENT, ENRICH)
