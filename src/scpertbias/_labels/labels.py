"""The interpretation of a column of labels, and warnings about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from .._core.arrays import IntArray
from .._log import info, some, warn
from .control import NAMED, NEGATIVE
from .forms import CLASS, CLONE, DOSE, GUIDE, TIME
from .words import control_word, holds_control_word

NO_LABEL = "no label"
SEVERAL = "several targets"
CONTROL, TARGET, COMBINATION, UNASSIGNED_LABEL = "control", "target", "combination", "unassigned"
PARTS = (GUIDE, CLONE, DOSE, TIME, CLASS)
"""Meanings of labels that stand for a part of the cells of a target, such as the cells of one guide."""
MEANINGS = (CONTROL, TARGET, COMBINATION, *PARTS, UNASSIGNED_LABEL)
FEW_CELLS, ENOUGH_CELLS = 5, 20
_PLURAL = {
    GUIDE: "guides",
    CLONE: "clones",
    DOSE: "doses",
    TIME: "time points",
    CLASS: "classes of cells (such as KO and NP)",
}


class LabelRow(NamedTuple):
    """One label: its meaning, the perturbation of its cells, its targets, and the reason."""

    label: str
    meaning: str
    name: str
    targets: str
    n_cells: int
    reason: str


COLUMNS = LabelRow._fields


@dataclass(frozen=True)
class Labels:
    """The labels of n cells, read once.

    ``codes`` (n,) index ``names``, −1 where a cell is left out; ``targets`` are the genes of each name; the reference
    is ``names[0]``, and ``controls`` are its labels; ``dropped`` counts the cells left out by reason. ``table`` contains the
    meaning of each label and the reason (``COLUMNS``).
    """

    codes: IntArray
    names: tuple[str, ...]
    targets: tuple[tuple[str, ...], ...]
    controls: tuple[str, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)))

    @property
    def reference(self) -> str:
        """The name of the control."""
        return self.names[0]


def left_out(table: pd.DataFrame) -> dict[str, int]:
    """Return the cells that are left out by reason, the most first."""
    rows = table[table["meaning"] == UNASSIGNED_LABEL]
    reasons = [
        SEVERAL if r == SEVERAL else str(l).strip() or NO_LABEL
        for l, r in zip(rows["label"], rows["reason"], strict=True)
    ]
    cells = rows["n_cells"].groupby(reasons).sum()
    return {str(reason): int(n) for reason, n in sorted(cells.items(), key=lambda item: (-item[1], item[0]))}


def summary(table: pd.DataFrame) -> str:
    """Return one line with the number of labels by meaning, and the number of cells left out."""
    n = table["meaning"].value_counts()
    counts = [f"{n[m]} {_plural(m, int(n[m]))}" for m in MEANINGS if m in n.index and m != UNASSIGNED_LABEL]
    cells = left_out(table)
    reasons = ", ".join(f"{reason!r} {k}" for reason, k in cells.items())
    total = f"{sum(cells.values())} of {table['n_cells'].sum()}"
    return ", ".join(counts) + (f"; {total} cells left out ({reasons})" if cells else "")


def shared_targets(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return the targets with several perturbations, at least one of which is a guide, clone, dose, time or class."""
    live = table[(table["targets"] != "")].drop_duplicates("name")
    parts = set(table.loc[table["meaning"].isin(PARTS), "name"])
    names: dict[str, list[str]] = {}
    for targets, name in sorted(zip(live["targets"], live["name"], strict=True)):
        names.setdefault(str(targets), []).append(name)
    return {targets: of_one for targets, of_one in names.items() if len(of_one) > 1 and not parts.isdisjoint(of_one)}


def _plural(meaning: str, n: int) -> str:
    plural = {CONTROL: "control labels", TIME: "time points", CLASS: "classes"}
    return plural.get(meaning, f"{meaning}s") if n > 1 else meaning


def announce(labels: Labels, groupby: str) -> None:
    """Log the interpretation, and warn about guesses that change results."""
    info(f"obs[{groupby!r}]: {summary(labels.table)}")
    if refusal := high_multiplicity(labels.table, groupby):
        raise ValueError(refusal)
    for message in cautions(labels.table, groupby):
        warn(message)


