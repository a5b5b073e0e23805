"""How the report speaks: a sentence with the table rows it rests on, an answer, and when there is enough for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ._format import fixed, fixed_interval, known, listed, sentence

MIN_HELD_OUT = 10
FEW = 50
"""Under so many perturbations intervals are approximate."""
BASELINE = "mean"
ONLY_BASELINE = "This cannot be told: no model was fitted beside the mean baseline"
CONSTANT = "same prediction for every unseen perturbation"
APPROXIMATE = "approximate"
WITHOUT = {
    "no_mt": "without mitochondrial genes",
    "no_mt_ribo": "without mitochondrial and ribosomal genes",
    "regressed": "with the covariates regressed out",
}
YES, PARTLY, NO, OPEN = "yes", "partly", "no", "open"
"""What a verdict may be; ``open`` is said where the data do not allow one."""

Sentence = dict[str, Any]
Answer = dict[str, Any]


def say(text: str, rows: pd.DataFrame | None = None) -> Sentence:
    """Return a sentence as text and the rows it rests on."""
    return {"text": sentence(text), "rows": [] if rows is None else rows.to_dict("records")}


def answered(
    name: str,
    question: str,
    verdict: str,
    because: Sentence,
    sentences: Sequence[Sentence] = (),
    details: Sequence[Sentence] = (),
) -> Answer:
    """Return a question with its verdict (``yes``, ``partly``, ``no``, ``open``), why, what else is to be said, and details."""
    said = {"sentences": list(sentences), "details": list(details)}
    return {"name": name, "question": question, "verdict": verdict, **because, **said}


def by_words(names: Sequence[str], words: Sequence[str]) -> str:
    """Join names to what is said of each, those of whom the same is said together."""
    groups: dict[str, list[str]] = {}
    for name, word in zip(names, words, strict=True):
        groups.setdefault(word, []).append(name)
    return "; ".join(f"{listed(group)} {word}" for word, group in groups.items())


def is_judged(row: pd.Series, value: str) -> bool:
    """Whether a row rests on enough perturbations, with a value and an interval."""
    return bool(row["n"] >= MIN_HELD_OUT and known(row[value], row["low"], row["high"]))


def judged(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return the rows of enough perturbations, with a value and an interval."""
    enough = [is_judged(r, value) for _, r in rows.iterrows()]
    return rows[pd.Series(enough, index=rows.index, dtype=bool)]


def gains(rows: pd.DataFrame, value: str = "gain") -> list[str]:
    """Return each row's gain with its interval and n."""
    return [f"{fixed(r[value])} {fixed_interval(r['low'], r['high'])} ({of(r['n'])})" for _, r in rows.iterrows()]


def of(n: float) -> str:
    """Return the number of perturbations that an interval rests on, and whether it is approximate."""
    return f"n = {int(n)}, approximate" if n < FEW else f"n = {int(n)}"


def cut(text: str, *, at_most: int) -> str:
    """Return the first words of a text."""
    return " ".join(text.split()[:at_most])
