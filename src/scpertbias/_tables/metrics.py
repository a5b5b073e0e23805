"""What metrics are worth: scores by functions of one's own, and what each fact about a perturbation scores."""

from __future__ import annotations

from dataclasses import replace

from .._core.probes import PROBES
from .scores import HELD_OUT
from .table import CI_HIGH, CI_LOW, METRIC, MODEL, NOTE, Column, N, P, Table

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
        replace(CI_LOW, sentence="Lower end of the 95% interval of ``scaled``; missing if there is none."),
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

PROBES_TABLE = Table(
    "probes",
    "spb.tl.probes",
    "What each fact about a perturbation is worth by each metric.",
    "One row per probe and metric. Probes are made from half of the cells of a perturbation and judged by the other half.",
    (
        Column(
            "probe",
            "str",
            "What the prediction knows of the perturbation, and nothing else.",
            form="name",
            values=PROBES,
        ),
        replace(METRIC, sentence="Name of the score or of the function."),
        replace(N, sentence="Perturbations that both probe and truth have a score on.", tip=True),
        Column("score", "float64", "Mean score of the probe."),
        replace(BASELINE, sentence="Mean score of the mean baseline; 0.5 for ranks among perturbations."),
        Column("truth", "float64", "Mean score of the truth, observed with the noise of half of the cells.", tip=True),
        replace(
            SCALED,
            sentence="Score on the scale from the mean baseline (0) to the truth (1); missing where there is no room between "
            "them.",
            tip="0: the mean baseline; 1: the truth",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval of ``scaled`` over perturbations; missing if there is none.",
        ),
        CI_HIGH,
        NOTE,
    ),
    regime_at=0,
)

CALIBRATION = Table(
    "calibration",
    "spb.tl.calibrate",
    "How often the audit answers yes on screens without effects, made of the control cells.",
    "One row per question; of some one row per model and score.",
    (
        Column(
            "question",
            "str",
            "What was asked; ``screen``, ``shared``, ``technical``, ``models`` and ``recurrence`` are the verdicts.",
        ),
        replace(MODEL, sentence="Name of the model; empty in questions about the data."),
        replace(
            METRIC, sentence="Name of the score; of a verdict, which answers count: ``yes``, or ``partly or yes``."
        ),
        Column(
            "by",
            "str",
            "What null perturbations are made of.",
            values={"cells": "random control cells", "guides": "random control guides"},
        ),
        replace(N, sentence="Null screens.", label="screens", tip=True),
        Column(
            "rate",
            "float64",
            "Share of the null screens in which the answer is yes; where perturbations or gene sets are counted, the mean "
            "share of these.",
            label="rate (95% CI)",
            form="percent_interval",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval (Wilson); where perturbations or gene sets are counted, of the range over "
            "screens.",
        ),
        CI_HIGH,
        Column("nominal", "float64", "Rate that is expected without effects, at most.", form="percent"),
        Column("flag", "boolean", "Whether the rate is above that (its lower end is)."),
        NOTE,
    ),
)

TABLES = (METRIC_TABLE, PROBES_TABLE, CALIBRATION)
