"""The argument ``label_map``, which overrides the interpretation of labels: a dict, a file, or one word."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .._files import reading
from .control import nearest

TARGETS, SINGLE = "targets", "single"
MODES = (TARGETS, SINGLE)
LabelMap = Mapping[str, str] | str | os.PathLike[str]


def stored_map(label_map: LabelMap | None) -> str | None:
    """Return a label map as text that can be stored: one of ``MODES``, or JSON; a file is read."""
    if label_map is None or (isinstance(label_map, str) and label_map in MODES):
        return label_map if label_map is None else str(label_map)
    if isinstance(label_map, str) and label_map.startswith("{"):
        return label_map
    if isinstance(label_map, Mapping):
        pairs = {str(label): "" if _is_missing(target) else str(target) for label, target in label_map.items()}
    elif isinstance(label_map, str | os.PathLike):
        pairs = _read_pairs(Path(label_map))
    else:
        msg = (
            f"`label_map` is a {type(label_map).__name__}; pass a mapping of labels to targets, a file with these two "
            f"columns, or one of {list(MODES)}."
        )
        raise TypeError(msg)
    return json.dumps(pairs, ensure_ascii=False)


def _is_missing(target: Any) -> bool:
    return target is None or target != target


def _read_pairs(path: Path) -> dict[str, str]:
    """Return the two columns of a CSV or TSV file; a header has no effect, because no cell has this label."""
    with reading(path), path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file, delimiter="\t" if path.suffix in (".tsv", ".txt") else ",") if row]
    wide = [row for row in rows if len(row) != 2]
    if wide or not rows:
        example = f"; one of its rows is {wide[0]}" if wide else ", but it is empty"
        msg = f"{path} must have two columns, label and target (.csv with commas, .tsv with tabs){example}."
        raise ValueError(msg)
    return {label: target.strip() for label, target in rows}


def effective(raw: Iterable[str], label_map: str | None) -> dict[str, str]:
    """Return the entries of a stored map for labels of the data; a map without any such entry is an error."""
    if label_map is None or label_map in MODES:
        return {}
    pairs: dict[str, str] = json.loads(label_map)
    stripped = {label.strip(): target for label, target in pairs.items()}
    labels = list(raw)
    out = {label: stripped[label.strip()] for label in labels if label.strip() in stripped}
    if not out:
        near = nearest(list(pairs)[:3], labels)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        msg = (
            f"`label_map` matches no label of the data. The labels of `label_map` are {list(pairs)[:5]}; the labels "
            f"of the data are {labels[:5]}.{hint}"
        )
        raise ValueError(msg)
    return out
