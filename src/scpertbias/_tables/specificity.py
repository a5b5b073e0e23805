"""Specificity, recurrence and variation of predictions."""

from __future__ import annotations

from dataclasses import replace

from .._core import specific_skill
from .scores import HELD_OUT
from .table import CI_HIGH, CI_LOW, GENE, METRIC, MODEL, NOTE, SYMBOL, Column, P, Q, Table

N_PERTURBATIONS = Column("n_perturbations", "int64", "Held-out perturbations.", tip=True)

PERTURBATION_SPECIFIC = specific_skill.PERTURBATION_SPECIFIC
SPECIFIC_ABOVE = specific_skill.SPECIFIC
"""A specific skill whose whole interval is above it is perturbation-specific."""

SPECIFICITY = Table(
    "specificity",
    "spb.tl.specificity",
    "Scores of predictions on their own perturbation and on others.",
    "One row per model (``observed``: the data themselves) and metric.",
    (
        MODEL,
        replace(
            METRIC,
            sentence="Name of the score. ``specific_skill``: skill score of the effects off the shared axes (0: "
            "nothing predicted, 1: perfect). ``specific_slope``: the factor with which predictions fit best there. "
            "``specific_fitted``: the specific skill with that factor. ``l2`` (log-normalized units; lower is better), "
            "``pearson_delta``, ``pearson_delta_perturbed``, ``off_axis`` (correlation of predicted and observed effects "
            "off the mean effect of the training perturbations). ``off_share``: share of the squared predicted effects "
            "off that axis.",
        ),
        HELD_OUT,
        Column(
            "category",
            "str",
            "Summary of the intervals of the specific skill, its slope and its fit; empty in other rows, and without "
            "an interval.",
            values={
                PERTURBATION_SPECIFIC: f"the specific skill is above {SPECIFIC_ABOVE}",
                "right direction, wrong size": "it is not, but would be with the best factor",
                "not specific": "neither",
                "": "",
            },
        ),
        Column(
            "score",
            "float64",
            "Mean score of predictions on their own perturbation.",
            label="own perturbation",
            tip="mean score of predictions on their own perturbation",
        ),
        Column(
            "mismatched",
            "float64",
            "Mean score of the predictions of other held-out perturbations.",
            label="other perturbations",
            tip="mean score of predictions on other perturbations",
        ),
        Column(
            "specific_gain",
            "float64",
            "Difference of the two; positive if matched predictions are better.",
            label="gain (95% CI)",
            form="interval",
            tip="difference of the two scores; positive: predictions are better on their own perturbation",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval of the gain (in ``specific_*`` rows: of the score); missing for "
            "``off_share`` and with fewer than ten perturbations.",
        ),
        CI_HIGH,
        replace(P, sentence="p by permutation of predictions among perturbations."),
        Q,
        Column("ceiling", "float64", "Score of the data themselves."),
        Column("ceiling_mismatched", "float64", "Score of the data assigned to the wrong perturbations."),
        Column("ceiling_gain", "float64", "Difference of the two.", label="gain of the data"),
        Column(
            "score_half",
            "float64",
            "Score of the model on one half of the cells.",
            label="model on half of cells",
            tip="score of the model on one half of the cells; compare with shared axis alone",
        ),
        Column(
            "axis_only",
            "float64",
            "Score on that half of a prediction that contains only the position on the shared axis, estimated from "
            "the other half.",
            label="shared axis alone",
            tip="score of a prediction that contains only the shared axis, on one half of the cells",
        ),
        NOTE,
    ),
    regime_at=1,
)

