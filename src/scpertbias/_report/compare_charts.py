"""The figures of a comparison: one forest of shares and skills, the map of models, and pairs of models of one screen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .charts.models import QUADRANTS
from .charts.spec import Chart, line, tip
from .compare_rows import ComparedAudit, assessed, forest, interval, pairs

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c564b", "#56b4e9")
LEAST = -1.0
CODE = "spb.compare([a, b], 'compare.html')"


def charts(audits: Sequence[ComparedAudit]) -> list[Chart]:
    """Return the figures that have something to show."""
    colors = {audit.name: COLORS[i % len(COLORS)] for i, audit in enumerate(audits)}
    return [*_forest(audits, colors), *_map(audits, colors), *_pairs(audits)]


def _forest(audits: Sequence[ComparedAudit], colors: dict[str, str]) -> list[Chart]:
    table, _ = forest(audits)
    if table.empty:
        return []
    rows = table.drop(columns="of_skill")
    options = {
        "names": "audit",
        "group": "group",
        "color": "audit",
        "colors": colors,
        "series": [{"field": "estimate", "low": "ci_low", "high": "ci_high"}],
        "texts": [{"field": "text", "title": "estimate (95% CI)"}, {"field": "size", "title": ""}],
        "x": {
            "title": "share, or skill (0 mean baseline, 1 noise ceiling)",
            "refs": [line(0), line(1)],
            "domain": [max(float(np.nanmin([rows["ci_low"].min(), -0.05])) - 0.02, LEAST), 1.05],
        },
        "step": 24,
    }
    tips = [
        tip("group"),
        tip("audit", "audit"),
        tip("estimate", "estimate", interval=("ci_low", "ci_high")),
        tip("size"),
    ]
    reading = "Each row is one audit, and lines are 95% intervals. A share is the part of the response accounted for by a gene set or by the shared axis."
    return [
        Chart(
            "forest",
            "forest",
            "rows",
            "Shares of the response and skills of models",
            reading,
            CODE,
            rows,
            ["audit"],
            tips,
            options,
        )
    ]


def _map(audits: Sequence[ComparedAudit], colors: dict[str, str]) -> list[Chart]:
    """Return skill against specific skill of the models of all audits that do not predict the same for all."""
    parts = [assessed(audit).assign(audit=audit.name) for audit in audits if len(assessed(audit))]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    table = table[table["specific_skill"].notna()] if len(table) else table
    if table.empty:
        return []
    columns = [
        "model",
        "audit",
        "skill",
        "ci_low",
        "ci_high",
        "specific_skill",
        "specific_ci_low",
        "specific_ci_high",
        "n",
    ]
    rows = table[columns].assign(name=table["model"] + " · " + table["audit"])
    ends = {
        key: [max(float(np.nanmin([rows[low].min(), -0.25])) - 0.05, LEAST), 1.08]
        for key, low in (("x", "ci_low"), ("y", "specific_ci_low"))
    }
    axis = {"refs": [line(0), line(1)]}
    options = {
        "x": {"field": "skill", "low": "ci_low", "high": "ci_high", "title": "skill (0 mean baseline, 1 noise ceiling)", "domain": ends["x"], **axis},
        "y": {
            "field": "specific_skill", "low": "specific_ci_low", "high": "specific_ci_high",
            "title": "specific skill (0 none, 1 noise ceiling)", "domain": ends["y"], **axis,
        },
        "quadrants": list(QUADRANTS), "color": "audit", "colors": colors, "text": "name", "always": True, "legend": True,
        "height": 420, "radius": 6,
    }  # fmt: skip
    tips = [
        tip("model"),
        tip("audit", "audit"),
        tip("skill", "skill", interval=("ci_low", "ci_high")),
        tip("specific_skill", "specific skill", interval=("specific_ci_low", "specific_ci_high")),
        tip("n", "n", form="count"),
    ]
    reading = "Each dot is a model of one audit, and lines are 95% intervals. Constant predictions are not drawn."
    return [
        Chart(
            "map",
            "models",
            "scatter",
            "Skill and specific skill of the models",
            reading,
            CODE,
            rows,
            ["model"],
            tips,
            options,
        )
    ]


def _pairs(audits: Sequence[ComparedAudit]) -> list[Chart]:
    """Return paired differences of relative error between all models of one screen."""
    table = pairs(audits)
    table = table[(table["metric"] == "l2_ratio") & (table["n"] > 0)] if len(table) else table
    if table.empty:
        return []
    columns = ["reference", "model", "n", "difference", "ci_low", "ci_high"]
    first = table.rename(columns={"model_a": "reference", "model_b": "model"})[columns]
    turned = {"difference": -table["difference"], "ci_low": -table["ci_high"], "ci_high": -table["ci_low"]}
    second = table.assign(**turned).rename(columns={"model_b": "reference", "model_a": "model"})[columns]
    rows = pd.concat([first, second], ignore_index=True)
    rows = rows.sort_values("difference", kind="stable").reset_index(drop=True)
    values = zip(rows["difference"], rows["ci_low"], rows["ci_high"], strict=True)
    rows["text"] = [interval(*row) if np.isfinite(row[1]) else f"{row[0]:.2f}".replace("-", "−") for row in values]
    rows["size"] = [f"n = {n}" for n in rows["n"]]
    models = list(dict.fromkeys([*table["model_a"], *table["model_b"]]))  # the mean baseline first
    choice = {
        "name": "reference",
        "title": "Reference",
        "of": models,
        "first": models[0],
    }
    options = {
        "names": "model",
        "choose": "reference",
        "series": [{"field": "difference", "low": "ci_low", "high": "ci_high"}],
        "texts": [{"field": "text", "title": "difference (95% CI)"}, {"field": "size", "title": ""}],
        "x": {"title": "relative error minus that of the reference (left is better)", "refs": [line(0)]},
        "choices": [choice],
    }
    tips = [
        tip("model"),
        tip("reference", "reference"),
        tip("difference", "difference", interval=("ci_low", "ci_high")),
        tip("size"),
    ]
    reading = (
        "Only held-out perturbations that both models predict are compared. A model to the left of 0 has a lower relative error "
        "than the model that you choose as reference."
    )
    return [
        Chart(
            "pairs",
            "models",
            "rows",
            "Paired comparison of models of the same screen",
            reading,
            CODE,
            rows,
            ["model"],
            tips,
            options,
        )
    ]
