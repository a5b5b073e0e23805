"""How the report speaks: a sentence with the table rows it rests on, and when there are enough perturbations for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ._format import fixed, fixed_interval, known, listed, sentence

MIN_HELD_OUT = 10
CONSTANT = "same prediction for every unseen perturbation"
WITHOUT = {
    "no_mt": "without mitochondrial genes",
    "no_mt_ribo": "without mitochondrial and ribosomal genes",
    "regressed": "with the covariates regressed out",
}

Sentence = dict[str, Any]


def say(topic: str, text: str, rows: pd.DataFrame | None = None) -> Sentence:
    """Return a sentence as topic, text and the rows it rests on."""
    return {"topic": topic, "text": sentence(text), "rows": [] if rows is None else rows.to_dict("records")}


def by_words(names: Sequence[str], words: Sequence[str]) -> str:
    """Join names to what is said of each, those of whom the same is said together."""
    groups: dict[str, list[str]] = {}
    for name, word in zip(names, words, strict=True):
        groups.setdefault(word, []).append(name)
    return "; ".join(f"{listed(group)} {word}" for word, group in groups.items())


def judged(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return the rows of enough perturbations, with a value and an interval."""
    enough = [r["n"] >= MIN_HELD_OUT and known(r[value], r["low"], r["high"]) for _, r in rows.iterrows()]
    return rows[pd.Series(enough, index=rows.index, dtype=bool)]


def gains(rows: pd.DataFrame, value: str = "gain") -> list[str]:
    """Return each row's gain with its interval and n."""
    return [f"{fixed(r[value])} {fixed_interval(r['low'], r['high'])} (n = {int(r['n'])})" for _, r in rows.iterrows()]
