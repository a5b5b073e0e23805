"""Figures of ``spb.pl`` as inline SVG: text stays text, ids are unique on the page, nothing is loaded."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from mudata import MuData

from .. import pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = (
    (
        "l2",
        "L2 error of every held-out perturbation by model",
        "One dot is one held-out perturbation; lower is better. Compare each box with its dashed line, the mean of the "
        "training perturbations, and with its dotted line, the error that the truth itself would get.",
    ),
    (
        "l2_ratio",
        "L2 error relative to the mean baseline, by model",
        "Below 1 a model is closer to the truth than the mean of the training perturbations, above 1 it is farther away.",
    ),
    (
        "pearson_delta_perturbed",
        "Correlation of effects beyond the mean of the perturbed, by model",
        "Correlation after the mean of the training perturbations is taken off both sides: what is left is what "
        "distinguishes one perturbation from the others. The mean baseline scores 0 by construction.",
    ),
)
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "scpertbias",
    "font.family": "sans-serif",
    "font.size": 10,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


def figures(data: MuData) -> list[dict[str, Any]]:
    """Return name, caption and SVG of each figure of the report."""
    made = []
    for metric, label, reading in FIGURES:
        with mpl.rc_context(STYLE):
            figure = pl.l2(data, return_fig=True) if metric == "l2" else pl.score(data, metric, return_fig=True)
            try:
                svg = inline_svg(figure, name=metric, label=label)
            finally:
                plt.close(figure)
        made.append({"name": metric, "label": label, "reading": reading, "svg": svg})
    return made


def inline_svg(figure: Figure, *, name: str, label: str) -> str:
    """Return a figure as an ``svg`` element for a page that may hold others."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    prefix = f"figure-{name.replace('_', '-')}-"
    svg = re.sub(r'(<[^>]*?\s)id="([^"]+)"', rf'\1id="{prefix}\2"', svg)
    svg = svg.replace("url(#", f"url(#{prefix}").replace('xlink:href="#', f'href="#{prefix}')
    head, body = svg.split(">", 1)
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head).groups()  # type: ignore[union-attr]
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}" style="width: {float(width) * 4 / 3:.0f}px">'
        f"{body.strip()}"
    )
