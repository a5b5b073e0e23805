"""Effect of retraining without some genes."""

from __future__ import annotations

from dataclasses import replace

from .attribution import MODEL_A, MODEL_B
from .scores import N_EFFECTIVE
from .table import CI_HIGH, CI_LOW, METRIC, MODEL, NOTE, REGIME, Column, N, P, Q, Table

OF_BOTH = replace(
    N, sentence="Held-out perturbations that both predict.", tip="held-out perturbations that both predict"
)

RETRAINING = Table(
    "retraining",
    "spb.tl.audit",
    "Effect of retraining in each regime.",
    "One row per model, regime and metric.",
    (
        MODEL,
        REGIME,
        METRIC,
        OF_BOTH,
        N_EFFECTIVE,
        Column(
            "full",
            "float64",
            "Score of the model trained on all genes, on the genes of the regime.",
            label="trained on all genes",
            tip="relative error on the genes of the regime, of the model trained on all genes",
        ),
        Column(
            "retrained",
            "float64",
            "Score of the model trained in the regime.",
            tip="relative error on the genes of the regime, of the model trained in the regime",
        ),
        Column(
            "gain",
            "float64",
            "``full`` − ``retrained``; positive if retraining helps.",
            label="gain (95% CI)",
            form="interval",
            tip="relative error when trained on all genes minus relative error when retrained; positive: retraining helps",
        ),
        CI_LOW,
        CI_HIGH,
        P,
        Q,
        NOTE,
    ),
)

RANKING = Table(
    "ranking",
    "spb.tl.audit with models",
    "Whether retraining reverses the order of two models.",
    "One row per regime and pair of models, including the mean baseline.",
    (
        REGIME,
        MODEL_A,
        MODEL_B,
        METRIC,
        OF_BOTH,
        Column(
            "full",
            "float64",
            "Mean difference a − b of the relative errors of the models trained on all genes, on the genes of the "
            "regime; negative if a is better.",
            label="difference before",
            tip="difference of the relative errors of the two models when trained on all genes; negative: the first model is better",
        ),
        Column("full_ci_low", "float64", "Lower end of its 95% interval."),
        Column("full_ci_high", "float64", "Upper end of its 95% interval."),
        Column(
            "retrained",
            "float64",
            "The same for the models trained in the regime.",
            label="difference after",
            tip="difference of the relative errors of the two models when retrained; negative: the first model is better",
        ),
        Column("retrained_ci_low", "float64", "Lower end of its 95% interval."),
        Column("retrained_ci_high", "float64", "Upper end of its 95% interval."),
        Column(
            "order",
            "str",
            "Whether the order of the two changes.",
            tip="kept or reversed if the 95% intervals of both differences exclude 0; same if both are below 0.0005",
            values={
                "kept": "both intervals exclude 0, on the same side",
                "reversed": "both intervals exclude 0, on opposite sides",
                "same": "no difference reaches 0.0005",
                "undetermined": "all other cases",
            },
        ),
    ),
)

RANDOM_REMOVALS = Table(
    "random_removals",
    "spb.tl.audit (with n_random above 0 and a regime without genes)",
    "Effect of removing as many random genes.",
    "One row per model.",
    (
        MODEL,
        replace(REGIME, sentence="The regime that removes the most confounder genes: ``no_mt`` or ``no_mt_ribo``."),
        replace(N, sentence="Held-out perturbations.", tip=True),
        Column("n_genes", "int64", "Genes removed.", label="genes removed"),
        Column("n_random", "int64", "Random removals.", label="random removals"),
        Column(
            "gain",
            "float64",
            "Relative error of the full model minus that of the model retrained without the genes of the regime; "
            "positive if retraining helps.",
            tip="gain by retraining without the genes of the regime",
        ),
        Column(
            "random_mean",
            "float64",
            "Mean gain of the random removals.",
            label="mean random gain",
            tip="mean gain of the random removals",
        ),
        Column("random_min", "float64", "Smallest gain of the random removals.", label="smallest random gain"),
        Column("random_max", "float64", "Largest gain of the random removals.", label="largest random gain"),
        replace(
            P,
            sentence="One-sided p of the gain against the random ones, not adjusted.",
            tip="one-sided p of the gain compared with the random gains, not adjusted",
        ),
        replace(Q, sentence="Always missing: p is not adjusted."),
        Column("n_replaced", "int64", "Genes from another expression bin, because their own had too few."),
        Column(
            "mismatch",
            "float64",
            "Mean difference of log expression in control between the genes removed at random and those of the regime.",
        ),
        replace(
            NOTE,
            sentence="Remark on the row, or empty. Models that fit each gene independently cannot differ, and are not "
            "retrained.",
        ),
    ),
)

COUPLING = Table(
    "coupling",
    "spb.tl.coupling",
    "How much retraining changes predictions of the kept genes.",
    "One row per model, regime and kind of rows. Values are not normalized again to the kept genes, which would need "
    "counts.",
    (
        MODEL,
        REGIME,
        Column(
            "rows",
            "str",
            "Which perturbations.",
            label="perturbations",
            tip="whether the model has seen the perturbations in training",
            values={
                "training": "those that the model has seen; for cross-fitted models, from one further fit on all "
                "perturbations, which is not scored",
                "unseen": "the stored predictions of held-out perturbations",
            },
        ),
        Column(
            "shift",
            "float64",
            "Distance of the retrained from the full model, relative to the predicted effect.",
            label="coupling",
            tip="size of the change of predictions by retraining, divided by the size of the predicted effect; 0: no change",
        ),
        Column(
            "shift_seed",
            "float64",
            "The same between two trainings with different seeds.",
            label="coupling of seeds",
            tip="the same change between two trainings with different seeds",
        ),
        N,
        replace(
            NOTE,
            sentence="Reason for a missing value, or empty. The regime ``regressed`` has other values, which are not "
            "compared.",
        ),
    ),
)

TABLES = (RETRAINING, RANKING, RANDOM_REMOVALS, COUPLING)
