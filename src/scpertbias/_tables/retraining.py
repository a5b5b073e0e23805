"""Effect of retraining without some genes."""

from __future__ import annotations

from dataclasses import replace

from .attribution import MODEL_A, MODEL_B
from .scores import N_EFFECTIVE
from .table import CI_HIGH, CI_LOW, METRIC, MODEL, NOTE, REGIME, Column, N, P, Q, Table

OF_BOTH = replace(
    N,
    sentence="Number of held-out perturbations that both models predict.",
    tip="held-out perturbations that both models predict",
)

RETRAINING = Table(
    "retraining",
    "spb.tl.audit",
    "Change of scores if models are retrained in each regime.",
    "One row per model, regime and metric.",
    (
        MODEL,
        REGIME,
        METRIC,
        replace(
            N,
            sentence="Number of held-out perturbations with a prediction both before and after retraining.",
            tip="held-out perturbations with predictions before and after retraining",
        ),
        N_EFFECTIVE,
        Column(
            "full",
            "float64",
            "Score of the model that was trained on all genes. Only the genes of the regime are scored.",
            label="trained on all genes",
            tip="relative error over the genes of the regime",
        ),
        Column(
            "retrained",
            "float64",
            "Score of the model that was retrained in the regime, over the same genes.",
            tip="relative error over the genes of the regime",
        ),
        Column(
            "gain",
            "float64",
            "``full`` minus ``retrained``; positive if retraining reduces the error.",
            label="gain (95% CI)",
            form="interval",
            tip="positive: retraining reduces the error",
        ),
        CI_LOW,
        CI_HIGH,
        replace(P, sentence="p of ``gain``; missing if not tested."),
        Q,
        NOTE,
    ),
)

RANKING = Table(
    "ranking",
    "spb.tl.audit with models",
    "Whether retraining reverses the order of two models.",
    "One row per regime and pair of models; the mean baseline counts as a model.",
    (
        REGIME,
        MODEL_A,
        MODEL_B,
        METRIC,
        OF_BOTH,
        Column(
            "full",
            "float64",
            "Relative error of ``model_a`` minus relative error of ``model_b``, mean over perturbations. Both models "
            "are trained on all genes, and only the genes of the regime are scored. Negative if ``model_a`` is "
            "better.",
            label="difference before",
            tip="mean difference of the relative errors over the genes of the regime; negative: the first model is better",
        ),
        Column("full_ci_low", "float64", "Lower end of the 95% interval of ``full``."),
        Column("full_ci_high", "float64", "Upper end of the 95% interval of ``full``."),
        Column(
            "retrained",
            "float64",
            "The same difference between the two models, after both are retrained in the regime.",
            label="difference after",
            tip="the same difference after both models are retrained in the regime; negative: the first model is better",
        ),
        Column("retrained_ci_low", "float64", "Lower end of the 95% interval of ``retrained``."),
        Column("retrained_ci_high", "float64", "Upper end of the 95% interval of ``retrained``."),
        Column(
            "order",
            "str",
            "Whether retraining changes the order of the two models.",
            tip="kept or reversed if both intervals exclude 0",
            values={
                "kept": "both intervals exclude 0, on the same side",
                "reversed": "both intervals exclude 0, on opposite sides",
                "same": "both intervals are between −0.0005 and 0.0005",
                "undetermined": "all other cases",
            },
        ),
    ),
)

RANDOM_REMOVALS = Table(
    "random_removals",
    "spb.tl.audit with n_random above 0 and the regime no_mt or no_mt_ribo",
    "Comparison of two retrainings: without confounder genes, and without equally many random genes.",
    "One row per model.",
    (
        MODEL,
        replace(REGIME, sentence="Regime that leaves out the most confounder genes: ``no_mt`` or ``no_mt_ribo``."),
        replace(N, sentence="Number of held-out perturbations.", tip=True),
        Column("n_genes", "int64", "Number of genes that are removed.", label="genes removed"),
        Column("n_random", "int64", "Number of random removals.", label="random removals"),
        Column(
            "gain",
            "float64",
            "Relative error of the model trained on all genes minus relative error of the model retrained in the "
            "regime. Positive if retraining reduces the error.",
            tip="relative error before retraining minus relative error after; positive: retraining reduces the error",
        ),
        Column(
            "random_mean",
            "float64",
            "Mean gain if random genes of the same number and of similar expression are removed instead.",
            label="mean random gain",
            tip="mean gain if the same number of random genes is removed instead",
        ),
        Column(
            "random_min",
            "float64",
            "Smallest gain from a random removal.",
            label="smallest random gain",
        ),
        Column(
            "random_max",
            "float64",
            "Largest gain from a random removal.",
            label="largest random gain",
        ),
        replace(
            P,
            sentence="One-sided p of ``gain``, compared with the gains from random removals; not adjusted for the "
            "number of models. Missing if all gains are below 0.0005.",
            tip="one-sided, not adjusted",
        ),
        replace(Q, sentence="Always missing: p is not adjusted."),
        Column(
            "n_replaced",
            "int64",
            "Number of random genes that come from a lower expression bin, because the matching bin has too few genes.",
        ),
        Column(
            "mismatch",
            "float64",
            "Mean absolute difference in log expression in control between the random genes and the genes that the "
            "regime leaves out.",
        ),
        replace(
            NOTE,
            sentence="Remark on the row, or empty. Models that fit each gene independently are not retrained, "
            "because their predictions cannot change.",
        ),
    ),
)

COUPLING = Table(
    "coupling",
    "spb.tl.coupling",
    "Change of the predictions for the kept genes after retraining without the other genes.",
    "One row per model, regime and group of perturbations. Expression values stay normalized to the total of all "
    "genes, because a new normalization without the removed genes would require counts.",
    (
        MODEL,
        REGIME,
        Column(
            "rows",
            "str",
            "Group of perturbations.",
            label="perturbations",
            tip="seen or not seen in training",
            values={
                "training": "perturbations that the model has seen in training; for these rows, cross-fitted models "
                "are fitted once more on all perturbations",
                "unseen": "held-out perturbations",
            },
        ),
        Column(
            "shift",
            "float64",
            "Distance between the predictions of the retrained model and of the model trained on all genes, relative "
            "to the size of the predicted effect.",
            label="coupling",
            tip="change of the predictions of the kept genes, relative to the predicted effect; 0: no change",
        ),
        Column(
            "shift_seed",
            "float64",
            "The same distance between two trainings on all genes with different seeds.",
            label="coupling of seeds",
            tip="change of the predictions between two trainings on all genes with different seeds",
        ),
        N,
        replace(
            NOTE,
            sentence="Reason for a missing value, or empty. The regime ``regressed`` is not compared, because "
            "covariates are regressed out of its values.",
        ),
    ),
)

TABLES = (RETRAINING, RANKING, RANDOM_REMOVALS, COUPLING)
