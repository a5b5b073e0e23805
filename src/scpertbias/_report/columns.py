"""The columns of the page's tables: where a value lies, what it is called, how it is written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of a page's table: where its value lies, how it is written."""

    key: str
    label: str
    kind: str = "text"
    help: str = ""


DESCRIBED = (
    Column("model", "model", "name"),
    Column("unseen", "what it predicts for a perturbation it has not seen", "prose"),
    Column("citation", "from", "line"),
    Column("n_unpredicted", "cannot predict", "count", "perturbations of the screen"),
)
FINDINGS = (
    Column("check", "about"),
    Column("status", "status", "status"),
    Column("detail", "finding", "prose"),
)
PERTURBATIONS = (
    Column("perturbation", "perturbation", "name"),
    Column("kind", "kind", "line", "the first that holds; models can be judged on specific ones"),
    Column("n_cells", "cells", "count"),
    Column("reproducibility", "reproducibility", "number", "what a repeat of the experiment would correlate"),
    Column("effect", "effect", "number", "length of the effect without noise, log-normalized units"),
    Column("response_share", "share of response", "percent", "of the noise-corrected squared effects of the screen"),
    Column("mt", "on mt", "percent", "share of its effect on mitochondrial genes"),
    Column("ribo", "on ribo", "percent", "share of its effect on ribosomal genes"),
    Column("systematic", "on shared axis", "percent", "share of its effect on the mean response (systematic)"),
    Column("target_gene", "own gene", "text", "the measured target"),
    Column("target_z", "its z", "number", "of the measured target against control"),
    Column("top_genes", "strongest genes", "line", "largest |z| against control, with the direction"),
    Column("detail", "remark", "aside"),
)
RESPONSE = (
    Column("axis", "axis", "name"),
    Column("kind", "kind", "line", "kinds overlap and are never added up"),
    Column("share", "share [95 %]", "percent_interval", "of the response, on this axis alone, without noise"),
    Column("null", "random genes", "percent", "mean share of random sets of equally expressed genes"),
    Column("p", "p", "number", "share of random sets that carry as much"),
    Column("on_systematic", "of shared axis", "percent", "part of the mean response that lies in the set"),
    Column("n_genes", "genes", "count"),
    Column("top_genes", "strongest genes", "line"),
    Column("note", "note", "aside"),
)
SUMMARY = (
    Column("model", "model", "name"),
    Column("metric", "score"),
    Column("n", "n", "count", "held-out perturbations"),
    Column("estimate", "estimate [95 %]", "interval", "mean over held-out perturbations, and its interval"),
    Column("ceiling", "ceiling", "number", "the score of the truth itself"),
    Column("difference_to_mean", "against the mean", "number", "paired difference to the mean baseline"),
    Column("q", "q", "number", "Benjamini–Hochberg, within a model"),
    Column("note", "note", "aside"),
)
REGIMES = (
    Column("model", "model", "name"),
    Column("regime", "regime"),
    Column("n", "n", "count", "held-out perturbations that both predict"),
    Column("full", "trained on all genes", "number", "l2_ratio on the genes of the regime"),
    Column("retrained", "retrained", "number", "l2_ratio on the genes of the regime"),
    Column("gain", "gain [95 %]", "interval", "positive: retraining helps"),
    Column("q", "q", "number", "Benjamini–Hochberg, within a model"),
    Column("note", "note", "aside"),
)
PLANTED = (
    Column("quantity", "quantity", "prose"),
    Column("planted", "planted", "prose"),
    Column("found", "found", "prose"),
)


