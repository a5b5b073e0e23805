"""The scorecard as the page shows it: numbers as text, and a small picture of how far each model comes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ._format import GAP, TINY, fixed, fixed_interval, known, percent, percent_interval

LEAST, MOST, WIDTH, HEIGHT = -0.6, 1.1, 120.0, 18.0


def card_rows(card: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the scorecard's rows with their numbers as text, each with its interval if there is one."""
    return [
        {
            **row,
            "way": [percent(row["skill"]), percent_interval(row["low"], row["high"])]
            if known(row["low"], row["high"])
            else [GAP],
            "specific": _gain(row, "specific"),
            "off_axis": _gain(row, "off_axis"),
            "recurring": f"{row['n_recurring']:.0f}" if known(row["n_recurring"]) else GAP,
            "retrained": _gain(row, "regime"),
        }
        for row in card.to_dict("records")
    ]


def _gain(row: dict[str, Any], name: str) -> list[str]:
    gain, low, high = (row[f"{name}_{part}"] for part in ("gain", "low", "high"))
    if not known(gain, low, high):
        return [GAP]
    return ["0"] if max(abs(low), abs(high)) < TINY else [fixed(gain), fixed_interval(low, high)]


def bar(skill: float, low: float, high: float) -> str:
    """Return a line from the interval's low to its high, with a dot, between the baseline (0) and the ceiling (1)."""
    if not known(skill, low, high):
        return ""
    ends = "".join(
        f'<line x1="{_x(v):.1f}" x2="{_x(v):.1f}" y1="1" y2="{HEIGHT - 1:.0f}" class="{c}"/>'
        for v, c in ((0, "zero"), (1, "one"))
    )
    middle = HEIGHT / 2
    return (
        f'<svg class="bar" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" aria-hidden="true">{ends}'
        f'<line x1="{_x(low):.1f}" x2="{_x(high):.1f}" y1="{middle}" y2="{middle}" class="range"/>'
        f'<circle cx="{_x(skill):.1f}" cy="{middle}" r="3.5"/></svg>'
    )


def _x(value: float) -> float:
    """Return the place of a share on the bar; what lies outside is drawn at its end."""
    return WIDTH * (min(max(value, LEAST), MOST) - LEAST) / (MOST - LEAST)
