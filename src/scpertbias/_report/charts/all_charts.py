"""All figures of the page, in the order of its sections."""

from __future__ import annotations

from dataclasses import replace

from . import models, others, pairs, response, screen
from .drawing import Drawing
from .spec import Chart

HERO = "hero"
MAKERS = (
    models.skill_map,
    screen.perturbations,
    screen.embedding,
    response.shares,
    response.composition,
    response.heatmap,
    models.skill_forest,
    pairs.comparison,
    models.boxes,
    pairs.specificity,
    pairs.effect_size,
    others.probes,
    others.recurrence,
    others.agreement,
    others.retraining,
)


def charts(drawing: Drawing) -> list[Chart]:
    """Return the figures for which there are rows."""
    every = [chart for maker in MAKERS for chart in maker(drawing)]
    # Where no model can be placed, the first screen shows the perturbations.
    hero = "perturbations" if not any(chart.section == HERO for chart in every) else ""
    return [replace(chart, section=HERO) if chart.name == hero else chart for chart in every]
