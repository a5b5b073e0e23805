"""What was understood of the input: control, batches, symbols, scale, network and left-out cells, in a few lines."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .numbers import count, percent, upper

LABELS = {
    "labels": "Control and labels",
    "scale": "Scale",
    "batches": "Batches",
    "genes": "Genes",
    "split": "Held-out perturbations",
}
GRAPH_KINDS = ("grn_linear", "two_stage")
WARNING = "warning"


def understood(
    check: pd.DataFrame, provenance: Mapping[str, Any], size: Mapping[str, Any], models: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return lines with a ``label`` and ``items``; an item that is a warning has that ``status``."""
    lines = []
    for name, label in LABELS.items():
        rows = check[check["check"] == name]
        if len(rows):
            items = [_item(detail, status) for detail, status in zip(rows["detail"], rows["status"], strict=True)]
            lines.append({"label": label, "items": items})
    symbols = provenance["parameters"]["gene_symbols"]
    lines.append(
        {
            "label": "Gene symbols",
            "items": [_item(f"from the column {symbols} of var" if symbols else "from var_names")],
        }
    )
    if network := _network(provenance["command"], models):
        lines.append({"label": "Gene network", "items": [{"text": network, "status": "ok"}]})
    lines.append({"label": "Cells left out", "items": [_left_out(size)]})
    return lines


def _item(text: str, status: str = "ok") -> dict[str, str]:
    words = text.replace("`", "")
    return {"text": words if "`" in text[:1] else upper(words), "status": status}


def _left_out(size: Mapping[str, Any]) -> dict[str, str]:
    if not size["n_cells"]:
        return _item("not recorded")
    share = size["n_left_out"] / size["n_cells"]
    text = f"{percent(share)} of {count(size['n_cells'])} cells"
    return _item(text, WARNING if share > 0.1 else "ok")


def _network(command: str | None, models: pd.DataFrame) -> str:
    """Return which network graph models used, as far as the command tells."""
    if not command or not models["kind"].isin(GRAPH_KINDS).any():
        return ""
    words = shlex.split(command)
    if "--net" in words[:-1]:
        return Path(words[words.index("--net") + 1]).name
    return "Co-expression in control cells"