SPECIFICITY = (
    Column("model", "model", "name"),
    Column("metric", "score"),
    Column("n", "n", "count", "held-out perturbations"),
    Column("score", "own", "number", "predictions scored on their own perturbations"),
    Column("mismatched", "mismatched", "number", "the same predictions on each other's perturbations"),
    Column("specific_gain", "gain [95 %]", "interval", "positive: own predictions are better"),
    Column("q", "q", "number", "Benjamini–Hochberg, within a model"),
    Column("ceiling_gain", "gain of the truth", "number"),
    Column("axis_only", "axis alone", "number", "one half of the cells: what knowing only the shared axis would score"),
    Column("score_half", "model, same half", "number", "to be compared with the axis alone"),
    Column("note", "note", "aside"),
)
RECURRENCE = (
    Column("model", "model", "name"),
    Column("symbol", "gene"),
    Column("count", "count", "count", "perturbations that have it among their five strongest genes"),
    Column("n_perturbations", "of", "count", "held-out perturbations"),
    Column("excess", "beyond data", "number", "count in excess of the observed one"),
    Column("excess_ci_low", "at least", "number", "lower end of its 95 % interval"),
    Column("expected", "by chance", "number", "among genes of the same expression"),
    Column("q", "q", "number", "Benjamini–Hochberg, within a model"),
)
VARIANCE = (
    Column("model", "model", "name"),
    Column("n_perturbations", "n", "count", "held-out perturbations"),
    Column("ratio", "variance ratio [95 %]", "interval", "predicted to observed variance between perturbations"),
    Column("cosine_mean", "cosine with mean", "number", "predicted effects with those of the mean baseline"),
    Column("cosine_control", "cosine with control", "number", "predicted effects with those of the control baseline"),
    Column("collapsed_to", "collapsed to", "text", "a baseline with a cosine above 0.999"),
    Column("note", "note", "aside"),
)
ATTRIBUTION_CHECK = (
    Column("model", "model", "name"),
    Column("flag", "flag", "flag", "ok, or why its attributions say nothing"),
    Column("detail", "finding", "aside"),
)
AGREEMENT = (
    Column("model_a", "model", "name"),
    Column("model_b", "and"),
    Column("n", "n", "count", "perturbations that both have attributions for"),
    Column("spearman", "Spearman [95 %]", "interval", "over genes, mean over perturbations"),
    Column("overlap", "shared top genes", "percent"),
    Column("chance", "by chance", "percent"),
    Column("p", "p", "number", "against genes of the same expression"),
    Column("p_specific", "p, specific", "number", "against other perturbations"),
)
RANDOM = (
    Column("model", "model", "name"),
    Column("regime", "regime"),
    Column("n", "n", "count", "held-out perturbations"),
    Column("n_genes", "genes removed", "count"),
    Column("gain", "gain", "number", "by retraining without the genes of the regime"),
    Column("random_mean", "gain, random genes", "number", "mean over random removals"),
    Column("random_min", "least", "number"),
    Column("random_max", "largest", "number"),
    Column("n_random", "removals", "count"),
    Column("p", "p", "number", "one-sided, not adjusted"),
    Column("note", "note", "aside"),
)
COUPLING = (
    Column("model", "model", "name"),
    Column("regime", "regime"),
    Column("rows", "perturbations", "text", "seen in training, or not"),
    Column("n", "n", "count"),
    Column("shift", "coupling", "number", "how far predictions of the same genes move by retraining; 0: not at all"),
    Column("shift_seed", "by the seed", "number", "the same between trainings with other seeds"),
    Column("note", "note", "aside"),
)
RANKING = (
    Column("model_a", "model", "name"),
    Column("model_b", "and"),
    Column("regime", "regime"),
    Column("n", "n", "count", "held-out perturbations that both predict"),
    Column(
        "full",
        "difference, all genes",
        "number",
        "of l2_ratio, on the genes of the regime; negative: the first is closer",
    ),
    Column("retrained", "difference, retrained", "number", "of the models trained in the regime"),
    Column("order", "order", "text", "kept or reversed where both intervals leave out 0"),
)
TRAINING = (
    Column("model", "model", "name"),
    Column("regime", "regime"),
    Column("epoch", "epoch", "count"),
    Column("best", "best so far", "text", "the weights of the last such epoch are kept"),
)
"""Beside these come the columns of the model's own history: losses, learning rate, seconds, memory."""
