"""Every sentence about an audit: one template for each kind of verdict and statement, written from the facts alone.

``terms.py`` holds what questions, verdicts, genes and regimes are called, the other files the templates by question.
"""

from __future__ import annotations

import pandas as pd

from ..numbers import with_full_stop
from ..verdicts.base import MIN_HELD_OUT
from ..verdicts.scorecard import Standing
from . import cautions, models, response, retraining, screen
from .terms import CONSTANT, STANDINGS, UNLINKED, Facts, plural, verb

CHAPTERS = (screen, response, models, retraining, cautions)
TEMPLATES = {kind: template for chapter in CHAPTERS for kind, template in chapter.TEMPLATES.items()}


def sentence(kind: str, facts: Facts) -> str:
    """Return the sentence of a verdict or statement."""
    return with_full_stop(TEMPLATES[kind](facts))


def word(text: str) -> str:
    """Return the verdict in a word or a few: the first sentence of its text, the same wherever it is shown."""
    return text.split(". ")[0].removesuffix(".")


def card_words(card: pd.DataFrame) -> pd.DataFrame:
    """Return the scorecard with its ``verdict`` and ``note`` in words."""
    words = card.assign(
        verdict=[STANDINGS[Standing(kind)] for kind in card["kind"]],
        note=[_card_note(row) for _, row in card.iterrows()],
    )
    return words[["model", "verdict", *(c for c in card.columns if c not in ("model", "note")), "note"]]


def _card_note(row: pd.Series) -> str:
    if row["kind"] == Standing.UNLINKED:
        return UNLINKED
    if row["kind"] != Standing.NONE:
        return CONSTANT if row["constant"] else ""
    if row["n"] < MIN_HELD_OUT:
        predicted = f"{plural(row['n'], 'held-out perturbation')} {verb(range(row['n']), 'are', 'is')} predicted"
        return f"only {predicted} (at least {MIN_HELD_OUT} are needed)"
    return str(row["note"]) or "no interval, or no reproducible response"
