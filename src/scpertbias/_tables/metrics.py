"""What metrics are worth: scores by functions of one's own, and what each fact about a perturbation scores."""

from __future__ import annotations

from dataclasses import replace

from .scores import HELD_OUT
from .table import CI_HIGH, CI_LOW, METRIC, MODEL, NOTE, Column, P, Table

BASELINE = Column("baseline", "float64", "Mean score of the mean baseline.", label="mean baseline")
SCALED = Column(
    "scaled",
    "float64",
    "Score on the scale from the mean baseline (0) to the noise ceiling (1); missing where there is no room between them.",
    label="scaled (95% CI)",
    form="interval",
    tip="0: the mean baseline; 1: the noise ceiling",
)

METRIC_TABLE = Table(
    "metric",
    "spb.tl.metric",
    "Scores by functions of the user.",
    "One row per model and function, over held-out perturbations.",
    (
        MODEL,
        replace(METRIC, sentence="Name of the function."),
        HELD_OUT,
        Column("score", "float64", "Mean score."),
        BASELINE,
        Column("ceiling", "float64", "Mean score of the truth, observed with the noise of the data.", tip=True),
        Column(
            "replicate",
            "float64",
            "Mean score of half of the cells as a prediction of the other half; both halves are noisier than all cells.",
        ),
        SCALED,
        replace(CI_LOW, sentence="Lower end of the 95 % interval of ``scaled``; missing if there is none."),
        CI_HIGH,
        Column(
            "specific_gain",
            "float64",
            "Mean score of own predictions less that of predictions for other perturbations; positive is better.",
            label="specific gain",
        ),
        replace(P, sentence="p of that gain, from permutations of the predictions among perturbations."),
        NOTE,
    ),
)

TABLES = (METRIC_TABLE,)
