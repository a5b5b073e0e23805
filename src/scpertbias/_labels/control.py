"""Labels of the control: those that the user names, otherwise common words for a control."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np

from .words import MISSING, control_word

# Words that are not genes, even if a measured feature has this name (such as the feature of a guide).
_NEVER_A_GENE = frozenset({"control", "non-targeting"})
NEGATIVE = "negative"
NAMED = "passed as reference"


@dataclass(frozen=True)
class Controls:
    """Labels of the control, the reason for each, and labels that only look like a control (``unassigned``)."""

    labels: list[str]
    reasons: dict[str, str] = field(default_factory=dict)
    unassigned: frozenset[str] = frozenset()


def find_controls(
    counts: Mapping[str, int],
    reference: str | Sequence[str] | None,
    *,
    groupby: str,
    unassigned: Mapping[str, int] = {},
    is_gene: Callable[[str], bool] = lambda _: False,
) -> Controls:
    """Return the control among labels with their cells.

    ``unassigned`` are labels of cells without a guide, which only an explicit ``reference`` makes the control.
    """
    if reference is not None:
        return _by_reference(counts, reference, groupby, unassigned, is_gene)
    words = {
        label: word for label in counts if (word := control_word(label)) and not _with_target(label, counts, is_gene)
    }
    genes = [label for label, word in words.items() if word not in _NEVER_A_GENE and is_gene(label)]
    words = {label: word for label, word in words.items() if label not in genes}
    # Guide assigners use "negative" for cells without a guide; as the only such word, it may be the control.
    negative = [label for label, word in words.items() if word == NEGATIVE]
    if negative and (len(negative) < len(words) or unassigned):
        words = {label: word for label, word in words.items() if word != NEGATIVE}
    else:
        negative = []
    if not words:
        raise ValueError(_not_found(counts, groupby, genes, [*negative, *unassigned]))
    if len(set(words.values())) > 1:
        msg = (
            f"obs[{groupby!r}] has several labels that could be the control: "
            f"{some_labels({k: counts[k] for k in words})}. "
            "Pass reference= with one of them, or with a list."
        )
        raise ValueError(msg)
    reasons = {label: f"looks like a control ({word})" for label, word in words.items()}
    return Controls(list(words), reasons, frozenset(negative))


def _with_target(label: str, counts: Mapping[str, int], is_gene: Callable[[str], bool]) -> bool:
    """Whether a part of the label is a target, as A is in ctrl_A where another label is A."""
    parts = [part.strip() for part in re.split(r"[\W_]+", label)]
    return len(parts) > 1 and any(
        control_word(part) is None and (part in counts or is_gene(part)) for part in parts if not part.isdigit()
    )


def _by_reference(
    counts: Mapping[str, int],
    reference: str | Sequence[str],
    groupby: str,
    unassigned: Mapping[str, int],
    is_gene: Callable[[str], bool],
) -> Controls:
    patterns = [str(reference)] if isinstance(reference, str) or np.isscalar(reference) else [str(r) for r in reference]
    candidates = [*counts, *(label for label in unassigned if label.strip().casefold() not in MISSING)]
    present = set(candidates)
    controls, missing = set(), []
    for pattern in patterns:
        # A label can contain one of *?[, so an exact match is tried first.
        named = {label for label in (pattern, pattern.strip()) if label in present}
        matched = named or {label for label in counts if fnmatchcase(label, pattern)}
        genes = [] if named else [label for label in matched if is_gene(label) and control_word(label) is None]
        if genes and len(genes) < len(matched):
            msg = (
                f"`reference` {pattern!r} also matches measured genes ({some_labels({g: counts[g] for g in genes})}), "
                "whose cells would become control cells. Pass a narrower pattern, or a list of the control labels: "
                f"{sorted(matched - set(genes))[:5]}."
            )
            raise ValueError(msg)
        controls |= matched
        if not matched:
            missing.append(pattern)
    if missing or not controls:
        near = nearest(missing, candidates)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        msg = (
            f"`reference` {missing or patterns} matches no label of obs[{groupby!r}]. Labels: "
            f"{some_labels(counts)}.{hint}"
        )
        raise ValueError(msg)
    labels = [label for label in candidates if label in controls]
    return Controls(labels, dict.fromkeys(labels, NAMED))


def nearest(names: Iterable[str], candidates: Sequence[str], n: int = 3) -> list[str]:
    """Return the candidates with a spelling similar to one of the names, ignoring case."""
    folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    close = [match for name in names for match in get_close_matches(name.casefold(), list(folded), n, 0.6)]
    return [folded[match] for match in dict.fromkeys(close)][:n]


def some_labels(counts: Mapping[str, int] | Iterable[str], n: int = 12) -> str:
    """Return some labels as text: first those that may be the control, then those with most cells."""
    size = dict(counts) if isinstance(counts, Mapping) else dict.fromkeys(counts, 0)
    order = sorted(size, key=lambda label: (control_word(label) is None, -size[label], label))
    first_labels = ", ".join(map(repr, order[:n]))
    return (first_labels or "none") + (f", … ({len(size)} labels)" if len(size) > n else "")


def _not_found(counts: Mapping[str, int], groupby: str, genes: Sequence[str], unassigned: Sequence[str]) -> str:
    parts = [f"No label of obs[{groupby!r}] looks like a control. Labels: {some_labels(counts)}."]
    if genes:
        parts.append(f"{some_labels(genes)} could be the control, but is also the name of a measured gene.")
    if unassigned:
        parts.append(f"{some_labels(unassigned)} is interpreted as a label of cells without a guide.")
    if counts and all(label.lstrip("-").isdigit() for label in counts):
        parts.append("The labels are numbers; a file conversion may have replaced the levels of a factor by codes.")
    parts.append(
        "Pass reference= with the name of the control, a list of names, or a pattern such as 'non-targeting*'."
    )
    return " ".join(parts)


def reference_name(controls: Sequence[str], taken: Iterable[str]) -> str:
    """Return a name for the control: the common part of its labels, unless a perturbation has this name."""
    stripped = [label.strip() for label in controls]
    if len(stripped) == 1:
        return stripped[0]
    stems = {re.sub(r"[\W_]*\d+$", "", label) for label in stripped}
    shortest = min(stripped, key=len)
    shared = stems.pop() if len(stems) == 1 else shortest if all(s.startswith(shortest) for s in stripped) else ""
    return next(name for name in (shared, "control", *stripped) if name and name not in taken)
