"""Tables about metrics: scores by user-defined functions, probes, and calibration."""

from __future__ import annotations

from dataclasses import replace

from .._core.probes import PROBES
from .scores import HELD_OUT
from .table import CI_HIGH, CI_LOW, METRIC, MODEL, NOTE, Column, N, P, Table

BASELINE = Column("baseline", "float64", "Mean score of the mean baseline.", label="mean baseline")
SCALED = Column(
    "scaled",
    "float64",
    "Score on a scale where the mean baseline is 0 and the noise ceiling is 1; missing if the two are not "
    "significantly different.",
    label="scaled (95% CI)",
    form="interval",
    tip="0: the mean baseline; 1: the noise ceiling",
)

METRIC_TABLE = Table(
    "metric",
    "spb.tl.metric",
    "Scores from user-defined functions.",
    "One row per model and function, over held-out perturbations.",
    (
        MODEL,
        replace(METRIC, sentence="Name of the function."),
        HELD_OUT,
        Column("score", "float64", "Mean score."),
        BASELINE,
        Column(
            "ceiling",
            "float64",
            "Noise ceiling: estimated mean score of a perfect prediction, given the noise of the data.",
            tip=True,
        ),
        Column(
            "replicate",
            "float64",
            "Mean score if the effects in one half of the cells are the prediction of the effects in the other half. "
            "Each half is noisier than all cells together.",
        ),
        SCALED,
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval of ``scaled``; missing if ``scaled`` is missing or "
            "has no interval.",
        ),
        CI_HIGH,
        Column(
            "specific_gain",
            "float64",
            "Mean score of predictions on their own perturbation, minus their mean score on other perturbations. "
            "Positive values mean that predictions are better on their own perturbation.",
            label="specific gain",
        ),
        replace(P, sentence="p of ``specific_gain``, from permutations of the predictions among perturbations."),
        NOTE,
    ),
)

PROBES_TABLE = Table(
    "probes",
    "spb.tl.probes",
    "Scores of probes: predictions that contain a single piece of information about each perturbation.",
    "One row per probe and metric. A probe is computed from half of the cells of each perturbation, and scored on the "
    "other half.",
    (
        Column(
            "probe",
            "str",
            "Name of the probe.",
            form="name",
            values=PROBES,
        ),
        replace(METRIC, sentence="Name of the score or of the function."),
        replace(
            N, sentence="Number of perturbations for which both the probe and the true effect have a score.", tip=True
        ),
        Column("score", "float64", "Mean score of the probe."),
        replace(
            BASELINE, sentence="Mean score of the mean baseline; 0.5 for scores that are ranks among perturbations."
        ),
        Column(
            "truth",
            "float64",
            "Estimated mean score of the true effect, given the noise of half of the cells.",
            tip=True,
        ),
        replace(
            SCALED,
            sentence="Score on a scale where the mean baseline is 0 and the true effect is 1; missing if the two "
            "are not significantly different.",
            tip="0: the mean baseline; 1: the true effect",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval of ``scaled`` over perturbations; missing if ``scaled`` is "
            "missing or has no interval.",
        ),
        CI_HIGH,
        NOTE,
    ),
    regime_at=0,
)

CALIBRATION = Table(
    "calibration",
    "spb.tl.calibrate",
    "How often the audit answers yes on null screens, which consist of control cells and have no effects.",
    "One row per question, and for some questions one per model and score.",
    (
        Column(
            "question",
            "str",
            "The question; ``screen``, ``shared``, ``technical``, ``models`` and ``recurrence`` are verdicts of the "
            "report.",
        ),
        replace(MODEL, sentence="Name of the model; empty in rows about the data."),
        replace(
            METRIC,
            sentence="Name of the score. For a verdict: the answers that count as yes (``yes``, or ``partly or yes``).",
        ),
        Column(
            "by",
            "str",
            "How a null perturbation is made.",
            values={"cells": "from random control cells", "guides": "from all cells of random control guides"},
        ),
        replace(N, sentence="Number of null screens.", label="screens", tip=True),
        Column(
            "rate",
            "float64",
            "Share of the null screens with the answer yes. For questions about single perturbations or gene sets: "
            "share of the perturbations or gene sets with the answer yes, averaged over the null screens.",
            label="rate (95% CI)",
            form="percent_interval",
        ),
        replace(
            CI_LOW,
            sentence="Lower end of the 95% interval (Wilson). For questions about single perturbations or gene sets: "
            "2.5% quantile over the null screens.",
        ),
        CI_HIGH,
        Column("nominal", "float64", "Largest rate that is expected without effects.", form="percent"),
        Column("flag", "boolean", "Whether ``ci_low`` is above ``nominal``."),
        NOTE,
    ),
)

TABLES = (METRIC_TABLE, PROBES_TABLE, CALIBRATION)
