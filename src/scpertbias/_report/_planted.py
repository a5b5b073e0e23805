"""What was planted in a simulated screen, beside what the stored tables found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ._format import count, number, percent


def planted_table(truth: Mapping[str, Any], check: pd.DataFrame) -> pd.DataFrame:
    """Return quantity, planted, found: only of what the table of :func:`scpertbias.pp.check` holds."""
    found = check[(check["check"] == "perturbation") & ~check["detail"].str.startswith("left out")]
    names = np.asarray(truth["perturbations"], dtype=str)
    inert = dict(zip(names, np.asarray(truth["inert"], dtype=bool), strict=True))
    found = found[found["perturbation"].isin(inert)]
    without = found["perturbation"].map(inert).to_numpy(bool)
    reproducible = (found["status"] == "ok").to_numpy()
    rows = [
        (
            "perturbations without any effect",
            f"{count(without.sum())} of {count(len(found))}",
            f"{count((without & ~reproducible).sum())} of them have no reproducible effect, "
            f"{count((without & reproducible).sum())} seem to have one",
        ),
        (
            "perturbations with an effect",
            f"{count((~without).sum())} of {count(len(found))}",
            f"{count((~without & reproducible).sum())} of them have a reproducible effect, "
            f"{count((~without & ~reproducible).sum())} are too weak to show one",
        ),
        *_knockdown(truth, found, without),
        *_energy(truth, found, names),
    ]
    return pd.DataFrame(rows, columns=["quantity", "planted", "found"])


def _knockdown(truth: Mapping[str, Any], found: pd.DataFrame, without: np.ndarray) -> list[tuple[str, str, str]]:
    left = float(truth["parameters"]["knockdown"])
    own = found["perturbation"].isin(np.asarray(truth["genes"], dtype=str)).to_numpy() & ~without
    if left >= 1 or not own.any():
        return []
    falls = [f"{p}↓" in top.split() for p, top in zip(found["perturbation"], found["top_genes"], strict=True)]
    return [
        (
            "measured targets knocked down",
            f"{count(own.sum())}, to {percent(left)} of their expression",
            f"{count((own & np.array(falls)).sum())} have their own gene, falling, among their five strongest",
        )
    ]


def _energy(truth: Mapping[str, Any], found: pd.DataFrame, names: np.ndarray) -> list[tuple[str, str, str]]:
    """Squared effects over all perturbations: as planted, and noise-corrected as measured."""
    rows = np.isin(names, found["perturbation"].to_numpy(str))
    energy = float((np.asarray(truth["expected_delta"], dtype=np.float64)[rows] ** 2).sum())
    return [
        (
            "squared effects, all perturbations",
            number(energy),
            f"{number(float(found['energy'].sum()))}, noise-corrected",
        )
    ]
