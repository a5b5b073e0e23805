"""The scorecard of models as the page shows it: numbers as text, and a bar from the mean baseline to the noise ceiling."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .numbers import GAP, TINY, between, fixed, known, short
from .verdicts.scorecard import Standing

LEAST, MOST, WIDTH, HEIGHT = -0.6, 1.1, 120.0, 18.0


WITHOUT_VERDICT = (Standing.NONE, Standing.UNLINKED)


def card_rows(card: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the scorecard's rows with their numbers as text; constant predictions are one row, named together."""
    constant = card["kind"] == Standing.CONSTANT
    rows = [_card_row(row) for row in card[~constant].to_dict("records")]
    if not constant.any():
        return rows
    first = card[constant].iloc[0].to_dict()
    skills = card.loc[constant, "skill"]
    ends = sorted({short(skills.min()), short(skills.max())}, key=len)
    folded = {**_card_row(first), "model": ", ".join(card.loc[constant, "model"]), "n": card.loc[constant, "n"].max()}
    if len(ends) > 1:
        folded |= {"bar": "", "way": [f"range {short(skills.min())} to {short(skills.max())}"]}
    last = [row for row in rows if row["kind"] in WITHOUT_VERDICT]
    return [*(row for row in rows if row["kind"] not in WITHOUT_VERDICT), folded, *last]


def _card_row(row: dict[str, Any]) -> dict[str, Any]:
    if row["kind"] == Standing.UNLINKED:
        nothing = [GAP]
        return {**row, "bar": "", "way": nothing, "specific": nothing, "recurring": GAP, "retrained": nothing}
    return {
        **row,
        "bar": bar(row["skill"], row["ci_low"], row["ci_high"]),
        "way": [short(row["skill"]), f"({between(row['ci_low'], row['ci_high'], short)})"]
        if known(row["ci_low"], row["ci_high"])
        else [GAP],
        "specific": _estimate(row, "specific_skill", "specific"),
        "recurring": f"{row['n_recurring']:.0f}" if known(row["n_recurring"]) else GAP,
        "retrained": _estimate(row, "regime_gain", "regime"),
    }


def _estimate(row: dict[str, Any], value: str, name: str) -> list[str]:
    estimate, low, high = row[value], row[f"{name}_ci_low"], row[f"{name}_ci_high"]
    if not known(estimate, low, high):
        return [GAP]
    write = short if name == "specific" else fixed
    return ["0"] if max(abs(low), abs(high)) < TINY else [write(estimate), f"({between(low, high, write)})"]


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
