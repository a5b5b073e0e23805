"""How accurate models are."""

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


def _sentence(label: str) -> str:
    return label[0].upper() + label[1:]


def _beside(name: str, metric: Metric | DeMetric) -> list[Column]:
    """Return the reference columns of a score: its ceiling and its baseline, of ``l2`` also that one's ceiling."""
    columns = [Column(f"{name}_ceiling", "float64", f"Ceiling of ``{name}``.")] if metric.ceiling else []
    if name != "l2_ratio":  # that of the baseline is 1
        columns.append(Column(f"{name}_baseline", "float64", f"``{name}`` of the baseline."))
    if name == "l2":
        text = "Ceiling of ``l2`` for the baseline; differs from ``l2_ceiling`` for predictions given as changes."
        columns.append(Column("l2_baseline_ceiling", "float64", text))
    return columns


HELD_OUT = replace(N, sentence="Held-out perturbations.", tip=True)

N_EFFECTIVE = Column(
    "n_effective",
    "float64",
    "Perturbations of equal weight on which the estimate would rest as much; under 20, or where ``n`` is under 50, its "
    "interval is approximate.",
    label="effective n",
)

SCORES = Table(
    "scores",
    "spb.tl.score",
    "Scores of every model on every perturbation.",
    "One row per model, perturbation and split. Ceilings are the scores of the data themselves. The baseline is the mean "
    "of the training perturbations, for combinations the additive prediction.",
    (
        MODEL,
        PERTURBATION,
        Column(
            "split", "str", "``test`` if the model has not seen the perturbation, else the split of the row's cells."
        ),
        Column(
            "seen_targets",
            "Int64",
            "Of a held-out combination, how many of its genes are perturbed in training; missing in other rows.",
        ),
        Column("fold", "int64", "Fold that holds the perturbation out; −1 if none does."),
        N_CELLS,
        Column(
            "trained_on",
            "str",
            "Regime in which the model was trained; in an audit each regime also scores the model of ``full``.",
        ),
        *(Column(name, "float64", f"{_sentence(metric.label)}.") for name, metric in ALL_METRICS.items()),
        *(column for name, metric in ALL_METRICS.items() for column in _beside(name, metric)),
        Column(
            "inflation",
            "float64",
            "What noise that predicted and observed effects share adds to ``pearson_delta``; above 0.05 read "
            "``pearson_delta_unshared``.",
        ),
        Column(
            "control_noise",
            "float64",
            "Share of the predicted effect that sampling of the control alone would make; above 0.1 ``pearson_delta`` "
            "rewards the noise of the control.",
        ),
        REPRODUCIBILITY,
        Column(
            "n_de",
            "int64",
            "Differentially expressed genes of the perturbation among the scored ones (q below 0.05), own targets left out; "
            "scores of differential expression need five of them against either half of the control.",
        ),
        Column("detected", "boolean", "Whether an effect of the perturbation is detected (``q`` of 0.05 or less)."),
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
            "Which perturbations.",
            values={
                "all": "all that the model predicts",
                "common": "those that all models predict",
                "detected": "of all those whose effect is detected",
            },
        ),
        replace(
            METRIC,
            sentence="Name of the score; ``l2_skill`` and the like are scaled: 0 is the mean baseline, 1 the noise "
            "ceiling.",
        ),
        HELD_OUT,
        N_EFFECTIVE,
        Column(
            "estimate",
            "float64",
            "Mean over held-out perturbations (of a skill score the ratio of sums).",
            label="estimate (95% CI)",
            form="interval",
            tip="mean over held-out perturbations, and its interval",
        ),
        CI_LOW,
        CI_HIGH,
        Column("ceiling", "float64", "Score of the data themselves.", tip="the score of a perfect prediction"),
        Column(
            "difference_to_mean",
            "float64",
            "Paired difference to the mean baseline; positive is better for every metric.",
            label="better than mean by",
            tip="paired difference to the mean baseline; positive is better",
        ),
        replace(P, sentence="p of that difference; missing where the model is the baseline."),
        Q,
        NOTE,
    ),
    regime_at=1,
)

ERROR_BY_N_GENES = Table(
    "error_by_n_genes",
    "spb.tl.audit with models",
    "Errors over the most expressed genes.",
    "One row per model, subset and number of genes; errors are medians over held-out perturbations.",
    (
        MODEL,
        Column(
            "subset",
            "str",
            "Which perturbations: ``all`` that the model predicts, or those ``common`` to all models.",
        ),
        Column("ranked_by", "str", "What the genes are ranked by: ``control expression``, their mean in control."),
        Column("n_genes", "int64", "Genes that the error is over, from the highest ranked."),
        HELD_OUT,
        Column("l2", "float64", "L2 error.", unit="log-normalized units"),
        Column("l2_baseline", "float64", "L2 error of the mean baseline.", unit="log-normalized units"),
        Column("l2_ceiling", "float64", "L2 error of the data themselves.", unit="log-normalized units"),
        Column("l2_ratio", "float64", "L2 error relative to the mean baseline."),
        Column("l2_ratio_ceiling", "float64", "L2 error of the data themselves relative to the mean baseline."),
    ),
    regime_at=1,
)

TABLES = (SCORES, SUMMARY, ERROR_BY_N_GENES)
