"""Figures about what metrics reward, genes that recur, attributions, and retraining."""

from __future__ import annotations

import numpy as np

from ...pl._probes import LABELS, by_metric
from ..numbers import fixed, fixed_interval, known
from ..verdicts.base import BASELINE
from ..verdicts.recurrence import tested_genes
from ..wording.terms import without
from .drawing import OBSERVED_COLOR, REST, Drawing
from .spec import Chart, line, tip

GENES_A_MODEL = 8


def probes(d: Drawing) -> list[Chart]:
    """Return what each fact about a perturbation is worth by each metric, as a matrix."""
    table = d.of_full("probes")
    if table.empty or not d.order():
        return []
    wide = by_metric(table)
    values = [round(float(v), 3) if np.isfinite(v) else None for v in wide.to_numpy(np.float64).ravel()]
    options = {
        "matrix": {
            "rows": [name.replace("_", " ") for name in wide.index],
            "columns": [LABELS.get(name, name).replace("\n", " ") for name in wide.columns],
            "groups": [""] * wide.shape[1],
            "layers": {"observed": values},
        },
        "rowKey": "probe",
        "columnKey": "metric",
        "value": "scaled score",
        "positive": "above the baseline",
        "negative": "below the baseline",
        "square": True,
        "most": 1,
    }
    return [
        Chart(
            "probes",
            "probes",
            "heat",
            "Scores of predictions that contain only one property of a perturbation",
            "Each row is an artificial prediction. It contains one property of a perturbation, such as the direction of change, "
            "estimated from half of the cells. Each column is a metric. The score is 0 for the mean baseline and 1 for the true effect. A metric is misleading if it gives scores "
            "above 0 to predictions without information about the perturbation.",
            "spb.pl.probes(mdata)",
            keys=["probe", "metric"],
            options=options,
        )
    ]


def recurrence(d: Drawing) -> list[Chart]:
    """Return the genes that each model ranks most often among the strongest, and how often the data do."""
    table = d.ranked(tested_genes(d.tables))
    if table.empty:
        return []
    table = table.sort_values("count", ascending=False, kind="stable")
    rows = d.ranked(table.groupby("model", sort=False).head(GENES_A_MODEL)).copy()
    rows["observed"] = (rows["count"] - rows["excess"]).to_numpy(np.float64)
    rows["count"] = rows["count"].astype(float)
    rows["panel"] = [f"{model} (n = {n})" for model, n in zip(rows["model"], rows["n_perturbations"], strict=True)]
    rows["text"] = [f"{c:.0f}, data {o:.0f}" for c, o in zip(rows["count"], rows["observed"], strict=True)]
    rows = rows.rename(columns={"symbol": "gene", "gene": "id"})
    options = {
        "names": "gene",
        "group": "panel",
        "color": "model",
        "step": 20,
        "series": [
            {"field": "count", "shape": "bar", "title": "predictions"},
            {"field": "observed", "shape": "diamond", "title": "data", "color": OBSERVED_COLOR},
        ],
        "texts": [{"field": "text", "title": "count"}],
        "x": {"title": "perturbations with the gene among their five strongest", "domain": [0, None]},
    }
    tips = [tip("gene"), tip("model", "model"), tip("count", "predicted", form="count")]
    tips += [tip("observed", "data", form="count"), tip("n_perturbations", "n", form="count")]
    return [
        Chart(
            "recurrence",
            "recurrence",
            "rows",
            "Genes that are most often among the five strongest of a perturbation",
            "A bar is the count in the predictions, and the diamond is the count in the data for the same perturbations. Before "
            "genes are ranked, the mean over perturbations is subtracted. Constant predictions are then 0, and are not drawn.",
            'spb.pl.recurrence(mdata, "centered")',
            rows[["gene", "model", "panel", "count", "observed", "n_perturbations", "text"]],
            ["model", "gene"],
            tips,
            options,
        )
    ]


