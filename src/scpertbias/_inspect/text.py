"""The rows of an inspection as text for a terminal."""

from __future__ import annotations

import textwrap

import pandas as pd

WIDTH = 110
TITLES = {
    "data": "Data",
    "values": "Values",
    "genes": "Genes",
    "obs": "Columns of obs",
    "labels": "Labels",
    "left out": "Left out",
    "note": "Notes",
    "problem": "Problems",
    "command": "Command",
}


def as_text(rows: pd.DataFrame, *, brief: bool = False) -> str:
    """Return the rows by section; ``brief`` leaves out the columns of obs that have no meaning, and the command."""
    if brief:
        rows = rows[(rows["about"] != "command") & ~((rows["about"] == "obs") & (rows["guess"] == ""))]
    lines = []
    for about, title in TITLES.items():
        part = rows[rows["about"] == about]
        if part.empty:
            continue
        lines.append(title)
        if about in ("note", "problem"):
            lines += [
                textwrap.fill(f"- {text}", WIDTH, initial_indent="  ", subsequent_indent="    ")
                for text in part["detail"]
            ]
        elif about == "command":
            lines += [f"  {text}" for text in part["detail"]]  # one line each, to be copied
        else:
            name, guess = (min(int(part[c].str.len().max()), 36) for c in ("name", "guess"))
            for row in part.itertuples(index=False):
                start = f"  {row.name:<{name}}  {row.guess:<{guess}}" if guess else f"  {row.name:<{name}}"
                lines.append(f"{start}  {textwrap.shorten(str(row.detail), WIDTH, placeholder=' …')}".rstrip())
    return "\n".join(lines)