def high_multiplicity(table: pd.DataFrame, groupby: str) -> str | None:
    """Return the reason why labels with several guides per cell cannot be used as perturbations, or None."""
    live = table[table["targets"] != ""]
    several = live[live["targets"].str.contains("+", regex=False) & (live["meaning"] == COMBINATION)]
    n, n_several = int(live["n_cells"].sum()), int(several["n_cells"].sum())
    if 2 * n_several <= n or n_several >= FEW_CELLS * several["name"].nunique():
        return None
    single = live.drop(several.index).groupby("targets")["n_cells"].sum()
    return (
        f"obs[{groupby!r}] lists several guides per cell (high multiplicity of infection): {n_several} of {n} "
        f"perturbed cells belong to {several['name'].nunique()} combinations of targets. Each combination has too few "
        "cells for a comparison with the control. Effects of single guides need a regression over all guides, which "
        f"this package does not offer. Pass label_map='single' to analyze only the {int(single.sum())} cells with one "
        f"target ({int((single >= ENOUGH_CELLS).sum())} targets have at least {ENOUGH_CELLS} such cells)."
    )


def cautions(table: pd.DataFrame, groupby: str) -> list[str]:
    """Return warnings about the interpretation of a column of labels."""
    return [
        *_negative(table, groupby),
        *_parts_of_targets(table, groupby),
        *_dashes(table, groupby),
        *_control_like(table, groupby),
        *_mostly_left_out(table, groupby),
    ]


def _negative(table: pd.DataFrame, groupby: str) -> list[str]:
    negative = table.loc[table["reason"].str.endswith(f"({NEGATIVE})"), "label"].tolist()
    return [
        f"obs[{groupby!r}]: {some(map(repr, negative))} is used as the control, but guide assigners use this word for "
        f"cells without a guide. If these cells have no guide, pass reference= with the label of the control."
    ] * bool(negative)


def _parts_of_targets(table: pd.DataFrame, groupby: str) -> list[str]:
    shared = shared_targets(table)
    if not shared:
        return []
    names = {name for of_target in shared.values() for name in of_target}
    meanings = set(table.loc[table["name"].isin(names), "meaning"])
    kinds = [_PLURAL[meaning] for meaning in PARTS if meaning in meanings]
    target, examples = next(iter(shared.items()))
    return [
        f"obs[{groupby!r}] seems to contain {' and '.join(kinds)}, not targets: {len(names)} labels belong to "
        f"{len(shared)} target{'s' if len(shared) > 1 else ''} (for example, {some(map(repr, examples), 3)} to "
        f"{target!r}). Every label is used as a perturbation of its own. spb.pp.split and the audit hold out all "
        "labels of a target together; with any other split, training cells can have the same target as test cells. "
        "To pool the labels of a target, pass label_map='targets'. If obs also has a column of targets, pass "
        f"groupby= with that column, and guide_key={groupby!r}."
    ]


def _dashes(table: pd.DataFrame, groupby: str) -> list[str]:
    dashed = table.loc[table["reason"] == "split at '-'", "label"].tolist()
    return [
        f"obs[{groupby!r}]: {some(map(repr, dashed), 3)} were split at '-' into several targets, but names of single "
        f"genes can contain '-', too. If these labels are single targets, pass combination_sep='+', or label_map= with their targets."
    ] * bool(dashed)


def _control_like(table: pd.DataFrame, groupby: str) -> list[str]:
    rows = table[table["meaning"].isin([TARGET, *PARTS]) & (table["reason"] == "not a measured gene")]
    held = [str(label) for label in rows["label"] if holds_control_word(label)]
    control = table[table["meaning"] == CONTROL]
    words = set(map(control_word, control["label"])) - {None}
    # With an explicit reference, only labels with the same word are reported: the user has seen the other words.
    if control["reason"].eq(NAMED).any() and words:
        held = [label for label in held if control_word(label) in words]
    if not held:
        return []
    n = int(rows.loc[rows["label"].isin(held), "n_cells"].sum())
    return [
        f"obs[{groupby!r}]: {some(map(repr, held))} ({n} cells) contain a word for a control, but the control is "
        f"{some(map(repr, control['label']), 3)}. If these cells are controls, pass reference= with a list of all control labels."
    ]


def _mostly_left_out(table: pd.DataFrame, groupby: str) -> list[str]:
    cells, total = left_out(table), int(table["n_cells"].sum())
    out = sum(cells.values())
    if not out or 2 * out < total:
        return []
    reasons = ", ".join(f"{reason!r}: {n}" for reason, n in cells.items())
    return [
        f"{out} of {total} cells ({100 * out / total:.0f}%) are left out because of their label in obs[{groupby!r}] ({reasons}). "
        "Check that groupby= is the right column."
    ]
