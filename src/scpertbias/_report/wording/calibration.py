"""The sentence about how often a verdict is given without effects."""

from __future__ import annotations


def calibrated(rate: float, low: float, high: float, n: int, *, or_stronger: bool) -> str:
    """Return the sentence that a verdict carries; ``or_stronger`` says that stronger verdicts count as well."""
    verdict = "this verdict or a stronger one" if or_stronger else "this verdict"
    return (
        f"As a test, the audit was repeated on {n} screens without effects, made from your own control cells. It gave "
        f"{verdict} in {100 * rate:.0f}% of these screens (95% CI {100 * low:.0f}–{100 * high:.0f})."
    )
