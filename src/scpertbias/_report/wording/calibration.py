"""The sentence about how often a verdict is given without effects."""

from __future__ import annotations


def calibrated(rate: float, low: float, high: float, n: int, *, or_stronger: bool) -> str:
    """Return the sentence that a verdict carries; ``or_stronger`` says that stronger verdicts count as well."""
    verdict = "this verdict or a stronger one" if or_stronger else "this verdict"
    return (
        f"On your own control cells {verdict} is given in {100 * rate:.0f}% "
        f"(95% CI {100 * low:.0f}–{100 * high:.0f}) of {n} screens."
    )
