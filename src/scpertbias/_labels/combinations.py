"""Splitting of labels of combinations, if their parts are targets or the control."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

_RUN = re.compile(r"[^\w]+|_+")
_WORDS = re.compile(r"\s+(?:and|x|with)\s+")
_MOST_PARTS = 40
_MOST_JOINED = 8
_STRENGTH = "|;,+&/:_ -."  # separators that do not occur within names are tried first
CONTROL_PART = ""


@dataclass
class Splitter:
    """Splits labels into parts that are targets or the control.

    ``measured`` returns the symbol of a measured gene (``CONTROL_PART`` for the control), ``other`` the target of another
    label or a guide; both return None for any other part. With ``sep``, labels are split only at ``sep``, for any
    parts; with ``sep=""``, labels are not split.
    """

    measured: Callable[[str], str | None]
    other: Callable[[str], str | None]
    sep: str | None = None
    _memo: dict[str, tuple[tuple[str, str], ...] | None] = field(default_factory=dict)

    def split(self, label: str) -> tuple[tuple[tuple[str, str], ...], str] | None:
        """Return the parts of a combination, each with its target, and the separator; None for anything else."""
        if self.sep is not None:
            pieces = [piece.strip() for piece in label.split(self.sep)] if self.sep else [label]
            return (self._pairs([p for p in pieces if p]), self.sep) if len([p for p in pieces if p]) > 1 else None
        for sep in _separators(label):
            if (parts := self._known(label, sep)) is not None:
                return parts, sep
        if plus := _plausible_pieces(label):
            return self._pairs(plus), "+"
        return None

    def _pairs(self, pieces: list[str]) -> tuple[tuple[str, str], ...]:
        pairs = []
        for piece in pieces:
            target = self.measured(piece)
            target = self.other(piece) if target is None else target
            pairs.append((piece, piece if target is None else target))
        return tuple(pairs)

    def _known(self, label: str, sep: str) -> tuple[tuple[str, str], ...] | None:
        """Return the parts between separators if all are known; a part can contain the separator (HLA-A-JAK2)."""
        pieces = label.split(sep)
        parts = [self._parts(piece.strip()) for piece in pieces]
        if all(part is not None for part in parts):
            return tuple(pair for part in parts if part is not None for pair in part)
        if not 2 < len(pieces) <= _MOST_JOINED:
            return None
        for cut in range(len(pieces) - 1, 0, -1):
            first = self._parts(sep.join(pieces[:cut]).strip())
            if first is not None and (rest := self._parts(sep.join(pieces[cut:]).strip())) is not None:
                return first + rest
        return None

    def _parts(self, piece: str) -> tuple[tuple[str, str], ...] | None:
        """Return the meaning of a piece: a target, the control, or a combination of known parts."""
        if piece not in self._memo:
            self._memo[piece] = self._parts_of(piece) if piece else None
        return self._memo[piece]

    def _parts_of(self, piece: str) -> tuple[tuple[str, str], ...] | None:
        target = self.measured(piece)
        if target is None:
            for sep in _separators(piece):
                if (parts := self._known(piece, sep)) is not None:
                    return parts
            target = self.other(piece)
        return None if target is None else ((piece, target),)


def _separators(label: str) -> list[str]:
    """Return possible separators, the longest first."""
    runs = {run for run in _RUN.findall(label) if not label.startswith(run) and not label.endswith(run)}
    if " " in label:
        runs |= set(_WORDS.findall(label))
    return sorted(
        (run for run in runs if label.count(run) < _MOST_PARTS), key=lambda run: (-len(run), _STRENGTH.find(run), run)
    )


def _plausible_pieces(label: str) -> list[str] | None:
    """Return the parts around "+" if each could be the name of a target; none of them must be known."""
    pieces = label.split("+")
    if len(pieces) < 2:
        return None
    for left, right in pairwise(pieces):
        if left.endswith(" ") != right.startswith(" "):
            return None  # "CD4+ T"
    pieces = [piece.strip() for piece in pieces]
    return pieces if all(map(_plausible, pieces)) else None


def _plausible(piece: str) -> bool:
    if not piece or piece.count("(") != piece.count(")"):
        return False
    return piece[0].isalnum() and (piece[-1].isalnum() or piece[-1] == ")") and any(c.isalpha() for c in piece)
