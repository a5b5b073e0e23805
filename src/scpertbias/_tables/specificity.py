"""Specificity, recurrence and variation of predictions."""

from __future__ import annotations

from dataclasses import replace

from .._core import specific_skill
from .scores import HELD_OUT
from .table import CI_HIGH, CI_LOW, GENE, METRIC, MODEL, NOTE, SYMBOL, Column, P, Q, Table

N_PERTURBATIONS = Column("n_perturbations", "int64", "Number of held-out perturbations.", tip=True)

PERTURBATION_SPECIFIC = specific_skill.PERTURBATION_SPECIFIC
SPECIFIC_ABOVE = specific_skill.SPECIFIC
"""Predictions are perturbation-specific if the whole interval of their specific skill is above this value."""

SPECIFICITY = Table(
    "specificity",
    "spb.tl.specificity",
    "Scores of predictions on their own perturbations, compared with their scores on other perturbations.",
    "One row per model (``observed`` is the data) and metric.",
    (
        MODEL,
        replace(
            METRIC,
            sentence="Name of the score. ``specific_skill``: skill score after two shared axes are removed from "
            "predicted and observed effects. These axes are the mean effect of the training perturbations, and the "
            "direction in which predictions differ most. The score is 0 if only these axes are predicted, and 1 at the "
            "noise ceiling. ``specific_slope``: factor that brings the "
            "remaining predicted effects closest to the remaining observed effects. ``specific_fitted``: "
            "specific skill of the predicted effects after multiplication by this factor. ``l2`` "
            "(log-normalized units; lower is better), ``pearson_delta`` and ``pearson_delta_perturbed``: "
            "see :func:`scpertbias.tl.score`. ``off_axis``: correlation between predicted and observed "
            "effects after the mean effect of the training perturbations is removed. ``off_share``: share "
            "of the squared predicted effects that remains after the mean effect is removed.",
        ),
        HELD_OUT,
        Column(
            "category",
            "str",
            "Summary of the three ``specific_*`` scores and their intervals, in the row of ``specific_skill``. Empty "
            "in all other rows, and if there is no interval.",
            values={
                PERTURBATION_SPECIFIC: "the interval of ``specific_skill`` is above 0.05",
                "right direction, wrong size": "that of ``specific_fitted`` is above 0.05, and that of "
                "``specific_slope`` above 0",
                "not specific": "all other models",
                "": "",
            },
        ),
        Column(
            "score",
            "float64",
            "Mean score if each prediction is compared with its own perturbation.",
            label="own perturbation",
            tip="predictions scored on their own perturbations",
        ),
        Column(
            "mismatched",
            "float64",
            "Mean score if each prediction is compared with other held-out perturbations.",
            label="other perturbations",
            tip="mean score of predictions on other perturbations",
        ),
        Column(
            "specific_gain",
            "float64",
            "Difference between ``score`` and ``mismatched``; positive if predictions fit their own perturbation "
            "better than other perturbations.",
            label="gain (95% CI)",
            form="interval",
            tip="positive: predictions are better on their own perturbation than on others",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval of ``specific_gain``; in rows of ``specific_*``, of ``score``. "
            "Missing for ``off_share``, and with fewer than ten perturbations.",
        ),
        CI_HIGH,
        replace(P, sentence="p of ``specific_gain``, from permutations of the predictions among perturbations."),
        Q,
        Column("ceiling", "float64", "Noise ceiling of ``score``: the score of a perfect prediction."),
        Column(
            "ceiling_mismatched",
            "float64",
            "Mean score of perfect predictions if each is compared with other perturbations.",
        ),
        Column(
            "ceiling_gain",
            "float64",
            "Difference between ``ceiling`` and ``ceiling_mismatched``.",
            label="ceiling of the gain",
        ),
        Column(
            "score_half",
            "float64",
            "Score of the model on one half of the cells, for comparison with ``axis_only``.",
            label="score on half of the cells",
            tip="score of the model on one half of the cells, for comparison with a prediction of the shared axis only",
        ),
        Column(
            "axis_only",
            "float64",
            "Score of a prediction that contains only the position of each perturbation on the shared axis. This "
            "position is estimated from one half of the cells, and the prediction is scored on the other half.",
            label="shared axis only",
            tip="score, on one half of the cells, of a prediction that contains only the position on the shared axis",
        ),
        NOTE,
    ),
    regime_at=1,
)

