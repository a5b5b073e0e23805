"""Layout: legends below axes, and names next to points without overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import LogFormatterMathtext, NullFormatter, StrMethodFormatter
from matplotlib.transforms import Bbox, ScaledTranslation

SMALLEST = 8
"""Size of the smallest text in any figure, in points."""
GAP_INCHES = 0.08
FAR = 2.5
"""A name is connected to its point by a line if the distance is more than this number of steps."""


def whole_figure(ax: Axes) -> Figure:
    """Return the figure of axes, also if they are in a subfigure."""
    figure = ax.figure
    return figure if isinstance(figure, Figure) else figure.figure


def make_readable(ax: Axes) -> None:
    """Write powers of ten as numbers, take names literally, and wrap titles and labels at the edges of the figure."""
    for axis in (ax.xaxis, ax.yaxis):
        if isinstance(axis.get_major_formatter(), LogFormatterMathtext):
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())
    for text in ax.findobj(Text):
        text.set_parse_math(False)  # names are not formulas, even if they contain $
    titles = [child for child in ax.get_children() if isinstance(child, Text) and child not in ax.texts]
    for text in (*titles, ax.xaxis.label, ax.yaxis.label):
        text.set_wrap("$" not in text.get_text())  # matplotlib reads formulas when it wraps, also if told not to


def lay_out(ax: Axes) -> None:
    """Compute the positions of everything that is drawn so far."""
    make_readable(ax)
    whole_figure(ax).draw_without_rendering()


def legend_below(ax: Axes, handles: Sequence[Any]) -> None:
    """Draw a legend below the axes with their labels, not wider than these, in as many columns as fit.

    Call it last, because the width and height of everything else must be known. The distance from the axes is in inches, so it is the same for axes of any height.
    """
    figure = whole_figure(ax)
    lay_out(ax)
    area = ax.get_tightbbox() or ax.bbox
    center = ax.transAxes.inverted().transform((0.5 * (area.x0 + area.x1), 0))[0]
    inches = (ax.bbox.y0 - area.y0) / figure.dpi + GAP_INCHES
    transform = ax.transAxes + ScaledTranslation(0, -inches, figure.dpi_scale_trans)
    for ncols in range(len(handles), 0, -1):
        legend = ax.legend(
            handles=handles, frameon=False, fontsize="small", ncols=ncols, loc="upper center",
            bbox_to_anchor=(center, 0.0), bbox_transform=transform, borderaxespad=0, columnspacing=1.2,
        )  # fmt: skip
        make_readable(ax)
        if legend.get_window_extent().width < area.width:
            break


def place_names(
    ax: Axes,
    points: Iterable[tuple[float, float]],
    names: Iterable[str],
    *,
    avoid: Iterable[Bbox] = (),
    gap: float = 5.0,
    n_steps: int = 1,
    fontsize: float = SMALLEST,
) -> list[Annotation]:
    """Write each name next to its point, where it overlaps with no other name and no box in ``avoid``.

    Names for which there is no space are left out.

    Parameters
    ----------
    ax
        Axes with their final limits and labels.
    points
        Positions of the points, in data coordinates.
    names
        Name of each point, the most important first.
    avoid
        Boxes to keep free, in pixels.
    gap
        Distance between a name and its point, in points.
    n_steps
        Number of distances to try. A name far from its point is joined to the point by a line.
    fontsize
        Size of the names, in points.
    """
    taken, placed = list(avoid), []
    for (x, y), name in zip(points, names, strict=True):
        text = ax.annotate(
            name, (x, y), (0, 0), textcoords="offset points", fontsize=fontsize, zorder=5, parse_math=False
        )
        for step, up, right in product(range(1, n_steps + 1), (False, True), (True, False)):
            text.set_position((gap if right else -gap, step * gap if up else -step * gap))
            text.set(ha="left" if right else "right", va="bottom" if up else "top")
            box = text.get_window_extent().padded(1)
            if _inside(box, ax.bbox) and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                placed.append(text)
                if step > FAR:
                    _join(ax, text)
                break
        else:
            text.remove()
    return placed


def _inside(box: Bbox, area: Bbox) -> bool:
    return bool(area.x0 <= box.x0 and box.x1 <= area.x1 and area.y0 <= box.y0 and box.y1 <= area.y1)


def _join(ax: Axes, text: Annotation) -> None:
    """Draw a thin line from a point to its name."""
    ax.annotate(
        "", text.xy, text.get_position(), textcoords="offset points", zorder=2,
        arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3},
    )  # fmt: skip
