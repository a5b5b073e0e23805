"""Labels of guides, clones, doses, time points and classes of a target, recognized by the form of the label."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

GUIDE, CLONE, DOSE, TIME, CLASS = "guide", "clone", "dose", "time", "class"
_NUMBER, _LETTER = "number", "letter"
_GUIDE_WORD = r"(?:sg|g|guide|grna|sgrna|cr|crrna|sh|shrna|si|sirna|pgrna)"

# Endings of labels, the most specific first. The second value is True if the form is sufficient; otherwise the text
# before it must be a measured gene, or common to several labels.
_ENDINGS: tuple[tuple[str, bool, re.Pattern[str]], ...] = (
    (GUIDE, True, re.compile(r"^(.+?)[ _][+-][ _]\d[\d.]*(?:-[\w.,]+)?$")),
    (GUIDE, True, re.compile(rf"^(.+?)[ _.\-]+\(?{_GUIDE_WORD}[ _.\-#]?\d+[a-z]?\)?$", re.IGNORECASE)),
    (GUIDE, True, re.compile(r"^(.+?) ?\((?:sg|g|guide)[ _.\-#]?\d+[a-z]?\)$", re.IGNORECASE)),
    (GUIDE, False, re.compile(r"^(.+?)(?:sg|g)\d+$")),
    (GUIDE, False, re.compile(r"^(.+?)[ _.\-]P\d(?:P\d)?$")),
    (GUIDE, False, re.compile(r"^(.+?)[ _.\-][ACGTN]{8,}$")),
    (CLONE, True, re.compile(r"^(.+?)[ _.\-]*\(?clone[ _.\-#]?\w{1,4}\)?$", re.IGNORECASE)),
    (CLONE, False, re.compile(r"^(.+?)[ _.\-]\(?(?:cl|c)[ _.\-#]?\d+\)?$", re.IGNORECASE)),
    (CLASS, True, re.compile(r"^(.+?)[ _.\-]\(?(?:KO|NP|TSS|OE|KD|CRISPRi|CRISPRa|het|hom)\)?$")),
    (CLASS, False, re.compile(r"^(.+?)[ _]?[+-]/[+-]$")),
    (CLASS, False, re.compile(r"^(.+?)[ _.\-](?:rep|replicate)[ _.\-]?\w{1,2}$", re.IGNORECASE)),
    (
        DOSE,
        True,
        re.compile(
            r"^(.+?)[ _.\-@]*\(?(?<![A-Za-z0-9])\d+(?:\.\d+)?(?:e-?\d+)? ?"
            r"(?:[pnumµμ]?M|[munpµμ]?g(?:/m[lL])?|%|[mnuµμ]L|MOI|Gy|IU|U/m[lL])\)?$"
        ),
    ),
    (
        TIME,
        True,
        re.compile(
            r"^(.+?)[ _.\-@]+\(?(?:\d+(?:\.\d+)? ?(?:h|hr|hrs|hours?|d|days?|min|w|weeks?)|"
            r"(?:day|d|hour|week)[ _]?\d+)\)?$",
            re.IGNORECASE,
        ),
    ),
    (_NUMBER, False, re.compile(r"^(.+?)[ _.\-#](\d+(?:\.\d+)?(?:e-?\d+)?)$")),
    (_LETTER, False, re.compile(r"^(.+?)[ _.\-][A-Za-z]$")),
)
_BEGINNING = re.compile(
    r"^(?:(?:[phm][ _])?(?:sg|sh|si|gRNA|sgRNA|shRNA|siRNA|crRNA|CRISPRi|CRISPRa|KO|KD|OE|g)[ _.\-]?|[phm][ _])(.+)$"
)
# Separate genes: an antisense or divergent transcript is named after its neighbor.
_NEIGHBOR = re.compile(r"^-(?:AS|IT|OT|DT)\d*$")
# And so is a readthrough (NEDD8-MDP1), or a pair with a gene that is not measured.
_ANOTHER_GENE = re.compile(r"^-[A-Z][A-Z0-9]{2,}$")
_MOST_COUNTERS = 20
Ending = tuple[str, str, bool]
"""Text before a known ending, kind of the ending, and whether the form alone shows the meaning of a label."""


@dataclass(frozen=True)
class Form:
    """The target of a label (``stem``), its ``meaning`` and the ``reason``."""

    stem: str
    meaning: str
    reason: str


def forms(
    labels: Sequence[str], canonical: Callable[[str], str | None], skip: Callable[[str], bool] = lambda _: False
) -> dict[str, Form]:
    """Return the form of each label that is a guide, clone, dose, time point or class of a target.

    ``canonical`` returns the symbol of a measured gene, or None; labels for which ``skip`` is true are ignored.
    """
    endings = {label: split_ending(label, canonical) for label in labels if not skip(label)}
    return {**_by_ending(labels, canonical, endings), **_by_shared_gene(labels, canonical, endings)}


def _by_ending(
    labels: Sequence[str], canonical: Callable[[str], str | None], endings: Mapping[str, Ending | None]
) -> dict[str, Form]:
    """Return the labels with an ending or a beginning of a known form."""
    candidates = {label: ending for label, ending in endings.items() if ending is not None}
    members: dict[str, set[str]] = defaultdict(set)
    for label, (stem, _, _) in candidates.items():
        members[stem].add(label)
    for label in set(labels) & members.keys():
        members[label].add(label)
    numbered = _meaning_of_numbers(candidates, members, len(labels), canonical)
    out = {}
    for label, (stem, kind, telling) in candidates.items():
        measured = canonical(stem) is not None
        meaning = numbered.get(label, "") if kind == _NUMBER else GUIDE if kind == _LETTER and measured else kind
        shared = len(members[stem]) > 1 and kind != _LETTER
        if meaning and (telling or measured or shared):
            what = "the measured gene" if measured else "the target"
            out[label] = Form(canonical(stem) or stem, meaning, f"looks like a {meaning} of {what} {stem!r}")
    return out


def split_ending(label: str, canonical: Callable[[str], str | None]) -> Ending | None:
    """Return the text before a known ending, the kind of the ending, and whether the form is sufficient."""
    if match := _BEGINNING.match(label):
        rest = match[1]
        if canonical(rest) is not None:
            return rest, GUIDE, True
        inner = split_ending(rest, canonical) if _BEGINNING.match(rest) is None else None
        if inner is not None and canonical(inner[0]) is not None:
            return inner[0], GUIDE if inner[1] in (_NUMBER, _LETTER) else inner[1], True
    for kind, telling, pattern in _ENDINGS:
        if (match := pattern.match(label)) and not _NEIGHBOR.match(label[len(match[1]) :]):
            stem = match[1].strip()
            if any(c.isalnum() for c in stem):
                return stem, kind, telling
    return None


def _meaning_of_numbers(
    candidates: Mapping[str, Ending],
    members: Mapping[str, set[str]],
    n_labels: int,
    canonical: Callable[[str], str | None],
) -> dict[str, str]:
    """Return the meaning of labels that end with a number: guide or dose; without an entry, it is part of the name."""
    values: dict[str, dict[str, str]] = defaultdict(dict)
    for label, (stem, kind, _) in candidates.items():
        if kind == _NUMBER:
            values[stem][label] = label[len(stem) :].strip(" _.-#")
    shared = {stem for stem in values if len(members[stem]) > 1}
    others = [stem for stem in shared if canonical(stem) is None]
    n_shared = sum(len(values[stem]) for stem in shared)
    # Numbered names (enhancer_1, enhancer_2) are not guides of an "enhancer"; guides need several targets with a few labels.
    counts_guides = len(others) > 1 and 2 * n_shared > n_labels
    out: dict[str, str] = {}
    for stem, by_label in values.items():
        measured = canonical(stem) is not None
        if _are_doses(list(by_label.values()), alone=not measured):
            meaning = DOSE
        elif measured or (
            stem in shared and len(by_label) <= _MOST_COUNTERS and (counts_guides or stem in members[stem])
        ):
            meaning = GUIDE
        else:
            continue
        out |= dict.fromkeys(by_label, meaning)
    return out


def _are_doses(texts: Iterable[str], *, alone: bool) -> bool:
    """Whether numbers are doses: fractions, or round numbers that span a wide range."""
    texts = list(texts)
    if any(len(text) > 1 and text[0] == "0" and "." not in text for text in texts):
        return False  # 00028 is a name
    numbers = sorted({float(text) for text in texts})
    if any(number % 1 for number in numbers):
        return True
    if not all(len(f"{number:.0f}".rstrip("0")) <= 1 or number in (15, 25, 75, 250, 750, 2500) for number in numbers):
        return False
    return numbers[-1] >= 10 and (alone if len(numbers) == 1 else numbers[-1] >= 5 * max(numbers[0], 1))


def _by_shared_gene(
    labels: Sequence[str], canonical: Callable[[str], str | None], endings: Mapping[str, Ending | None]
) -> dict[str, Form]:
    """Return labels that begin or end with the same measured gene as other labels, and have no known form."""
    ends: dict[str, str] = {}
    for label, ending in endings.items():
        if ending is None and canonical(label) is None:
            cuts = [match.start() for match in re.finditer(r"[ _.\-(]", label)][:8]
            for end in [label[:cut] for cut in reversed(cuts)] + [label[cut + 1 :] for cut in cuts]:
                gene = canonical(end.strip())
                rest = label[len(end) :] if label.startswith(end) else f"-{label[: -len(end)].rstrip('-')}"
                if gene is not None and not _NEIGHBOR.match(rest) and not _ANOTHER_GENE.match(rest):
                    ends[label] = end.strip()
                    break
    n_sharing: dict[str, int] = defaultdict(int)
    for gene in [*ends.values(), *(label for label in labels if canonical(label) is not None)]:
        n_sharing[gene] += 1
    return {
        label: Form(
            canonical(gene) or gene,
            GUIDE,
            f"contains the measured gene {gene!r}, as do {n_sharing[gene] - 1} other labels",
        )
        for label, gene in ends.items()
        if n_sharing[gene] > 1
    }
