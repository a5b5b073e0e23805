"""Numbers and names as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

from .._keys import NEGLIGIBLE

GAP = "–"
SIGNIFICANT = 3
LEAST_P, ROUGH_P = 0.001, 0.1
ROUNDS_TO_0 = 0.005
TINY = NEGLIGIBLE


def known(*values: Any) -> bool:
    """Whether all values are finite numbers."""
    return all(isinstance(v, Real) and math.isfinite(v) for v in values)


def count(value: Any) -> str:
    """Return a whole number with thousands separated."""
    return _minus(f"{int(value):,}") if known(value) else GAP


def number(value: Any, *, digits: int = SIGNIFICANT) -> str:
    """Return a number with three significant digits and at most three decimals."""
    if not known(value):
        return GAP
    size = abs(float(value))
    if size < TINY:
        return "0"
    decimals = max(0, min(digits, digits - 1 - math.floor(math.log10(size))))
    return _minus(f"{value:,.{decimals}f}")


def short(value: Any) -> str:
    """Return a number as a sentence has it, with two decimals; with three where two would make it 0."""
    if known(value) and 0 < abs(float(value)) < ROUNDS_TO_0:
        return fixed(value)
    text = f"{value:.2f}" if known(value) else GAP
    return "0" if float(text.strip(GAP) or 1) == 0 else _minus(text)


def fixed(value: Any) -> str:
    """Return a number with three decimals."""
    text = f"{value:.3f}" if known(value) else GAP
    return "0" if text in ("0.000", "-0.000") else _minus(text)


def p_value(value: Any) -> str:
    """Return a p-value; of small ones only that they are."""
    if not known(value):
        return GAP
    return "<0.001" if value < LEAST_P else f"{value:.2f}" if value >= ROUGH_P else f"{value:.3f}"


def p_text(value: Any) -> str:
    """Return a p-value as a sentence has it."""
    text = p_value(value)
    return f"p {text[0]} {text[1:]}" if text.startswith("<") else f"p = {text}"


def percent(value: Any) -> str:
    """Return a share as percent: whole above 10%, one decimal below."""
    return f"{_hundredths(value)}%" if known(value) else GAP


def percent_interval(low: Any, high: Any) -> str:
    """Return an interval of shares in percent, the sign left to what stands before it."""
    return between(low, high, _hundredths)


def interval(low: Any, high: Any) -> str:
    """Return an interval."""
    return between(low, high, number)


def fixed_interval(low: Any, high: Any) -> str:
    """Return an interval with three decimals."""
    return between(low, high, fixed)


def between(low: Any, high: Any, write: Callable[[Any], str]) -> str:
    """Return an interval with its ends as ``write`` writes them."""
    if not known(low, high):
        return "no interval"
    ends = write(low), write(high)
    return (" to " if "−" in "".join(ends) else "–").join(ends)


def with_interval(value: Any, low: Any, high: Any, write: Callable[[Any], str], ends: Callable[[Any, Any], str]) -> str:
    """Return a value with its interval; without it if the interval is unknown or has no width as written: 0, not 0 (0–0)."""
    text = write(value)
    if not known(low, high) or {write(low), write(high)} == {text}:
        return text
    return f"{text} ({ends(low, high)})"


def listed(words: Sequence[str]) -> str:
    """Return words as prose: a, b and c."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def with_full_stop(text: str) -> str:
    """Return text with a full stop. The first letter stays: it may begin a name."""
    text = text.strip()
    return text if not text or text.endswith((".", "…", "!", "?")) else f"{text}."


def _hundredths(value: float) -> str:
    decimals = 0 if abs(value) >= 0.0995 else 1
    text = f"{100 * value:.{decimals}f}"
    return _minus("0" if float(text) == 0 else text)


def _minus(text: str) -> str:
    return text.replace("-", "−", 1) if text.startswith("-") else text


def groups_of(parts: Sequence[str]) -> str:
    """Return groups of names in one list; as a group is a list itself, semicolons separate them."""
    return "; and ".join(filter(None, ("; ".join(parts[:-1]), *parts[-1:])))


def by_words(names: Sequence[str], words: Sequence[str]) -> str:
    """Join names to the words about each; names with the same words stand together."""
    groups: dict[str, list[str]] = {}
    for name, word in zip(names, words, strict=True):
        groups.setdefault(word, []).append(name)
    return groups_of([f"{listed(group)} {word}" for word, group in groups.items()])


def upper(text: str) -> str:
    """Return text with a capital."""
    return text[:1].upper() + text[1:]
