"""Findings on labels: the control, cells left out, combinations, and possible misinterpretations."""

from __future__ import annotations

from .. import _keys, _moments
from .._labels import cautions
from .._log import some

N_NAMED = 8


def label_findings(screen: _moments.Screen) -> list[tuple[str, str, str]]:
    """Return the findings on labels."""
    rows = [
        (
            "labels",
            "ok",
            f"control: {screen.reference!r}, {int(screen.moments.n[screen.perturbation == 0].sum())} cells",
        )
    ]
    left_out = (screen.record[f"left_out_{field}"] for field in ("kind", "reason", "cells"))
    for kind, reason, n in zip(*left_out, strict=True):
        reason_text = f"label {str(reason)!r}" if kind == _keys.LABEL else reason
        status = "warning" if kind == _keys.SMALL_BATCH else "note"
        rows.append(("labels", status, f"{int(n)} cells left out: {reason_text}"))
    none = without_cells(screen)
    n_all = len(screen.names) - 1 + len(none)
    few = sorted({screen.names[p] for p, ok in zip(screen.perturbation, screen.used, strict=True) if not ok})
    if few:
        least = screen.record["min_cells"]
        detail = f"{len(few)} of {n_all} perturbations are left out, because they have fewer than {least} cells"
        rows.append(("labels", "warning", f"{detail}: {some(few, N_NAMED)}"))
    if none:
        detail = f"{len(none)} of {n_all} perturbations have no usable cells: {some(none, N_NAMED)}"
        rows.append(("labels", "warning", detail))
    combos = sum(len(t) > 1 for t in screen.targets)
    if combos:
        rows.append(("labels", "ok", f"{combos} of {n_all} perturbations are combinations"))
    if screen.labels is not None:
        rows += [("labels", "warning", text) for text in cautions(screen.labels, str(screen.record["groupby"]))]
    return rows


def without_cells(screen: _moments.Screen) -> list[str]:
    """Return the perturbations whose cells were all left out (no control in their batches, no split)."""
    return [str(name) for name in screen.record.get("left_out_perturbations", [])]