RECURRENCE = Table(
    "recurrence",
    "spb.tl.recurrence",
    "In how many perturbations each gene is among the strongest.",
    "One row per model (including ``observed``), scale and gene. Genes that are never among the strongest are left "
    "out. Only the data have p.",
    (
        MODEL,
        Column(
            "by",
            "str",
            "Scale of the effects.",
            values={
                "delta": "difference from control",
                "z": "the same divided by its standard error",
                "centered": "difference from the mean over perturbations (for a model: over its predictions), divided "
                "by its standard error; use this one",
            },
        ),
        GENE,
        Column(
            "count",
            "int64",
            "Perturbations with the gene among their strongest.",
            tip="perturbations with the gene among their five strongest",
        ),
        replace(N_PERTURBATIONS, label="of perturbations"),
        Column(
            "expected",
            "float64",
            "Count expected by chance, for top genes drawn from genes of similar expression.",
            label="expected by chance",
            tip="count expected if strongest genes were drawn from genes of similar expression",
        ),
        Column(
            "excess",
            "float64",
            "Count minus the observed count; missing for ``observed``.",
            label="more than in data",
            tip="count in predictions minus count in the data",
        ),
        Column(
            "excess_ci_low",
            "float64",
            "Lower end of the 95% interval of ``excess`` (Agresti–Caffo), simultaneous for all genes (Bonferroni).",
            label="at least more",
            tip="lower end of the 95% interval of the difference between predictions and data",
        ),
        Column("excess_ci_high", "float64", "Upper end of that interval.", label="at most more"),
        replace(P, sentence="p of the observed count; missing for models and for ``delta``."),
        replace(
            Q,
            sentence="p adjusted over the genes (Benjamini–Hochberg); for ``z`` only with at least five controls per "
            "cell of a perturbation.",
        ),
        Column("n_effective_genes", "float64", "Effective number of different genes among the strongest."),
        NOTE,
        SYMBOL,
    ),
    regime_at=1,
)

VARIANCE_RATIO = Table(
    "variance_ratio",
    "spb.tl.variance_ratio",
    "How much predictions differ between perturbations, compared with the data.",
    "One row per model, and one per model and gene. Standard deviations are relative to the mean of each fold, "
    "because the means of folds differ (relative to the overall mean if folds have fewer than 5 perturbations).",
    (
        MODEL,
        Column("level", "str", "What the row is about.", values={"screen": "all genes", "gene": "one gene"}),
        replace(GENE, sentence="Name of the gene in the data; empty in rows about all genes."),
        replace(N_PERTURBATIONS, label="n"),
        Column(
            "sd_predicted",
            "float64",
            "Predicted standard deviation between perturbations.",
            unit="log-normalized units",
        ),
        Column(
            "sd_observed",
            "float64",
            "Observed standard deviation between perturbations, corrected for noise (from the covariance of two "
            "halves of the cells).",
            unit="log-normalized units",
        ),
        Column(
            "ratio",
            "float64",
            "Ratio of predicted to observed variance, summed over genes; for one gene, ratio of standard deviations, "
            "if its covariance exceeds twice its standard error.",
            label="variance ratio (95% CI)",
            form="interval",
            tip="predicted variance between perturbations divided by the observed variance",
        ),
        CI_LOW,
        CI_HIGH,
        Column(
            "cosine_mean",
            "float64",
            "Cosine of predicted effects with those of the mean baseline.",
            label="cosine with mean",
            tip="cosine between predictions and the mean baseline, both minus the control mean",
        ),
        Column(
            "cosine_control",
            "float64",
            "Cosine of predicted effects with those of the control baseline.",
            label="cosine with control",
            tip="cosine between predictions and the control mean, both minus the mean baseline",
        ),
        Column(
            "collapsed_to",
            "str",
            "Baseline that the model reproduces (cosine above 0.999): ``mean`` or ``no_change``; otherwise empty.",
            label="same as",
            tip="baseline with nearly the same predictions (cosine above 0.999)",
        ),
        NOTE,
        replace(SYMBOL, sentence="Symbol of the gene; empty in rows about all genes."),
    ),
    regime_at=1,
)

TABLES = (SPECIFICITY, RECURRENCE, VARIANCE_RATIO)
