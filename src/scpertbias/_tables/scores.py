"""Tables of scores."""

from __future__ import annotations

from dataclasses import replace

from .._core.de import DeMetric
from .._core.metrics import ALL_METRICS, Metric
from .table import (
    CI_HIGH,
    CI_LOW,
    METRIC,
    MODEL,
    N_CELLS,
    NOTE,
    PERTURBATION,
    REPRODUCIBILITY,
    Column,
    N,
    P,
    Q,
    Table,
)

SENTENCES = {
    "mse_de20": "Mean squared error over the 20 genes with the strongest observed effects (squared log-normalized "
    "units).",
    "pearson_delta": "Pearson correlation between predicted and observed effects (differences from control).",
    "pearson_delta_perturbed": "Pearson correlation between predicted and observed differences from the mean of the "
    "training perturbations.",
    "pearson_delta_unshared": "``pearson_delta`` without the noise that predicted and observed effects have in common.",
    "pearson_delta_perturbed_unshared": "``pearson_delta_perturbed`` without the noise that predictions and observed "
    "data have in common.",
    "cosine_delta_unshared": "Cosine between predicted and observed effects, without the noise that both have in "
    "common.",
    "l2_ratio": "L2 error divided by the L2 error of the mean baseline.",
    "discrimination": "Share of the other perturbations whose observed mean is farther from the prediction than that "
    "of the predicted perturbation.",
    "de_direction": "Share of the differentially expressed genes whose direction of change is predicted correctly.",
    "de_auprc": "Average precision of genes ranked by predicted change. A hit is a differentially expressed gene that "
    "changes in the predicted direction.",
    "de_spearman": "Rank correlation between predicted and observed changes of the differentially expressed genes.",
    "de_nmae": "Absolute error over the differentially expressed genes, relative to the error of predicting no change.",
}
"""What a score is, if its label on an axis is too short for a description."""


def _sentence(name: str, metric: Metric | DeMetric) -> str:
    return SENTENCES.get(name, f"{metric.label[0].upper()}{metric.label[1:]}.")


def _beside(name: str, metric: Metric | DeMetric) -> list[Column]:
    """Return the reference columns of a score: ceiling and baseline, and for ``l2`` the ceiling of the baseline."""
    columns = [Column(f"{name}_ceiling", "float64", f"Noise ceiling of ``{name}``.")] if metric.ceiling else []
    if name != "l2_ratio":  # that of the baseline is 1
        columns.append(Column(f"{name}_baseline", "float64", f"``{name}`` of the baseline prediction."))
    if name == "l2":
        text = (
            "Noise ceiling of ``l2`` for the baseline. It differs from ``l2_ceiling`` only for external predictions of "
            "changes, or of single cells with batches, because these contain other amounts of control noise."
        )
        columns.append(Column("l2_baseline_ceiling", "float64", text))
    return columns


HELD_OUT = replace(N, sentence="Number of held-out perturbations.", tip=True)

N_EFFECTIVE = Column(
    "n_effective",
    "float64",
    "Effective number of perturbations: lower than ``n`` if a few perturbations dominate the estimate. The interval "
    "is approximate if this number is below 20, or if ``n`` is below 50.",
    label="effective n",
)

