"""Perturbation labels: which cells count, what is control, which genes each label hits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from ._core.arrays import IntArray
from ._log import info, warn

UNASSIGNED = frozenset(
    {"", "nan", "none", "na", "n/a", "<na>", "unassigned", "unknown", "multiplet", "ambiguous", "doublet"}
)
CONTROL_WORDS = frozenset(
    {
        "control", "controls", "ctrl", "nontargeting", "nontargetingcontrol", "nontarget", "nt", "ntc", "negctrl",
        "negativecontrol", "safetargeting", "aavs1", "scramble", "scrambled", "neg", "unperturbed",
    }
)  # fmt: skip
NO_LABEL = "no label"
SEPARATORS = (";", ",", "|", "_")
_ANY_SEPARATOR = re.compile(r"[+;,|_]")
_GUIDE = re.compile(r"^(?P<stem>.+?)[ _.\-](?:g|sg|guide|grna|sgrna)?[ _.\-]?\d+$", re.IGNORECASE)


@dataclass(frozen=True)
class Labels:
    """The labels of n cells, read once.

    ``codes`` (n,) index ``names``, −1 where a cell is left out; ``targets`` are the genes of each name; the reference
    is ``names[0]``, and ``controls`` are the labels that it stands for; ``dropped`` counts the cells left out by reason.
    """

    codes: IntArray
    names: tuple[str, ...]
    targets: tuple[tuple[str, ...], ...]
    controls: tuple[str, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """The control's name."""
        return self.names[0]


def is_control_word(label: str) -> bool:
    """Whether a label (or each part of it) reads like a control, without case, punctuation and trailing number."""
    return _control_word(label) is not None


def _control_word(label: str) -> str | None:
    """Return the word that makes a label a control, or None."""
    if (stem := _stem(label)) in CONTROL_WORDS:
        return stem
    stems = {_stem(part) for part in _ANY_SEPARATOR.split(label)}
    return stems.pop() if len(stems) == 1 and stems <= CONTROL_WORDS else None


def _stem(label: str) -> str:
    bare = re.sub(r"[^a-z0-9]", "", label.casefold())
    return bare if bare in CONTROL_WORDS else bare.rstrip("0123456789")


def parse(
    values: pd.Series,
    *,
    groupby: str,
    reference: str | Sequence[str] | None = None,
    symbols: Iterable[str] = (),
) -> Labels:
    """Read a column of labels (DESIGN: labels).

    Unassigned cells are left out and counted, all control labels become one, ``A+B`` in either order is one
    combination, and a combination written with another separator is recognized by its parts.
    """
    try:
        column = pd.Categorical(values.array)
    except TypeError as err:
        msg = f"obs[{groupby!r}] holds {type(values.iloc[0]).__name__} objects; labels are text."
        raise TypeError(msg) from err
    raw = [str(label) for label in column.categories]
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(raw))
    dropped = Counter({NO_LABEL: int((column.codes < 0).sum())})
    live = []
    for label, n in zip(raw, counts.tolist(), strict=True):
        if label.strip().casefold() in UNASSIGNED:
            dropped[label.strip() or NO_LABEL] += n
        elif n:  # a category without a cell is no label
            live.append(label)
    controls = find_reference(live, reference, groupby=groupby)
    parts = _parts(live, set(controls), set(symbols))
    # One name for each set of targets: a single target is its own name, a combination is written A+B.
    canonical = {label: "+".join(targets) for label, targets in parts.items() if targets}
    by_name = {canonical[label]: parts[label] for label in canonical}
    names = (_reference_name(controls, by_name), *sorted(by_name))
    position = {name: i for i, name in enumerate(names)}
    of_raw = np.array(
        [position[canonical[label]] if label in canonical else (0 if label in parts else -1) for label in raw] + [-1],
        dtype=np.int64,
    )
    return Labels(
        codes=of_raw[column.codes],  # the last entry is that of the code −1
        names=names,
        targets=((), *(by_name[name] for name in names[1:])),
        controls=tuple(controls),
        dropped={reason: n for reason, n in dropped.items() if n},
    )


