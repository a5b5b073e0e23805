"""Numbers and names as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from .._keys import NEGLIGIBLE

GAP = "–"
SIGNIFICANT = 3
TINY = NEGLIGIBLE


def known(*values: Any) -> bool:
    """Whether all values are finite numbers."""
    return all(isinstance(v, Real) and math.isfinite(v) for v in values)


def count(value: Any) -> str:
    """Return a whole number with thousands separated."""
    return _minus(f"{int(value):,}") if known(value) else GAP


def number(value: Any, *, digits: int = SIGNIFICANT) -> str:
    """Return a number with three significant digits, at most three decimals unless it is tiny."""
    if not known(value):
        return GAP
    size = abs(float(value))
    if size == 0:
        return "0"
    if size < TINY:
        return _minus(f"{value:.0e}")
    decimals = max(0, min(digits, digits - 1 - math.floor(math.log10(size))))
    return _minus(f"{value:,.{decimals}f}")


def fixed(value: Any) -> str:
    """Return a number with three decimals, as a sentence has it."""
    text = f"{value:.3f}" if known(value) else GAP
    return "0" if text in ("0.000", "-0.000") else _minus(text)


def percent(value: Any) -> str:
    """Return a share as percent: whole above 10 %, one decimal below."""
    return f"{_hundredths(value)} %" if known(value) else GAP


def percent_interval(low: Any, high: Any) -> str:
    """Return an interval of shares in percent, the sign left to what stands before it."""
    return f"[{_hundredths(low)}, {_hundredths(high)}]" if known(low, high) else "[no interval]"


def interval(low: Any, high: Any) -> str:
    """Return an interval."""
    return f"[{number(low)}, {number(high)}]" if known(low, high) else "[no interval]"


def fixed_interval(low: Any, high: Any) -> str:
    """Return an interval with three decimals."""
    return f"[{fixed(low)}, {fixed(high)}]" if known(low, high) else "[no interval]"


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


def by_words(names: Sequence[str], words: Sequence[str]) -> str:
    """Join names to the words about each; names with the same words stand together."""
    groups: dict[str, list[str]] = {}
    for name, word in zip(names, words, strict=True):
        groups.setdefault(word, []).append(name)
    return "; ".join(f"{listed(group)} {word}" for word, group in groups.items())


def upper(text: str) -> str:
    """Return text with a capital."""
    return text[:1].upper() + text[1:]
