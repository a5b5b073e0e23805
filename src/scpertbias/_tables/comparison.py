"""Models compared with each other."""

from __future__ import annotations

from dataclasses import replace

from .scores import N_EFFECTIVE
from .table import CI_HIGH, CI_LOW, METRIC, MODEL, NOTE, Column, N, P, Q, Table

COMPARISON = Table(
    "comparison",
    "spb.tl.score",
    "Paired differences between models.",
    "One row per pair of models and score, over the held-out perturbations that both predict.",
    (
        replace(MODEL, name="model_a", label="model", sentence="Name of a model."),
        replace(MODEL, name="model_b", label="other model", sentence="Name of the model that it is compared with."),
        METRIC,
        replace(N, sentence="Held-out perturbations that both models predict.", tip=True),
        N_EFFECTIVE,
        Column(
            "difference",
            "float64",
            "Mean difference between the scores of the two models; positive where ``model_a`` is better, for every "
            "score.",
            label="difference (95% CI)",
            form="interval",
            tip="paired difference; positive if the first model is better",
        ),
        CI_LOW,
        CI_HIGH,
        replace(P, sentence="Paired p of that difference; missing where the two predict the same."),
        replace(Q, sentence="p adjusted over the pairs of models (Benjamini–Hochberg).", tip="over pairs of models"),
        NOTE,
    ),
    regime_at=2,
)

TABLES = (COMPARISON,)
