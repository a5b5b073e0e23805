"""Figures about models: where each stands, and how accurate each is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..numbers import TINY, listed
from ..verdicts.scorecard import Standing
from .drawing import ADDITIVE, BASELINE_COLOR, CEILING_COLOR, Drawing, estimate
from .spec import Chart, line, tip

QUADRANTS = (
    "specific, not accurate",
    "accurate and specific",
    "not better than the mean",
    "accurate, not specific",
)
LEAST_SKILL = -1.0
CLOSE = 0.02
"""Constant predictions whose skills are closer than this are one mark."""
PLACES = [
    "model",
    "skill",
    "ci_low",
    "ci_high",
    "specific_skill",
    "specific_ci_low",
    "specific_ci_high",
    "n",
    "verdict",
]


def skill_map(d: Drawing) -> list[Chart]:
    """Return skill against specific skill; constant predictions at one place are one mark."""
    card = d.card[d.card["kind"] != Standing.UNLINKED] if len(d.card) else d.card
    if card.empty:
        return []
    drawn = card[card["skill"].notna() & card["specific_skill"].notna()]
    if drawn.empty:
        return []
    varying = drawn[~drawn["constant"].astype(bool)]
    rows = pd.concat([varying[PLACES], _constants(d, drawn)], ignore_index=True)
    missing = card.loc[~card["model"].isin(drawn["model"]), "model"].tolist()
    do = "is" if len(missing) == 1 else "are"
    note = f"{listed(missing)} {do} not drawn, because the skill or the specific skill is missing." if missing else ""
    lined = rows[["ci_low", "specific_ci_low"]].notna().any(axis=None)
    reading = [
        "Lines are 95% intervals." if lined else "",
        f"Constant predictions have specific skill 0.{d.baseline_note}",
        note,
    ]
    low = min(0.0, float(np.nanmin([rows["ci_low"].min(), -0.25])))
    bottom = float(np.nanmin([rows["specific_ci_low"].min(), -0.25]))
    options = {
        "x": {
            "field": "skill",
            "low": "ci_low",
            "high": "ci_high",
            "title": f"skill (0 {d.baseline}, 1 noise ceiling)",
            "short": "skill (0 baseline, 1 noise ceiling)",
            "domain": [max(low - 0.1, LEAST_SKILL), 1.08],
            "refs": [line(0), line(1)],
        },
        "y": {
            "field": "specific_skill",
            "low": "specific_ci_low",
            "high": "specific_ci_high",
            "title": "specific skill (0 none, 1 noise ceiling)",
            "domain": [max(bottom - 0.08, LEAST_SKILL), 1.08],
            "refs": [line(0), line(1)],
        },
        "quadrants": list(QUADRANTS),
        "color": "model",
        "colors": d.of_names(rows["model"].tolist()),
        "text": "model",
        "always": True,
        "height": 400,
        "radius": 6,
    }
    return [
        Chart(
            "map",
            "hero",
            "scatter",
            "Skill and specific skill",
            " ".join(filter(None, reading)),
            "spb.pl.map(mdata)",
            rows,
            ["model"],
            [
                tip("model"),
                tip("verdict", "verdict"),
                tip("skill", "skill", interval=("ci_low", "ci_high")),
                tip("specific_skill", "specific skill", interval=("specific_ci_low", "specific_ci_high")),
                tip("n", "n", form="count"),
            ],
            options,
        )
    ]


def _constants(d: Drawing, drawn: pd.DataFrame) -> pd.DataFrame:
    """Return one row per place of constant predictions, that of the mean baseline first, without intervals of no length."""
    mean = d.mean_skill.rename(columns={"estimate": "skill"}).assign(verdict="constant prediction")
    rows = [*mean.to_dict("records"), *drawn[drawn["constant"].astype(bool)].to_dict("records")]
    places: list[dict[str, object]] = []
    for row in rows:
        row |= dict.fromkeys(("specific_ci_low", "specific_ci_high"), np.nan) | {"specific_skill": 0.0}
        if not row["ci_high"] - row["ci_low"] > TINY:
            row |= {"ci_low": np.nan, "ci_high": np.nan}
        same = next((place for place in places if abs(float(str(place["skill"])) - row["skill"]) < CLOSE), None)
        if same is None:
            places.append(row)
        else:
            same["model"] = f"{same['model']}, {row['model']}"
    return pd.DataFrame(places, columns=PLACES)


def skill_forest(d: Drawing) -> list[Chart]:
    """Return the skill of every model, by error and by correlation beyond the mean."""
    summary = d.of_full("summary", subset="all") if len(d.tables["summary"]) else d.tables["summary"]
    own = d.ranked(summary[summary["metric"] == "l2_skill"]) if len(summary) else summary
    own = own[(own["model"] != "mean") | (d.baseline == ADDITIVE)] if len(own) else own
    if own.empty:
        return []
    pearson = summary[summary["metric"] == "pearson_delta_perturbed_unshared_skill"].set_index("model")
    columns = ["estimate", "ci_low", "ci_high"]
    rows = own[["model", *columns, "n"]].reset_index(drop=True)
    by_correlation = pearson.reindex(rows["model"])[columns].reset_index(drop=True)
    varying = ~rows["model"].isin(d.constant)
    for column in columns:
        rows[f"correlation_{column}"] = by_correlation[column].where(varying)
    rows = d.folded(rows, *columns, "n")
    rows["text"] = [estimate(*(row[c] for c in columns)) for row in rows.to_dict("records")]
    rows["n_text"] = [f"{int(n)}" for n in rows["n"]]
    refs = [line(0, d.baseline_line), line(1, "noise ceiling")]
    options = {
        "names": "model",
        "color": "model",
        "colors": d.of_names(rows["model"].tolist()),
        "series": [
            {
                "field": "correlation_estimate",
                "low": "correlation_ci_low",
                "high": "correlation_ci_high",
                "shape": "ring",
                "title": "skill by correlation beyond the mean",
                "color": BASELINE_COLOR,
            },
            {"field": "estimate", "low": "ci_low", "high": "ci_high", "title": "skill by squared error"},
        ],
        "texts": [{"field": "text", "title": "skill (95% CI)"}, {"field": "n_text", "title": "n"}],
        "x": {
            "title": f"skill (0 {d.baseline}, 1 noise ceiling)",
            "short": "skill (0 baseline, 1 noise ceiling)",
            "refs": refs,
            "include": [0, 1],
            "domain": _cut(rows, "ci_low"),
        },
        "step": 30,
    }
    return [
        Chart(
            "skill",
            "scores",
            "rows",
            "Skill of every model",
            f"A model to the right of 0 has a lower squared error than the {d.baseline_line}; 1 is the noise ceiling. Lines are "
            f"95% intervals. Rings are skills by correlation beyond the mean; constant predictions have no ring.{d.baseline_note}",
            'spb.pl.score(mdata, "l2_skill")',
            rows,
            ["model"],
            [
                tip("model"),
                tip("estimate", "skill", interval=("ci_low", "ci_high")),
                tip(
                    "correlation_estimate",
                    "skill by correlation",
                    interval=("correlation_ci_low", "correlation_ci_high"),
                ),
                tip("n", "n", form="count"),
            ],
            options,
        )
    ]


def _cut(rows: pd.DataFrame, low: str) -> list[float | None]:
    """Return the ends of an axis of skills: a very bad model is drawn at its left end."""
    return [max(float(np.nanmin([rows[low].min(), rows["estimate"].min(), -0.1])) - 0.05, -1.5), None]


def boxes(d: Drawing) -> list[Chart]:
    """Return L2 errors and correlations beyond the mean of every held-out perturbation, by model."""
    scores = d.ranked(d.scores())
    if scores.empty:
        return []
    ticks = [
        {"field": "baseline", "title": f"median of the {d.baseline}", "color": BASELINE_COLOR},
        {"field": "ceiling", "title": "median noise ceiling", "color": CEILING_COLOR},
    ]
    readings = {
        "l2": (
            "L2 error of every held-out perturbation",
            f"Each dot is a held-out perturbation, and a lower error is better. Compare each box with the {d.baseline_line} and the "
            f"noise ceiling. The error of the noise ceiling is above 0, because the data contain noise.{d.baseline_note}",
            "L2 error (log-normalized units)",
            "spb.pl.l2(mdata)",
        ),
        "pearson_delta_perturbed_unshared": (
            "Correlation beyond the mean, between predicted and observed effects",
            "Each dot is a held-out perturbation. The mean of the training perturbations is subtracted from predictions and "
            "data. The correlation therefore measures how well a model distinguishes between perturbations. Constant predictions are "
            "not drawn.",
            "correlation beyond the mean",
            'spb.pl.score(mdata, "pearson_delta_perturbed_unshared")',
        ),
    }
    charts = []
    for metric, (label, reading, title, code) in readings.items():
        names = {metric: "value", f"{metric}_baseline": "baseline", f"{metric}_ceiling": "ceiling"}
        own = scores if metric == "l2" else scores[~scores["model"].isin(d.same_for_all)]
        table = own[["model", "perturbation", "n_cells", *names]].rename(columns=names)
        if table.empty:
            continue
        options = {
            "names": "model",
            "value": "value",
            "ticks": ticks if metric == "l2" else ticks[1:],
            "x": {"title": title, "refs": [] if metric == "l2" else [line(0)]},
        }
        tips = [tip("perturbation"), tip("model", "model"), tip("value", title), tip("baseline", d.baseline_line)]
        tips += [tip("ceiling", "noise ceiling"), tip("n_cells", "cells", form="count")]
        charts.append(
            Chart(metric, "scores", "boxes", label, reading, code, table, ["model", "perturbation"], tips, options)
        )
    return charts
