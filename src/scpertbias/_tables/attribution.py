"""Target genes, attributions, and gene sets of top genes."""

from __future__ import annotations

from dataclasses import replace

from .table import CI_HIGH, CI_LOW, GENE, MODEL, NOTE, PERTURBATION, Column, N, P, Q, Table

MODEL_A = Column("model_a", "str", "One model.", label="model", form="name")
MODEL_B = Column("model_b", "str", "The other model.", label="other model")

TARGET_RESPONSE = Table(
    "target_response",
    "spb.tl.target_response",
    "Whether each perturbed gene changes in its own column or in a neighboring one.",
    "One row per model (including ``observed``), block of genes and shift, and one per model and target.",
    (
        MODEL,
        Column(
            "level",
            "str",
            "What the row is about.",
            values={"scan": "a block and a shift", "perturbation": "a target"},
        ),
        Column("block", "str", "``all``, or one of ten blocks of consecutive genes (``1`` to ``10``)."),
        Column("first", "str", "First gene of the block."),
        Column("last", "str", "Last gene of the block."),
        Column(
            "shift",
            "Int64",
            "Number of columns from the column of the target; −1: its values are one column before its name.",
        ),
        Column("n_targets", "Int64", "Measured targets."),
        Column(
            "percentile",
            "float64",
            "Percentile of the target among all genes of its perturbation, in a scan the mean over the targets.",
        ),
        Column("expected", "float64", "The same in a random perturbation."),
        replace(P, sentence="p by permutation of the targets among perturbations, over all shifts."),
        replace(Q, sentence="p of the strongest shift, adjusted over the blocks (Benjamini–Hochberg)."),
        Column("proposed", "boolean", "Whether this shift fits best, and better than expected by chance."),
        PERTURBATION,
        replace(GENE, sentence="Name of the target in the data; empty in a scan."),
        Column("z", "float64", "Effect on the target divided by its standard error; missing in a scan."),
        Column("delta", "float64", "Effect on the target; missing in a scan.", unit="log-normalized units"),
        replace(NOTE, sentence="Reason if something is not tested; otherwise empty."),
        Column("direction", "str", "Expected direction of change of the targets: ``either``, ``down`` or ``up``."),
    ),
    regime_at=1,
)

CHECKED = Table(
    "attribution_check",
    "spb.tl.attribution_check",
    "Whether attributions distinguish genes and perturbations.",
    "One row per model.",
    (
        MODEL,
        Column(
            "flag",
            "str",
            "The first that applies; signs of attributions are ignored.",
            form="flag",
            tip="ok, or the reason why attributions are not informative",
            values={
                "zero": "all genes are 0, in more than half of the perturbations",
                "constant": "all genes are equal, in more than half of the perturbations",
                "one_hot": "one gene has 99.9% of the total, in more than half of the perturbations",
                "shared": "the mean cosine between perturbations is above 0.999",
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
    "How similar the attributions of two models are.",
    "One row per pair of models and perturbation; perturbation ``''`` is the mean over perturbations. Signs of "
    "attributions are ignored.",
    (
        MODEL_A,
        MODEL_B,
        PERTURBATION,
        Column(
            "spearman",
            "float64",
            "Rank correlation over genes; missing where an attribution is the same for all genes.",
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
            "Share of the top ``k`` genes that both have; ties at rank ``k`` count fractionally.",
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
            sentence="One-sided p against permutations of genes within 20 bins of expression.",
            tip="small: more agreement than expected for genes of similar expression",
        ),
        Column(
            "p_specific",
            "float64",
            "One-sided p against other perturbations of ``model_b``.",
            label="specific p",
            tip="small: more agreement on the same perturbation than on different perturbations",
        ),
        replace(
            N,
            sentence="Perturbations for which both models have attributions.",
            tip="perturbations for which both models have attributions",
        ),
    ),
    regime_at=0,
)

ENRICH = Table(
    "enrich",
    "spb.tl.enrich",
    "Gene sets that are over-represented among the top genes of a model.",
    "One row per model, list of genes and gene set with at least one gene in common.",
    (
        MODEL,
        Column("of", "str", "``attributions``, or the scale of the recurrent genes (``delta``, ``z``, ``centered``)."),
        PERTURBATION,
        Column("source", "str", "Name of the gene set."),
        Column("overlap", "int64", "Genes in common."),
        Column("k", "int64", "Genes of the list."),
        Column("set_size", "int64", "Measured genes of the set."),
        Column("background", "int64", "Measured genes."),
        Column("genes", "str", "The genes in common."),
        Column("log_odds", "float64", "Log odds ratio."),
        replace(P, sentence="One-sided p of Fisher's test."),
        replace(
            Q,
            sentence="p adjusted over all tests for the model, including those without a gene in common "
            "(Benjamini–Hochberg).",
        ),
        replace(NOTE, sentence="``too small`` if fewer than 3 genes are in common."),
    ),
)

TABLES = (TARGET_RESPONSE, CHECKED, AGREEMENT, ENRICH)