SCORES = Table(
    "scores",
    "spb.tl.score",
    "Scores of every model on every perturbation.",
    "One row per model, perturbation and split. A noise ceiling is the score of a perfect prediction. The baseline is "
    "the mean of the training perturbations; for combinations, it is the additive prediction.",
    (
        MODEL,
        PERTURBATION,
        Column(
            "split",
            "str",
            "``test`` if the model has not seen the perturbation; otherwise ``train`` or ``val``, according to the "
            "split of the cells.",
        ),
        Column(
            "seen_targets",
            "Int64",
            "For a held-out combination: number of its target genes that other perturbations of the training data "
            "target, too. Missing for all other perturbations.",
        ),
        Column("fold", "int64", "Fold in which the perturbation is held out; −1 if there is none."),
        N_CELLS,
        Column(
            "trained_on",
            "str",
            "Regime in which the model was trained. In an audit, the model trained on all genes is also scored on "
            "the genes of the other regimes.",
        ),
        *(Column(name, "float64", _sentence(name, metric)) for name, metric in ALL_METRICS.items()),
        *(column for name, metric in ALL_METRICS.items() for column in _beside(name, metric)),
        Column(
            "inflation",
            "float64",
            "Part of ``pearson_delta`` that is due to noise common to predicted and observed effects. If it is above "
            "0.05, use ``pearson_delta_unshared``.",
        ),
        Column(
            "control_noise",
            "float64",
            "Squared sampling error of the control mean, relative to the squared predicted effect. If it is above 0.1, "
            "``pearson_delta`` is too high, because predicted and observed effects contain the same noise of the "
            "control.",
        ),
        REPRODUCIBILITY,
        Column(
            "n_de",
            "int64",
            "Number of scored genes that are differentially expressed (q < 0.05), without the targets. For scores of "
            "differential expression, the perturbation is compared with each half of the control cells; at least one "
            "of these comparisons must have five such genes.",
        ),
        Column("detected", "boolean", "Whether an effect of the perturbation is detected (q at most 0.05)."),
    ),
    regime_at=1,
)

SUMMARY = Table(
    "summary",
    "spb.tl.score",
    "Scores on held-out perturbations.",
    "One row per model, subset and metric, over held-out perturbations.",
    (
        MODEL,
        Column(
            "subset",
            "str",
            "Subset of the held-out perturbations.",
            values={
                "all": "those that the model predicts",
                "common": "those that all models predict",
                "detected": "those in ``all`` whose effect is detected",
            },
        ),
        replace(
            METRIC,
            sentence="Name of the score. Skill scores, such as ``l2_skill``, are scaled: the mean baseline is 0, "
            "the noise ceiling is 1.",
        ),
        HELD_OUT,
        N_EFFECTIVE,
        Column(
            "estimate",
            "float64",
            "Mean over held-out perturbations; for a skill score, a ratio of sums over perturbations.",
            label="estimate (95% CI)",
            form="interval",
            tip="mean over held-out perturbations",
        ),
        CI_LOW,
        CI_HIGH,
        Column(
            "ceiling",
            "float64",
            "Noise ceiling: the score of a perfect prediction.",
            tip="noise ceiling: the score of a perfect prediction",
        ),
        Column(
            "difference_to_mean",
            "float64",
            "Paired difference from the mean baseline. For every metric, positive values mean that the model is "
            "better.",
            label="better than mean by",
            tip="paired difference from the mean baseline; positive: the model is better",
        ),
        replace(P, sentence="p of ``difference_to_mean``; missing if the model is the baseline."),
        Q,
        NOTE,
    ),
    regime_at=1,
)

ERROR_BY_N_GENES = Table(
    "error_by_n_genes",
    "spb.tl.audit with models",
    "Errors over the genes with the highest expression.",
    "One row per model, subset and number of genes; errors are medians over held-out perturbations.",
    (
        MODEL,
        Column(
            "subset",
            "str",
            "Subset of the held-out perturbations. ``all``: those that the model predicts. ``common``: those that "
            "every model predicts.",
        ),
        Column("ranked_by", "str", "Quantity by which genes are ranked: ``control expression``, the mean in control."),
        Column("n_genes", "int64", "Number of genes in the error, starting with the highest value of ``ranked_by``."),
        HELD_OUT,
        Column("l2", "float64", "L2 error.", unit="log-normalized units"),
        Column("l2_baseline", "float64", "L2 error of the mean baseline.", unit="log-normalized units"),
        Column("l2_ceiling", "float64", "Noise ceiling of the L2 error.", unit="log-normalized units"),
        Column("l2_ratio", "float64", "L2 error divided by the error of the mean baseline."),
        Column(
            "l2_ratio_ceiling", "float64", "Noise ceiling of the L2 error divided by the error of the mean baseline."
        ),
    ),
    regime_at=1,
)

TABLES = (SCORES, SUMMARY, ERROR_BY_N_GENES)
