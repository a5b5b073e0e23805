"""Which columns of a table the page shows, in which order."""

from __future__ import annotations

from dataclasses import replace

from .._tables import TABLES, Column

ON_PAGE = {
    ("perturbations", "kind"): (
        "category",
        "the first category that applies; evaluate models on the category “specific”",
    ),
    ("confounding", "carriers"): (
        "main perturbations",
        "the fewest perturbations that together contribute at least 80% of the shared axis",
    ),
    ("balance", "within"): ("tested within", "the adopted column within whose levels this column was tested"),
    ("recurrence", "excess"): ("difference to data", "count in the predictions minus count in the data"),
    ("recurrence", "excess_ci_low"): ("lower end", "lower end of the 95% interval of the difference to data"),
    ("recurrence", "excess_ci_high"): ("upper end", "upper end of the 95% interval of the difference to data"),
    ("coupling", "shift_seed"): (
        "change between seeds",
        "change of the predictions between two trainings on all genes with different seeds; compare with coupling",
    ),
}
"""Labels and explanations of columns that the page has in other words than Python, where their names are shown."""


def _of(table: str, *names: str) -> tuple[Column, ...]:
    columns = TABLES[table].pick(*names)
    words = [ON_PAGE.get((table, column.name), (column.label, column.tip)) for column in columns]
    return tuple(replace(c, label=label, tip=tip) for c, (label, tip) in zip(columns, words, strict=True))


SCORE_NAMES = {
    "l2": "L2 error",
    "l2_ratio": "relative L2 error",
    "l2_skill": "skill (by squared error)",
    "mse_de20": "squared error of the 20 strongest genes",
    "pearson_delta": "correlation of effects",
    "pearson_delta_unshared": "correlation of effects, without shared noise",
    "pearson_delta_perturbed": "correlation beyond the mean",
    "pearson_delta_perturbed_unshared": "correlation beyond the mean, without shared noise",
    "pearson_delta_perturbed_unshared_skill": "skill by correlation beyond the mean",
    "discrimination": "discrimination",
}
"""What scores are called on the page; files keep their codes."""
DESCRIBED = _of("described", "model", "unseen", "citation", "n_unpredicted")
FINDINGS = _of("check", "check", "status", "detail")
LABELS = _of("labels", "label", "meaning", "targets", "n_cells", "reason")
PERTURBATIONS = (
    *_of("perturbations", "perturbation", "kind", "n_cells", "reproducibility", "effect", "response_share"),
    *_of("perturbations", "q", "mt", "ribo", "systematic", "target_gene", "target_log_change", "target_z", "target_q"),
    *_of("perturbations", "top_genes"),
    *(replace(column, label="remark", form="aside") for column in _of("check", "detail")),
)
RESPONSE = tuple(
    replace(column, form="prose") if column.name == "carriers" else column
    for column in _of(
        "confounding",
        *("axis", "set_class", "kind", "share", "typical", "null", "p", "on_systematic", "carriers", "n_genes"),
        *("top_genes", "note"),
    )
)
BALANCE = _of("balance", "column", "status", "share", "p", "untested", "n_levels", "within", "note")
SUMMARY = tuple(
    replace(
        column,
        label="better than baseline by",
        tip="paired difference to the mean baseline (for combinations, to the additive prediction); positive is better",
    )
    if column.name == "difference_to_mean"
    else column
    for column in _of("summary", "model", "metric", "n", "estimate", "ceiling", "difference_to_mean", "note")
)
REGIMES = _of("retraining", "model", "regime", "n", "full", "retrained", "gain", "note")
PLANTED = _of("planted", "quantity", "planted", "found")
SPECIFIC_SKILL = (
    *_of("specificity", "model", "n", "category"),
    *(
        replace(
            c,
            label="specific skill (95% CI)",
            form="interval",
            tip="0: predicts only what all perturbations have in common; 1: noise ceiling",
        )
        for c in _of("specificity", "score")
    ),
    *_of("specificity", "note"),
)
SPECIFICITY = (
    *_of("specificity", "model", "metric", "n", "score", "mismatched", "specific_gain", "ceiling_gain"),
    *_of("specificity", "axis_only", "score_half", "note"),
)
RECURRENCE = _of(
    "recurrence", "model", "symbol", "count", "n_perturbations", "excess", "excess_ci_low", "excess_ci_high", "expected"
)
VARIANCE = _of(
    "variance_ratio", "model", "n_perturbations", "ratio", "cosine_mean", "cosine_control", "collapsed_to", "note"
)
ATTRIBUTION_CHECK = _of("attribution_check", "model", "flag", "detail")
AGREEMENT = _of("attribution_agreement", "model_a", "model_b", "n", "spearman", "overlap", "chance", "p", "p_specific")
RANDOM = (
    *_of("random_removals", "model", "regime", "n", "n_genes", "gain", "random_mean", "random_min", "random_max"),
    *_of("random_removals", "n_random", "p", "note"),
)
COUPLING = _of("coupling", "model", "regime", "rows", "n", "shift", "shift_seed", "note")
RANKING = _of("ranking", "model_a", "model_b", "regime", "n", "full", "retrained", "order")
TRAINING = _of("training", "model", "regime", "epoch", "best")
"""In addition, there are the columns of the model's own history: losses, learning rate, seconds, memory."""

EXTRA = {
    "perturbations": ("target_q", "mt", "ribo", "detail"),
    "confounding": ("kind", "on_systematic", "n_genes"),
    "specificity": ("ceiling_gain", "axis_only", "score_half"),
    "recurrence": ("expected", "excess_ci_high"),
    "variance_ratio": ("cosine_control",),
    "random_removals": ("n_genes", "random_mean"),
}
"""Columns that the page hides at first; its script shows them on request."""
