"""Figures about the perturbations: how strong and reproducible each is, and which are alike."""

from __future__ import annotations

import pandas as pd

from ..numbers import percent
from .drawing import KIND_COLORS, Drawing
from .spec import Chart, tip

N_NAMED = 12
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
    rows = table[["perturbation", "kind", "n_cells", "reproducibility", "effect", "response_share"]].copy()
    rows["named"] = _named(rows)
    options = {
        "x": {"field": "effect", "title": "length of the effect, without noise", "domain": [0, None]},
        "y": {
            "field": "reproducibility",
            "title": "reproducibility (expected cosine with a repeat)",
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
            "One dot is one perturbation; the strongest are named. Evaluate models on specific perturbations at the upper "
            "right.",
            "spb.pl.perturbations(mdata)",
            rows,
            ["perturbation"],
            [*PERTURBATION_TIPS, tip("response_share", "share of response", form="percent")],
            options,
        )
    ]


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
    rows["named"] = _named(rows)
    titles = [f"component {i + 1} ({percent(share)} of the variance)" for i, share in enumerate(explained)]
    options = {
        "x": {"field": "first", "title": titles[0]},
        "y": {"field": "second", "title": titles[1]},
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
            "Perturbations with similar effects lie close to each other. Those without an effect lie together.",
            "spb.pl.embedding(mdata)",
            rows,
            ["perturbation"],
            PERTURBATION_TIPS,
            options,
        )
    ]
