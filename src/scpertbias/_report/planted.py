"""What was planted in a simulated screen, compared with the stored tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .._tables import columns
from .numbers import count, known, number, percent, percent_interval

AXES = {
    "systematic": "share of the response on the shared axis",
    "mt": "share of the response on mitochondrial genes",
    "ribo": "share of the response on ribosomal genes",
    "upr_isr": "share of the response on unfolded-protein-response genes",
}


def planted_table(
    truth: Mapping[str, Any], check: pd.DataFrame, confounding: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return quantity, planted, found: only of what the tables of the check and of the confounding hold."""
    # Only what was left out has a warning.
    used = check[(check["check"] == "perturbation") & (check["status"] != "warning")]
    names = np.asarray(truth["perturbations"], dtype=str)
    inert = dict(zip(names, np.asarray(truth["inert"], dtype=bool), strict=True))
    used = used[used["perturbation"].isin(inert)]
    without = used["perturbation"].map(inert).to_numpy(bool)
    detected = (used["status"] == "ok").to_numpy()
    rows = [
        (
            "perturbations without any effect",
            f"{count(without.sum())} of {count(len(used))}",
            f"{count((without & ~detected).sum())} not detected, {count((without & detected).sum())} detected",
        ),
        (
            "perturbations with an effect",
            f"{count((~without).sum())} of {count(len(used))}",
            f"{count((~without & detected).sum())} detected, {count((~without & ~detected).sum())} not detected",
        ),
        *_knockdown(truth, used, without),
        *_energy(truth, used, names),
        *_shares(truth, confounding),
    ]
    return pd.DataFrame(rows, columns=columns("planted"))


def _knockdown(truth: Mapping[str, Any], used: pd.DataFrame, without: np.ndarray) -> list[tuple[str, str, str]]:
    left = float(truth["parameters"]["knockdown"])
    own = used["perturbation"].isin(np.asarray(truth["genes"], dtype=str)).to_numpy() & ~without
    if left >= 1 or not own.any():
        return []
    falls = [f"{p}↓" in top.split() for p, top in zip(used["perturbation"], used["top_genes"], strict=True)]
    return [
        (
            "perturbations that reduce a measured target gene",
            f"{count(own.sum())}; expression reduced to {percent(left)} of the control",
            f"in {count((own & np.array(falls)).sum())}, the target gene decreases and is among the five strongest genes",
        )
    ]


def _energy(truth: Mapping[str, Any], used: pd.DataFrame, names: np.ndarray) -> list[tuple[str, str, str]]:
    """Squared effects over all perturbations: as planted, and noise-corrected as measured."""
    rows = np.isin(names, used["perturbation"].to_numpy(str))
    energy = float((np.asarray(truth["expected_delta"], dtype=np.float64)[rows] ** 2).sum())
    return [
        (
            "sum of the squared effects of all perturbations",
            number(energy),
            f"{number(float(used['squared_effect'].sum()))} (corrected for noise)",
        )
    ]


def _shares(truth: Mapping[str, Any], confounding: pd.DataFrame | None) -> list[tuple[str, str, str]]:
    """Shares of the response on the planted axes, where the screen shows them."""
    if confounding is None:
        return []
    screen = confounding[(confounding["level"] == "screen") & (confounding["regime"] == "full")].set_index("axis")
    axes = [axis for axis in AXES if axis in screen.index and axis in truth["share"]]
    rows = []
    for axis in axes:
        share, low, high = (float(value) for value in screen.loc[axis, ["share", "ci_low", "ci_high"]])
        rows.append((AXES[axis], percent(float(truth["share"][axis])), _estimate(share, low, high)))
    return rows


def _estimate(share: float, low: float, high: float) -> str:
    """Return a share with its interval, if it has one."""
    return f"{percent(share)} ({percent_interval(low, high)})" if known(low, high) else percent(share)
