"""Figures about the perturbations: how strong and reproducible each is, and which are alike."""

from __future__ import annotations

import pandas as pd

from ..numbers import percent
from .drawing import KIND_COLORS, Drawing
from .spec import Chart, tip

N_NAMED = 12
MOST_SPREAD = 2
"""How much longer than the range of 98% of the perturbations an axis may be."""
PERTURBATION_TIPS = [
    tip("perturbation"),
    tip("kind", "category"),
    tip("effect", "effect"),
    tip("reproducibility", "reproducibility"),
    tip("n_cells", "cells", form="count"),
]


def perturbations(d: Drawing) -> list[Chart]:
    """Return effect size against reproducibility of every perturbation."""
    table = d.tables["perturbations"]
    if table.empty:
        return []
    rows = table[["perturbation", "kind", "n_cells", "reproducibility", "effect", "response_share"]]
    rows = _strongest_first(rows)
    rows["named"] = _named(rows)
    options = {
        "x": {
            "field": "effect",
            "title": "length of the effect, corrected for noise (log-normalized units)",
            "short": "length of the effect (log-normalized units)",
            "domain": [0, None],
        },
        "y": {
            "field": "reproducibility",
            "title": "reproducibility (expected cosine with a repeated experiment)",
            "domain": [0, 1.04],
        },
        "color": "kind",
        "colors": KIND_COLORS,
        "legend": True,
        "text": "named",
        "height": 400,
    }
    return [
        Chart(
            "perturbations",
            "screen",
            "scatter",
            "Effect and reproducibility of every perturbation",
            "Each dot is a perturbation. The strongest perturbations are named if there is space. To evaluate models, choose "
            "perturbations of the category “specific” at the upper right, because their effects are strong and reproducible.",
            "spb.pl.perturbations(mdata)",
            rows,
            ["perturbation"],
            [*PERTURBATION_TIPS, tip("response_share", "share of response", form="percent")],
            options,
        )
    ]


def _strongest_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the order in which the script looks for room for their names."""
    return rows.sort_values("response_share", ascending=False, kind="stable").reset_index(drop=True)


def _inner(values: pd.Series) -> list[float] | None:
    """Return the ends of an axis on which a few extreme values would flatten all others, None where none does."""
    k = max(1, round(0.01 * len(values)))
    low, *_, high = sorted(values)[k:-k]
    room = 0.15 * (high - low)
    ends = [low - room, high + room]
    return ends if values.max() - values.min() > MOST_SPREAD * (ends[1] - ends[0]) else None


def _named(rows: pd.DataFrame) -> list[str]:
    strongest = set(rows.nlargest(N_NAMED, "response_share")["perturbation"])
    return [name if name in strongest else "" for name in rows["perturbation"]]


def embedding(d: Drawing) -> list[Chart]:
    """Return the perturbations on the first two components of their effects."""
    if d.effects is None or len(d.effects.names) < 4:
        return []
    places, explained = d.effects.embedding()
    rows = pd.DataFrame({"perturbation": d.effects.names, "first": places[:, 0], "second": places[:, 1]})
    known_rows = d.tables["perturbations"][
        ["perturbation", "kind", "n_cells", "reproducibility", "effect", "response_share"]
    ]
    rows = rows.merge(known_rows, on="perturbation", how="left").fillna({"kind": "not detected"})
    rows = _strongest_first(rows)
    rows["named"] = _named(rows)
    inner = {name: _inner(rows[name]) for name in ("first", "second")}
    cut = " Triangles at the edge are perturbations outside of the drawn range." if any(inner.values()) else ""
    titles = [
        f"component {i + 1} ({percent(share)} of the variance; log-normalized units)"
        for i, share in enumerate(explained)
    ]
    options = {
        "x": {
            "field": "first",
            "title": titles[0],
            "short": titles[0].replace("; log-normalized units", ""),
            "domain": inner["first"],
        },
        "y": {"field": "second", "title": titles[1], "domain": inner["second"]},
        "color": "kind",
        "colors": KIND_COLORS,
        "legend": True,
        "text": "named",
        "height": 400,
    }
    return [
        Chart(
            "embedding",
            "screen",
            "scatter",
            "Map of the perturbations",
            f"Each dot is a perturbation. Perturbations with similar effects are close to each other.{cut}",
            "spb.pl.embedding(mdata)",
            rows,
            ["perturbation"],
            PERTURBATION_TIPS,
            options,
        )
    ]
