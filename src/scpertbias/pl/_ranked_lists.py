"""Ranked lists, one column per model, with each name to the left of its bar."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ._layout import SMALLEST

NAMES, BARS = 0.46, 0.48  # parts of a column
LONGEST = 13  # letters of a name that fit
ROW_INCHES, COLUMN_INCHES, MARGIN_INCHES = 0.215, 1.9, 1.5
N_COLUMNS = 3  # the least, for which the label fits
SUBTITLE_POINTS = 11  # its height


@dataclass(frozen=True)
class RankedList:
    """One column: names from the top, the length of their bars, marks and titles."""

    title: str
    names: Sequence[str]
    values: npt.NDArray[np.float64]
    color: str
    subtitle: str = ""
    note: str = ""
    diamonds: npt.NDArray[np.float64] | None = None
    hollow: npt.NDArray[np.bool_] | None = None
    ticks: npt.NDArray[np.float64] | None = None
    bold: Sequence[bool] = field(default_factory=tuple)


def size(n_columns: int, n_rows: int) -> tuple[float, float]:
    """Return the width and height at which names fit into rows and columns."""
    return 0.3 + COLUMN_INCHES * max(n_columns, N_COLUMNS), MARGIN_INCHES + ROW_INCHES * n_rows


def draw(ax: Axes, columns: Sequence[RankedList], *, label: str, n_rows: int) -> None:
    """Draw the columns, all on the same scale."""
    largest = max((_largest(column) for column in columns), default=0.0) or 1.0
    scale = BARS / largest
    ticks = [t for t in MaxNLocator(2, steps=[1, 2, 5, 10]).tick_values(0, largest) if 0 <= t <= largest]
    ax.set_xticks(
        [j + NAMES + t * scale for j in range(len(columns)) for t in ticks],
        [f"{t:g}" for _ in columns for t in ticks],
        fontsize=SMALLEST,
    )
    for j, column in enumerate(columns):
        _draw_column(ax, j, column, scale)
    ax.set_xlim(0, len(columns))
    ax.set_ylim(n_rows - 0.4, -0.6)
    ax.set_yticks([])
    ax.set_xlabel(label, fontsize=8.5)
    ax.spines[["top", "right", "left", "bottom"]].set_visible(False)


def _largest(column: RankedList) -> float:
    parts = [p for p in (column.values, column.diamonds, column.ticks) if p is not None and len(p)]
    return max((float(np.nanmax(np.abs(p))) for p in parts), default=0.0)


def _draw_column(ax: Axes, j: int, column: RankedList, scale: float) -> None:
    start, y = j + NAMES, np.arange(len(column.names))
    ax.barh(y, column.values * scale, left=start, height=0.8, color=column.color, alpha=0.55, linewidth=0)
    ax.barh(y, column.values * scale, left=start, height=0.8, fill=False, edgecolor="black", linewidth=0.6)
    ax.plot([start, start], [-0.5, max(len(y), 1) - 0.5], color="black", linewidth=0.8)
    for i, name in enumerate(column.names):
        weight = "bold" if len(column.bold) and column.bold[i] else "normal"
        ax.text(start - 0.035, i, name, va="center", ha="right", fontsize=SMALLEST, fontweight=weight)
    if column.ticks is not None:
        ax.vlines(start + column.ticks * scale, y - 0.4, y + 0.4, colors="black", linestyles="dotted", linewidth=1.6)
    if column.diamonds is not None:
        hollow = np.zeros(len(y), dtype=bool) if column.hollow is None else column.hollow
        faces = np.where(hollow, "white", "black")
        at = start + column.diamonds * scale
        ax.scatter(at, y, marker="D", s=15, c=faces, edgecolors="black", linewidths=0.8, zorder=4, clip_on=False)
    title = textwrap.fill(column.title.replace("_", " "), 16)
    head: dict[str, Any] = {"textcoords": "offset points", "annotation_clip": False, "va": "bottom", "ha": "center"}
    lift = SUBTITLE_POINTS if column.subtitle else 0
    ax.annotate(title, (start, -0.75), (0, lift), fontsize=8.5, fontweight="bold", **head)
    if column.subtitle:
        ax.annotate(column.subtitle, (start, -0.75), (0, 0), fontsize=SMALLEST, **head)
    if not len(column.names):
        ax.text(start + 0.02, 0, column.note, va="center", ha="left", fontsize=SMALLEST, style="italic")


def short(name: str) -> str:
    """Shorten a name to the available space."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