def agreement(d: Drawing) -> list[Chart]:
    """Return the correlation of attributions between models as a matrix."""
    table = d.of_full("attribution_agreement", perturbation="")
    order = [model for model in d.order() if model in {*table["model_a"], *table["model_b"]}] if len(table) else []
    if len(order) < 2:
        return []
    values = {(a, a): 1.0 for a in order}
    for row in table.to_dict("records"):
        values[row["model_a"], row["model_b"]] = values[row["model_b"], row["model_a"]] = row["spearman"]
    flat = [values.get((a, b)) for a in order for b in order]
    observed = [round(float(v), 4) if v is not None and known(v) else None for v in flat]
    options = {
        "matrix": {"rows": order, "columns": order, "groups": [""] * len(order), "layers": {"observed": observed}},
        "rowKey": "model",
        "columnKey": "model",
        "value": "Spearman correlation",
        "positive": "similar",
        "negative": "opposite",
        "square": True,
        "most": 1,
    }
    return [
        Chart(
            "attribution_agreement",
            "attributions",
            "heat",
            "Agreement of attributions between models",
            "Each value is a Spearman correlation between the attributions of two models over genes, averaged over "
            "perturbations.",
            "spb.pl.attribution_agreement(mdata)",
            keys=["model"],
            options=options,
        )
    ]


def retraining(d: Drawing) -> list[Chart]:
    """Return the gain by retraining in each regime, and the range after as many random genes were removed."""
    table = d.ranked(d.tables["retraining"])
    table = table[(table["metric"] == "l2_ratio") & (table["model"] != BASELINE)] if len(table) else table
    if table.empty:
        return []
    random = d.tables["random_removals"].set_index(["model", "regime"])
    parts = []
    for regime in table["regime"].drop_duplicates():
        rows = d.folded(table[table["regime"] == regime], "gain", "ci_low", "ci_high", "n")
        parts += [{**row, "set": without(regime)} for row in rows.to_dict("records")]
    for part in parts:
        key = (part["model"], part["regime"])
        part["random_min"], part["random_max"] = (
            random.loc[key, ["random_min", "random_max"]] if key in random.index else (np.nan, np.nan)
        )
        ends = f" ({fixed_interval(part['ci_low'], part['ci_high'])})" if known(part["ci_low"], part["ci_high"]) else ""
        part["text"] = fixed(part["gain"]) + ("" if ends == " (0–0)" else ends)
        part["n_text"] = f"{part['n']:.0f}"
    frame = table.head(0).reindex(columns=[*parts[0]])
    rows = type(frame)(parts)
    options = {
        "names": "model",
        "group": "set",
        "color": "model",
        "colors": d.of_names(rows["model"].tolist()),
        "series": [
            {
                "field": "gain",
                "low": "random_min",
                "high": "random_max",
                "shape": "box",
                "title": "gains with random genes removed",
                "color": REST,
            },
            {"field": "gain", "low": "ci_low", "high": "ci_high", "title": "gain by retraining"},
        ],
        "texts": [{"field": "text", "title": "gain (95% CI)"}, {"field": "n_text", "title": "n"}],
        "x": {"title": "reduction of relative error (right is better)", "refs": [line(0)]},
    }
    tips = [tip("model"), tip("set", "retrained"), tip("gain", "gain", interval=("ci_low", "ci_high"))]
    shown_columns = [
        "model",
        "regime",
        "set",
        "gain",
        "ci_low",
        "ci_high",
        "random_min",
        "random_max",
        "n",
        "text",
        "n_text",
    ]
    return [
        Chart(
            "retraining",
            "retraining",
            "rows",
            "Gain by retraining in each regime",
            "To the right of 0, the retrained model has a lower error than the model trained on all genes. The grey box is the "
            "range of gains after removal of the same number of random genes. If a gain lies inside the box, this removal can help as much.",
            "spb.pl.retraining(mdata)",
            rows[shown_columns],
            ["model"],
            [*tips, tip("n", "n", form="count")],
            options,
        )
    ]
