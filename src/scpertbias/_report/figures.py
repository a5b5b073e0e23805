"""Figures of ``spb.pl`` as inline SVG: text stays text, ids are unique on the page, nothing is loaded."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection
from mudata import MuData

from .. import get, pl
from .._keys import OBSERVED
from .verdicts.recurrence import SCALE

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure


def _recurrence(data: MuData) -> MplFigure:
    """Draw the models that differ between perturbations, each on the perturbations that it predicts."""
    table = get.recurrence(data)
    table = table[(table["regime"] == "full") & (table["by"] == SCALE) & (table["model"] != OBSERVED)]
    models = list(dict.fromkeys(table.loc[table["n_effective_genes"].notna(), "model"]))
    figure: MplFigure = pl.recurrence(data, SCALE, models=models, return_fig=True)
    return figure


class Figure(NamedTuple):
    """One figure: its section, the table without which there is nothing to draw, how it is drawn, how it is read."""

    name: str
    section: str
    table: str
    draw: Callable[[MuData], MplFigure]
    label: str
    reading: str


FIGURES = (
    Figure(
        "perturbations",
        "perturbations",
        "perturbations",
        lambda data: pl.perturbations(data, return_fig=True),
        "Effect and reproducibility of every perturbation",
        "Every dot is a perturbation, the strongest are named. Evaluate models on perturbations at the upper right that "
        "are perturbation-specific.",
    ),
    Figure(
        "confounding",
        "confounding",
        "confounding",
        lambda data: pl.confounding(data, return_fig=True),
        "Share of the response on each axis",
        "A tick shows the share of random genes of similar expression; a set is filled where it accounts for more. A cross "
        "shows the share in a typical perturbation. Sets and directions overlap, so shares do not add up to 100%. "
        "Hallmark sets are drawn where they account for more than random genes.",
    ),
    Figure(
        "l2",
        "scores",
        "summary",
        lambda data: pl.l2(data, return_fig=True),
        "L2 error of every held-out perturbation by model",
        "One dot is one held-out perturbation; lower is better. Compare each box with its dashed line (the mean "
        "baseline) and its dotted line (the noise ceiling).",
    ),
    Figure(
        "l2_ratio",
        "scores",
        "summary",
        lambda data: pl.score(data, "l2_ratio", return_fig=True),
        "L2 error relative to the mean baseline, by model",
        "Below 1, a model has a lower error than the mean of the training perturbations.",
    ),
    Figure(
        "pearson_delta_perturbed",
        "scores",
        "summary",
        lambda data: pl.score(data, "pearson_delta_perturbed", return_fig=True),
        "Correlation of effects beyond the mean of the perturbed, by model",
        "Correlation after the mean of the training perturbations is subtracted from both: it measures how well a model "
        "distinguishes perturbations. The mean baseline scores 0 by construction.",
    ),
    Figure(
        "specificity",
        "specificity",
        "specificity",
        lambda data: pl.specificity(data, return_fig=True),
        "Specific skill, by model",
        "At 0, a model predicts nothing beyond what all perturbations share; 1 is the noise ceiling. Lines are 95% "
        "confidence intervals.",
    ),
    Figure(
        "recurrence",
        "recurrence",
        "summary",
        _recurrence,
        "Genes that are most often among the five strongest, by model",
        "Compare every bar with its diamond, the observed data on the same perturbations. Effects are taken beyond the mean "
        "of the perturbed, so constant predictions are not drawn.",
    ),
    Figure(
        "attribution",
        "attributions",
        "attribution_agreement",
        lambda data: pl.attribution_agreement(data, return_fig=True),
        "Agreement of attributions between models",
        "Above the diagonal: Spearman correlation over genes. Below: overlap of the top genes.",
    ),
    Figure(
        "retraining",
        "retraining",
        "retraining",
        lambda data: pl.retraining(data, return_fig=True),
        "Gain by retraining in each regime, by model",
        "Right of 0, the retrained model has a lower error on the same genes. A grey box is the range of improvements after "
        "removing as many random genes: inside it, the removed genes do not matter.",
    ),
)
MOST_DOTS = 5_000
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "scpertbias",
    "font.family": "sans-serif",
    "font.size": 10,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


def figures(data: MuData, tables: Mapping[str, pd.DataFrame]) -> dict[str, list[dict[str, Any]]]:
    """Return by section the name, caption and SVG of each figure whose table has rows."""
    by_section: dict[str, list[dict[str, Any]]] = {f.section: [] for f in FIGURES}
    for f in FIGURES:
        if tables[f.table].empty:
            continue
        with mpl.rc_context(STYLE):
            figure = f.draw(data)
            try:
                svg = inline_svg(figure, name=f.name, label=f.label)
            finally:
                plt.close(figure)
        by_section[f.section].append({"name": f.name, "label": f.label, "reading": f.reading, "svg": svg})
    return by_section


def inline_svg(figure: MplFigure, *, name: str, label: str) -> str:
    """Return a figure as an ``svg`` element for a page that may hold others."""
    buffer = io.StringIO()
    _thin(figure)
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None}, dpi=144)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    prefix = f"figure-{name.replace('_', '-')}-"
    svg = re.sub(r'(<[^>]*?\s)id="([^"]+)"', rf'\1id="{prefix}\2"', svg)
    svg = (
        svg.replace("url(#", f"url(#{prefix}")
        .replace('xlink:href="#', f'href="#{prefix}')
        .replace("xlink:href", "href")
    )
    head, body = svg.split(">", 1)
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head).groups()  # type: ignore[union-attr]
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}" aria-describedby="reading-{name}" style="width: {float(width) * 4 / 3:.0f}px">'
        f"{body.strip()}"
    )


def _thin(figure: MplFigure) -> None:
    """Draw dots as one picture where there are so many that as shapes they would stall a browser."""
    clouds = [
        (c, len(np.asarray(c.get_offsets())))
        for ax in figure.axes
        for c in ax.collections
        if isinstance(c, PathCollection)
    ]
    if sum(n for _, n in clouds) > MOST_DOTS:
        for cloud, _ in clouds:
            cloud.set_rasterized(True)
