"""Figures about what models predict of single perturbations: compared in pairs, how specific, how large."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .drawing import Drawing, estimate
from .spec import Chart, line, tip

RING = "A ring is the specific skill after the predictions are multiplied by the factor that brings them closest to the data."


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
            "Only perturbations that both models predict are compared; all of them have equal weight. A model to the left of 0 "
            "has a lower relative error than the model that you choose as reference.",
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
            {"field": "fitted", "shape": "ring", "title": "specific skill with the best factor"},
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
        tip("fitted", "with best factor"),
    ]
    return [
        Chart(
            "specificity",
            "specificity",
            "rows",
            "Specific skill of every model",
            "A model at 0 predicts only what all perturbations have in common; 1 is the noise ceiling."
            + (" " + RING if rows["fitted"].notna().any() else ""),
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
        "x": {
            "field": "observed",
            "title": "length of the observed effect, corrected for noise (log-normalized units)",
            "short": "length of the observed effect (log-normalized units)",
            "domain": [0, most * 1.05],
        },
        "y": {
            "field": "predicted",
            "title": "length of the predicted effect (log-normalized units)",
            "domain": [0, most * 1.05],
        },
    }
    return [
        Chart(
            "effect_size",
            "specificity",
            "scatter",
            "Predicted against observed effect size",
            "Each dot is a held-out perturbation. On the dashed line, predicted and observed sizes are equal. A flat row of dots "
            "means that a model predicts effects of the same size for all perturbations.",
            "spb.pl.effect_size(mdata)",
            table,
            ["model", "perturbation"],
            [tip("perturbation"), tip("model", "model"), tip("observed", "observed"), tip("predicted", "predicted")],
            options,
        )
    ]
