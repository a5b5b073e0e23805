"""Perturbation labels: which cells count, what is control, which genes each label hits, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .._core.arrays import IntArray
from .combinations import CONTROL_PART, Splitter
from .control import Controls, find_controls, reference_name
from .forms import GUIDE, Form, forms, split_ending
from .labels import COLUMNS, COMBINATION, CONTROL, SEVERAL, TARGET, UNASSIGNED_LABEL, Labels, left_out
from .overrules import SINGLE, TARGETS, effective
from .words import is_control_word, unassigned_word

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]*$")
_VERSION = re.compile(r"^(ENS[A-Z]*\d{6,})\.\d+$")


@dataclass(frozen=True)
class Meaning:
    """The meaning of a label: its parts without the control, the gene of each part, and the reason."""

    meaning: str
    parts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    reason: str = ""


class Genes:
    """The measured genes by symbol, by id, and by id without version."""

    def __init__(self, symbols: Iterable[str], ids: Iterable[str] | None = None) -> None:
        names = [str(symbol) for symbol in symbols]
        self.symbol_of = {} if ids is None else {_unversioned(str(i)): s for i, s in zip(ids, names, strict=True)}
        self.symbol_of |= {_unversioned(name): name for name in names}
        self.symbol_of |= {name: name for name in names}

    def symbol(self, name: str) -> str | None:
        """Return the symbol of the gene with this name or id, or None."""
        symbol = self.symbol_of.get(name)
        return symbol or self.symbol_of.get(_unversioned(name)) if name.startswith("ENS") else symbol


def _unversioned(name: str) -> str:
    match = _VERSION.match(name) if name.startswith("ENS") else None
    return name if match is None else match[1]


def parse(
    values: pd.Series,
    *,
    groupby: str,
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: str | None = None,
    symbols: Iterable[str] = (),
    ids: Iterable[str] | None = None,
) -> Labels:
    """Interpret a column of labels.

    Unassigned cells are left out and counted, and all control labels are pooled. ``A+B`` and ``B+A`` are the same
    combination, with any separator. Guides, clones, doses, time points and classes are separate perturbations of the same
    target. ``label_map`` (see ``stored_map``) overrides the interpretation of the labels that it contains.
    """
    raw, codes, counts = _levels(values, groupby)
    overruled = effective(raw, label_map)
    live, unassigned = Counter[str](), Counter[str]()
    for label, n in counts.items():
        text = overruled.get(label, label)
        (live if unassigned_word(text) is None else unassigned)[text] += n
    genes = Genes(symbols, ids)
    controls = find_controls(
        live,
        _raw_reference(reference, overruled),
        groupby=groupby,
        unassigned=unassigned,
        is_gene=lambda n: bool(genes.symbol(n)),
    )
    no_label = {text for text in unassigned if text not in controls.labels} | set(controls.unassigned)
    meanings = _meanings(live, controls, genes, combination_sep, no_label, set(overruled.values()))
    if label_map == SINGLE:
        several = {text for text, m in meanings.items() if len(m.targets) > 1}
        meanings |= {text: Meaning(UNASSIGNED_LABEL, reason=SEVERAL) for text in several}
    return _labels(raw, codes, counts, meanings, overruled, controls, pooled=label_map == TARGETS)


def _raw_reference(reference: str | Sequence[str] | None, overruled: Mapping[str, str]) -> str | Sequence[str] | None:
    """Return the reference after the label map; it can be given as in the data or as in the map."""
    if reference is None or not overruled:
        return reference
    names = [reference] if isinstance(reference, str) or np.isscalar(reference) else list(reference)
    return [overruled.get(str(name), str(name)) for name in names]


def _levels(values: pd.Series, groupby: str) -> tuple[list[str], IntArray, dict[str, int]]:
    """Return the labels of a column, the position of the label of each cell (−1: none), and the number of cells per label."""
    try:
        column = pd.Categorical(values.array)
    except TypeError as err:
        msg = f"obs[{groupby!r}] contains {type(values.iloc[0]).__name__} objects; labels must be text."
        raise TypeError(msg) from err
    raw = [str(label) for label in column.categories]
    codes = np.asarray(column.codes, dtype=np.int64)
    sizes = np.bincount(codes[codes >= 0], minlength=len(raw)).tolist()
    counts: dict[str, int] = {}
    for label, n in zip(raw, sizes, strict=True):
        if n:  # categories without cells are ignored
            counts[label] = counts.get(label, 0) + n
    return raw, codes, counts


def _meanings(
    live: Mapping[str, int],
    controls: Controls,
    genes: Genes,
    combination_sep: str | None,
    no_label: set[str],
    overruled: set[str],
) -> dict[str, Meaning]:
    """Return what each label means."""
    is_control = {*controls.labels, *(label.strip() for label in controls.labels)}
    stripped = {label.strip() for label in live} - is_control - no_label

    def measured(part: str) -> str | None:
        if part in is_control:
            return CONTROL_PART
        symbol = genes.symbol(part)
        return CONTROL_PART if symbol is None and is_control_word(part) else symbol

    def other(part: str) -> str | None:
        ending = split_ending(part, genes.symbol)
        target = (
            None
            if ending is None
            else genes.symbol(ending[0]) or (ending[0] if ending[2] and _NAME.match(ending[0]) else None)
        )
        return part if target is None and part in stripped else target

    splitter = Splitter(measured, other, combination_sep)
    map_splitter = Splitter(measured, other, "+" if combination_sep is None else combination_sep)
    out = {
        text: Meaning(UNASSIGNED_LABEL, reason="missing value, or a word that means no guide or several guides")
        for text in no_label
    }
    out |= {text: Meaning(CONTROL, reason=reason) for text, reason in controls.reasons.items()}
    single: list[str] = []
    for text in live:
        label = text.strip()
        if text in out:
            continue
        if genes.symbol(label) is None and (split := (map_splitter if text in overruled else splitter).split(label)):
            out[text] = _combination(label, *split)
        else:
            single.append(text)
    of_form = forms(
        [text.strip() for text in single if text not in overruled],
        genes.symbol,
        lambda label: genes.symbol(label) is not None,
    )
    return out | {text: _single(text.strip(), genes, of_form.get(text.strip())) for text in single}


def _combination(label: str, parts: Sequence[tuple[str, str]], sep: str) -> Meaning:
    """Return the meaning of parts with their targets; parts that are the control are ignored."""
    live = [(part, target) for part, target in parts if target != CONTROL_PART]
    names = tuple(sorted({part for part, _ in live}))
    targets = tuple(sorted({target for _, target in live}))
    if not live:
        return Meaning(CONTROL, reason=f"all parts of {label!r} are controls")
    if len(targets) > 1:
        return Meaning(COMBINATION, names, targets, f"split at {sep!r}")
    if len(names) > 1 or names[0] != targets[0]:
        return Meaning(GUIDE, names, targets, f"all parts target {targets[0]!r}")
    return Meaning(TARGET, names, targets, f"split at {sep!r}: {targets[0]!r} and the control")


def _single(label: str, genes: Genes, form: Form | None) -> Meaning:
    if form is not None:
        return Meaning(form.meaning, (label,), (form.stem,), form.reason)
    symbol = genes.symbol(label)
    if symbol is None:
        return Meaning(TARGET, (label,), (label,), "not a measured gene")
    return Meaning(TARGET, (label,), (symbol,), "a measured gene" if symbol == label else f"the gene id of {symbol!r}")


def _labels(
    raw: Sequence[str],
    codes: IntArray,
    counts: Mapping[str, int],
    meanings: Mapping[str, Meaning],
    overruled: Mapping[str, str],
    controls: Controls,
    *,
    pooled: bool,
) -> Labels:
    """Return one code for each name: each set of parts (with ``pooled``, of targets) is one perturbation."""
    name_of = {
        text: "+".join(meaning.targets if pooled else meaning.parts)
        for text, meaning in meanings.items()
        if meaning.targets
    }
    by_name = {name: meanings[text].targets for text, name in name_of.items()}
    names = (reference_name(controls.labels, by_name), *sorted(by_name))
    position, control_labels = {name: i for i, name in enumerate(names)}, set(controls.labels)
    rows, of_raw = [], np.full(len(raw) + 1, -1, dtype=np.int64)
    for i, label in enumerate(raw):
        if label not in counts:
            continue
        text = overruled.get(label, label)
        meaning = meanings[text]
        name = names[0] if meaning.meaning == CONTROL else name_of.get(text, "")
        if name:
            of_raw[i] = position[name]
        reason = f"label_map: {text!r}" if label in overruled else meaning.reason
        rows.append((label, meaning.meaning, name, "+".join(meaning.targets), counts[label], reason))
    if n_missing := int((codes < 0).sum()):
        rows.append(("", UNASSIGNED_LABEL, "", "", n_missing, "no value"))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"n_cells": np.int64})
    return Labels(
        codes=of_raw[codes],  # the last entry is that of the code −1
        names=names,
        targets=((), *(by_name[name] for name in names[1:])),
        controls=tuple(label for label in counts if overruled.get(label, label) in control_labels),
        dropped=left_out(table),
        table=table,
    )