def find_reference(labels: Sequence[str], reference: str | Sequence[str] | None, *, groupby: str) -> list[str]:
    """Return the labels that are control: asked for by name, list or pattern, else found by their wording."""
    if reference is not None:
        patterns = (
            [str(reference)] if isinstance(reference, str) or np.isscalar(reference) else [str(r) for r in reference]
        )
        present = set(labels)
        controls, missing = set(), []
        for pattern in patterns:
            # A label may itself hold one of *?[, so it is looked up as it is first.
            matched = {pattern} if pattern in present else {label for label in labels if fnmatchcase(label, pattern)}
            controls |= matched
            if not matched:
                missing.append(pattern)
        if missing or not controls:
            msg = f"`reference` {missing or patterns} matches no label of obs[{groupby!r}]; it holds {_some(labels)}."
            raise ValueError(msg)
        return [label for label in labels if label in controls]
    words = {label: word for label in labels if (word := _control_word(label))}
    if not words:
        msg = (
            f"No control was found in obs[{groupby!r}]; it holds {_some(labels)}. "
            "Pass reference= the name of the control, a list of names, or a pattern such as 'non-targeting*'."
        )
        raise ValueError(msg)
    if len(set(words.values())) > 1:
        msg = (
            f"obs[{groupby!r}] holds several labels that may be the control: {_some(list(words))}. "
            "Pass reference= one of them, or the list of all."
        )
        raise ValueError(msg)
    return list(words)


def _reference_name(controls: Sequence[str], taken: Iterable[str]) -> str:
    """Name the control: what its labels share, unless a perturbation has that name."""
    if len(controls) == 1:
        return controls[0].strip()
    stripped = [label.strip() for label in controls]
    stems = {re.sub(r"[\W_]*\d+$", "", label) for label in stripped}
    shortest = min(stripped, key=len)
    shared = stems.pop() if len(stems) == 1 else shortest if all(s.startswith(shortest) for s in stripped) else ""
    return next(name for name in (shared, "control", *stripped) if name and name not in taken)


def _parts(labels: Sequence[str], controls: set[str], symbols: set[str]) -> dict[str, tuple[str, ...]]:
    """Return the targets of each label, control parts dropped; empty for the control."""
    singles = {label.strip() for label in labels if not _ANY_SEPARATOR.search(label)}
    part_names = singles | symbols | controls
    out: dict[str, tuple[str, ...]] = {}
    recognized = []
    for label in labels:
        if label in controls:
            out[label] = ()
            continue
        pieces = [piece.strip() for piece in label.split("+")]
        if len(pieces) == 1 and pieces[0] not in symbols:
            for separator in SEPARATORS:
                trial = [piece.strip() for piece in label.split(separator)]
                if len(trial) > 1 and all(piece in part_names or is_control_word(piece) for piece in trial):
                    pieces = trial
                    recognized.append(label)
                    break
        targets = (p for p in pieces if p and p not in controls and (len(pieces) == 1 or not is_control_word(p)))
        out[label] = tuple(sorted(set(targets)))
    if recognized:
        info(f"read {len(recognized)} labels as combinations of known targets, for example {recognized[0]!r}")
    return out


def warn_if_guides(labels: Iterable[str], groupby: str) -> None:
    """Warn where labels look like guides: a split over guides leaks the target."""
    labels = list(labels)
    stems = Counter(match["stem"] for label in labels if (match := _GUIDE.match(label)))
    shared = sum(n for n in stems.values() if n > 1)
    if labels and shared > 0.5 * len(labels):
        example = next(stem for stem, n in stems.items() if n > 1)
        warn(
            f"obs[{groupby!r}] looks like guides, not targets ({stems[example]} labels begin with {example!r}). A split "
            "over guides leaks the target: make a column of target genes, and pass this one as guide_key."
        )


def _some(labels: Sequence[str], n: int = 12) -> str:
    """Name some labels, those first that may be the control."""
    first_labels = ", ".join(
        repr(label) for label in sorted(labels, key=lambda label: (not _control_word(label), label))[:n]
    )
    return (first_labels or "nothing") + (f", … ({len(labels)} labels)" if len(labels) > n else "")