RECURRENCE = Table(
    "recurrence",
    "spb.tl.recurrence",
    "Number of perturbations in which each gene is among the genes with the strongest effects.",
    "One row per model (including ``observed``), scale and gene. Genes that are never among the strongest are left "
    "out. Only ``observed`` has p-values.",
    (
        MODEL,
        Column(
            "by",
            "str",
            "Scale on which effects are ranked.",
            values={
                "delta": "difference from control",
                "z": "difference from control, divided by the standard error of the observed effect",
                "centered": "recommended: difference from the mean over perturbations (for a model, over its "
                "predictions), divided by the standard error of the observed effect",
            },
        ),
        GENE,
        Column(
            "count",
            "int64",
            "Number of perturbations in which the gene is among the strongest genes.",
            tip="perturbations in which the gene is among the five strongest genes",
        ),
        replace(N_PERTURBATIONS, label="of perturbations"),
        Column(
            "expected",
            "float64",
            "Expected ``count`` if the strongest genes of each perturbation are replaced by random genes of similar "
            "expression.",
            label="expected by chance",
            tip="expected count if the strongest genes are random genes of similar expression",
        ),
        Column(
            "excess",
            "float64",
            "``count`` of the model minus the ``count`` of ``observed``; missing for ``observed``.",
            label="more than in data",
            tip="count in the predictions minus count in the data",
        ),
        Column(
            "excess_ci_low",
            "float64",
            "Lower end of the 95% interval of ``excess`` (Agresti–Caffo), simultaneous for all genes (Bonferroni).",
            label="at least more",
            tip="lower end of the 95% interval of the difference between predictions and data",
        ),
        Column("excess_ci_high", "float64", "Upper end of that interval.", label="at most more"),
        replace(P, sentence="p of ``count``, for ``observed`` only; missing on the scale ``delta``."),
        replace(
            Q,
            sentence="p adjusted over the genes (Benjamini–Hochberg). On the scale ``z``, ``q`` is computed only if "
            "there are at least five times as many control cells as cells per perturbation (median).",
        ),
        Column(
            "n_effective_genes",
            "float64",
            "Effective number of different genes among the strongest genes of all perturbations. It equals the actual "
            "number if all these genes are equally frequent.",
        ),
        NOTE,
        SYMBOL,
    ),
    regime_at=1,
)

VARIANCE_RATIO = Table(
    "variance_ratio",
    "spb.tl.variance_ratio",
    "Variance of predictions between perturbations, compared with the observed variance.",
    "One row per model, and one per model and gene. Standard deviations are computed around the mean of each fold, "
    "because the means of folds differ. If any fold has fewer than 5 perturbations, the mean of all perturbations is "
    "used instead.",
    (
        MODEL,
        Column("level", "str", "What the row is about.", values={"screen": "all genes", "gene": "one gene"}),
        replace(GENE, sentence="Name of the gene in the data; empty in rows about all genes."),
        replace(N_PERTURBATIONS, label="n"),
        Column(
            "sd_predicted",
            "float64",
            "Standard deviation of the predictions between perturbations.",
            unit="log-normalized units",
        ),
        Column(
            "sd_observed",
            "float64",
            "Observed standard deviation between perturbations, corrected for sampling noise.",
            unit="log-normalized units",
        ),
        Column(
            "ratio",
            "float64",
            "Predicted divided by observed standard deviation. In rows about all genes, it is computed from variances "
            "that are summed over genes. In rows about one gene, it is missing unless the observed variance is above "
            "twice its standard error.",
            label="spread ratio (95% CI)",
            form="interval",
            tip="predicted divided by observed standard deviation between perturbations",
        ),
        CI_LOW,
        CI_HIGH,
        Column(
            "cosine_mean",
            "float64",
            "Cosine between the predictions and the mean baseline, after the control mean is subtracted from both.",
            label="cosine with mean",
            tip="cosine between predictions and the mean baseline, after the control mean is subtracted from both",
        ),
        Column(
            "cosine_control",
            "float64",
            "Cosine between the predictions and the control mean, after the mean baseline is subtracted from both.",
            label="cosine with control",
            tip="cosine between predictions and the control mean, after the mean baseline is subtracted from both",
        ),
        Column(
            "collapsed_to",
            "str",
            "``mean`` or ``no_change``, the nearer baseline, if the predicted effects are nearly a multiple of the "
            "mean effect (a cosine is above 0.999); otherwise empty.",
            label="same as",
            tip="nearer baseline, if predicted effects are a multiple of the mean effect (cosine above 0.999)",
        ),
        NOTE,
        replace(SYMBOL, sentence="Symbol of the gene; empty in rows about all genes."),
    ),
    regime_at=1,
)

TABLES = (SPECIFICITY, RECURRENCE, VARIANCE_RATIO)
