"""Figures about models: where each stands, how accurate, how specific, compared in pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..verdicts.scorecard import Standing
from .drawing import BASELINE_COLOR, CEILING_COLOR, Drawing, estimate
from .spec import Chart, line, tip

QUADRANTS = (
    "specific but badly scaled",
    "right for the right reason",
    "no better than the mean",
    "accurate but generic",
)
LEAST_SKILL, LEAST_PREDICTED = -1.0, 0.2
SKILL_REFS = [line(0, "mean baseline"), line(1, "noise ceiling")]


def skill_map(d: Drawing) -> list[Chart]:
    """Return skill against specific skill; constant predictions that the baseline equals are one mark at the origin."""
    card = d.card[d.card["kind"] != Standing.UNLINKED] if len(d.card) else d.card
    if card.empty:
        return []
    drawn = card[card["skill"].notna() & card["specific_skill"].notna()]
    rows = drawn[
        ["model", "skill", "ci_low", "ci_high", "specific_skill", "specific_ci_low", "specific_ci_high", "n", "verdict"]
    ]
    at_origin = drawn["constant"].astype(bool) & (drawn["ci_low"] <= 0) & (drawn["ci_high"] >= 0)
    places = ["skill", "ci_low", "ci_high", "specific_skill", "specific_ci_low", "specific_ci_high"]
    names = ["mean", *drawn.loc[at_origin, "model"]]
    origin = {"model": ", ".join(names), "n": int(card["n"].max()), "verdict": "constant prediction"}
    origin |= dict.fromkeys(places, 0.0)
    rows = pd.concat([rows[~at_origin], pd.DataFrame([origin])], ignore_index=True)
    missing = card.loc[~card["model"].isin(drawn["model"]), "model"].tolist()
    note = f" Not drawn, as without an interval: {', '.join(missing)}." if missing else ""
    low = min(0.0, float(np.nanmin([rows["ci_low"].min(), -0.25])))
    bottom = float(np.nanmin([rows["specific_ci_low"].min(), -0.25]))
    options = {
        "x": {
            "field": "skill",
            "low": "ci_low",
            "high": "ci_high",
            "title": "skill (0 mean baseline, 1 noise ceiling)",
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
            "Skill and specific skill of every model",
            f"Lines are 95% intervals.{note}",
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


def skill_forest(d: Drawing) -> list[Chart]:
    """Return the skill of every model, by error and by correlation beyond the mean."""
    summary = d.of_full("summary", subset="all") if len(d.tables["summary"]) else d.tables["summary"]
    own = d.ranked(summary[summary["metric"] == "l2_skill"]) if len(summary) else summary
    own = own[own["model"] != "mean"] if len(own) else own
    if own.empty:
        return []
    pearson = summary[summary["metric"] == "pearson_delta_perturbed_skill"].set_index("model")
    columns = ["estimate", "ci_low", "ci_high"]
    rows = own[["model", *columns, "n"]].reset_index(drop=True)
    by_correlation = pearson.reindex(rows["model"])[columns].reset_index(drop=True)
    varying = ~rows["model"].isin(d.constant)
    for column in columns:
        rows[f"correlation_{column}"] = by_correlation[column].where(varying)
    rows = d.folded(rows, *columns, "n")
    rows["text"] = [estimate(*(row[c] for c in columns)) for row in rows.to_dict("records")]
    rows["n_text"] = [f"{int(n)}" for n in rows["n"]]
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
                "title": "by correlation beyond the mean",
                "color": BASELINE_COLOR,
            },
            {"field": "estimate", "low": "ci_low", "high": "ci_high", "title": "by squared error (skill)"},
        ],
        "texts": [{"field": "text", "title": "skill (95% CI)"}, {"field": "n_text", "title": "n"}],
        "x": {"title": "skill", "refs": SKILL_REFS, "include": [0, 1], "domain": _cut(rows, "ci_low")},
        "step": 30,
    }
    return [
        Chart(
            "skill",
            "scores",
            "rows",
            "Skill of every model",
            "Right of 0, a model has a lower squared error than the mean baseline; 1 is the noise ceiling. Lines are 95% "
            "intervals. The correlation of a constant prediction says nothing, so it is not drawn.",
            'spb.pl.score(mdata, "l2_skill")',
            rows,
            ["model"],
            [
                tip("model"),
                tip("estimate", "skill", interval=("ci_low", "ci_high")),
                tip(
                    "correlation_estimate",
                    "by correlation",
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
        {"field": "baseline", "title": "median of the mean baseline", "color": BASELINE_COLOR},
        {"field": "ceiling", "title": "median noise ceiling", "color": CEILING_COLOR},
    ]
    readings = {
        "l2": (
            "L2 error of every held-out perturbation",
            "One dot is one held-out perturbation; lower is better. Compare each box with the mean baseline and the "
            "noise ceiling, whose error is not 0.",
            "L2 error",
            "spb.pl.l2(mdata)",
        ),
        "pearson_delta_perturbed": (
            "Correlation of effects beyond the mean of the perturbed",
            "The mean of the training perturbations is subtracted from both. This measures how well a model distinguishes "
            "perturbations; the mean baseline scores 0 by construction.",
            "correlation beyond the mean",
            'spb.pl.score(mdata, "pearson_delta_perturbed")',
        ),
    }
    charts = []
    for metric, (label, reading, title, code) in readings.items():
        names = {metric: "value", f"{metric}_baseline": "baseline", f"{metric}_ceiling": "ceiling"}
        table = scores[["model", "perturbation", "n_cells", *names]].rename(columns=names)
        options = {
            "names": "model",
            "value": "value",
            "ticks": ticks if metric == "l2" else ticks[1:],
            "x": {"title": title, "refs": [] if metric == "l2" else [line(0)]},
        }
        tips = [tip("perturbation"), tip("model", "model"), tip("value", title), tip("baseline", "mean baseline")]
        tips += [tip("ceiling", "noise ceiling"), tip("n_cells", "cells", form="count")]
        charts.append(
            Chart(metric, "scores", "boxes", label, reading, code, table, ["model", "perturbation"], tips, options)
        )
    return charts


def comparison(d: Drawing) -> list[Chart]:
    """Return paired differences of relative error on the perturbations that both models predict."""
    pairs = d.of_full("comparison", metric="l2_ratio")
    pairs = pairs[pairs["model_a"].isin(d.order()) & pairs["model_b"].isin(d.order()) & (pairs["n"] > 0)]
    names = {*pairs["model_a"], *pairs["model_b"]}
    models = [model for model in d.order() if model in names]
    if len(models) < 3:
        return []
    columns = ["reference", "model", "n", "difference", "ci_low", "ci_high"]
    first = pairs.rename(columns={"model_a": "reference", "model_b": "model"})[columns]
    turned = {"difference": -pairs["difference"], "ci_low": -pairs["ci_high"], "ci_high": -pairs["ci_low"]}
    second = pairs.assign(**turned).rename(columns={"model_b": "reference", "model_a": "model"})[columns]
    table = pd.concat([first, second], ignore_index=True)
    table = table.sort_values("model", key=lambda s: s.map(models.index), kind="stable").reset_index(drop=True)
    table["text"] = [estimate(r["difference"], r["ci_low"], r["ci_high"]) for r in table.to_dict("records")]
    table["n_text"] = [f"{int(n)}" for n in table["n"]]
    first = "mean" if "mean" in models else models[0]
    options = {
        "names": "model",
        "choose": "reference",
        "color": "model",
        "series": [{"field": "difference", "low": "ci_low", "high": "ci_high"}],
        "texts": [{"field": "text", "title": "difference (95% CI)"}, {"field": "n_text", "title": "n"}],
        "x": {"title": "relative error minus that of the reference (left is better)", "refs": [line(0)]},
        "choices": [{"name": "reference", "title": "Reference", "of": models, "first": first}],
    }
    tips = [
        tip("model"),
        tip("reference", "reference"),
        tip("difference", "difference", interval=("ci_low", "ci_high")),
    ]
    return [
        Chart(
            "comparison",
            "scores",
            "rows",
            "Paired comparison of models",
            "Differences on the perturbations that both models predict, each counted equally. Left of 0, a model has a lower "
            "error than the reference.",
            "spb.pl.comparison(mdata)",
            table,
            ["model"],
            [*tips, tip("n", "n", form="count")],
            options,
        )
    ]


def specificity(d: Drawing) -> list[Chart]:
    """Return the specific skill of every model, joined with that after its effects are scaled as fits best."""
    table = d.of_full("specificity")
    own = d.ranked(table[table["metric"] == "specific_skill"]) if len(table) else table
    own = own[own["score"].notna()] if len(own) else own
    if own.empty:
        return []
    rows = own[["model", "score", "ci_low", "ci_high", "n", "category"]].reset_index(drop=True)
    by_metric = table.pivot_table(index="model", columns="metric", values="score", aggfunc="first", dropna=False)
    fitted = by_metric.reindex(rows["model"])
    rows["fitted"] = fitted["specific_fitted"].to_numpy() if "specific_fitted" in fitted else np.nan
    rows["slope"] = fitted["specific_slope"].to_numpy() if "specific_slope" in fitted else np.nan
    rows = d.folded(rows, "score", "ci_low", "ci_high", "n")
    rows["text"] = [estimate(r["score"], r["ci_low"], r["ci_high"]) for r in rows.to_dict("records")]
    rows["n_text"] = [f"{int(n)}" for n in rows["n"]]
    options = {
        "names": "model",
        "color": "model",
        "colors": d.of_names(rows["model"].tolist()),
        "joined": ["score", "fitted"],
        "series": [
            {"field": "fitted", "shape": "ring", "title": "with the size that fits best"},
            {"field": "score", "low": "ci_low", "high": "ci_high", "title": "specific skill"},
        ],
        "texts": [
            {"field": "text", "title": "specific skill (95% CI)"},
            {"field": "category", "title": "category"},
            {"field": "n_text", "title": "n"},
        ],
        "x": {
            "title": "specific skill",
            "refs": [line(0, "nothing specific"), line(1, "noise ceiling")],
            "domain": [
                max(min(float(np.nanmin([rows["ci_low"].min(), rows["score"].min(), 0])) - 0.05, -0.1), -1.5),
                None,
            ],
        },
        "step": 30,
    }
    tips = [
        tip("model"),
        tip("score", "specific skill", interval=("ci_low", "ci_high")),
        tip("fitted", "with best size"),
    ]
    return [
        Chart(
            "specificity",
            "specificity",
            "rows",
            "Specific skill of every model",
            "At 0, a model predicts nothing beyond what all perturbations share; 1 is the noise ceiling. The ring shows the "
            "skill after predicted effects are multiplied by the factor that fits best.",
            "spb.pl.specificity(mdata)",
            rows,
            ["model"],
            [*tips, tip("slope", "best factor"), tip("n", "n", form="count")],
            options,
        )
    ]


def effect_size(d: Drawing) -> list[Chart]:
    """Return the length of predicted against observed effects of held-out perturbations."""
    effects = d.effects
    models = [model for model in d.order() if effects is not None and model in effects.predicted]
    if effects is None or not models:
        return []
    observed = d.tables["perturbations"].set_index("perturbation")["effect"].reindex(effects.names).to_numpy(np.float64)
    parts = []
    for model in models:
        length = np.linalg.norm(effects.predicted[model], axis=1)
        part = pd.DataFrame({"model": model, "perturbation": effects.names, "observed": observed, "predicted": length})
        parts.append(part[part["predicted"].notna()])
    table = pd.concat(parts, ignore_index=True)
    models = [model for model in models if model in set(table["model"])]
    most = float(np.nanmax(np.concatenate([observed, table["predicted"]])))
    options = {
        "choose": "model",
        "choices": [{"name": "model", "title": "Model", "of": models, "first": models[0]}],
        "color": "model",
        "diagonal": True,
        "height": 380,
        "x": {"field": "observed", "title": "length of the observed effect, without noise", "domain": [0, most * 1.05]},
        "y": {"field": "predicted", "title": "length of the predicted effect", "domain": [0, most * 1.05]},
    }
    return [
        Chart(
            "effect_size",
            "specificity",
            "scatter",
            "Predicted against observed effect size",
            "One dot is one held-out perturbation. On the dashed line, sizes are right. A flat row of dots means that a "
            "model predicts the same size for all perturbations.",
            "spb.pl.effect_size(mdata)",
            table,
            ["model", "perturbation"],
            [tip("perturbation"), tip("model", "model"), tip("observed", "observed"), tip("predicted", "predicted")],
            options,
        )
    ]
