"""What all figures are drawn from: the tables of the page, the scorecard, the effects, and the colors of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from ..._keys import NEGLIGIBLE
from ...pl._perturbations import STYLES
from ...tl._effects import Effects
from ..numbers import known, number, short
from ..verdicts.scorecard import Standing

KIND_COLORS = {kind: color for kind, (_, color) in STYLES.items()} | {"target gene only": "#b9a044"}
REST, REST_OF = "var(--rest)", "#7b828c"
ADDITIVE = "baseline: mean, or additive for combinations"
OBSERVED_COLOR, BASELINE_COLOR, CEILING_COLOR = "var(--ink)", "#7b828c", "#2a9d6f"


@dataclass(frozen=True)
class Drawing:
    """``effects`` is None where profiles are not stored; ``constant`` are models of one prediction for all."""

    tables: Mapping[str, pd.DataFrame]
    card: pd.DataFrame
    constant: frozenset[str]
    colors: Mapping[str, str]
    effects: Effects | None
    unlinked: frozenset[str] = field(default_factory=frozenset)

    def of_full(self, table: str, **where: str) -> pd.DataFrame:
        """Return the rows of the full screen with these values."""
        rows = self.tables[table]
        for key, value in {"regime": "full", **where}.items():
            rows = rows[rows[key] == value] if key in rows else rows
        return rows

    def scores(self) -> pd.DataFrame:
        """Return the held-out scores of the full screen, one row per model and perturbation."""
        rows = self.of_full("scores", trained_on="full", split="test")
        return rows[~rows["model"].isin(self.unlinked)] if len(rows) else rows

    @property
    def mean_skill(self) -> pd.DataFrame:
        """Return the row of the mean baseline's own skill, which is 0 unless combinations have the additive baseline."""
        summary = self.tables["summary"]
        own = self.of_full("summary", subset="all") if len(summary) else summary
        return own[(own["model"] == "mean") & (own["metric"] == "l2_skill")]

    @property
    def baseline(self) -> str:
        """Return what a skill of 0 is."""
        return ADDITIVE if (self.mean_skill["estimate"].abs() > NEGLIGIBLE).any() else "mean baseline"

    @property
    def baseline_line(self) -> str:
        """Return a short name for a line or a tick."""
        return "baseline" if self.baseline == ADDITIVE else self.baseline

    @property
    def baseline_note(self) -> str:
        """Return what the baseline is where it is not the mean alone, as a sentence to append."""
        return (
            " For combinations, the baseline is the additive prediction; for all other perturbations, it is the mean."
            if self.baseline == ADDITIVE
            else ""
        )

    @property
    def same_for_all(self) -> frozenset[str]:
        """Return the models of one prediction for all, with the baselines that are so by construction."""
        return self.constant | {"mean", "no_change"}

    def order(self) -> list[str]:
        """Return the models that are evaluated, the best first, the mean baseline last."""
        models = self.card.loc[self.card["kind"] != Standing.UNLINKED, "model"].tolist() if len(self.card) else []
        return [*models, *(["mean"] if len(self.tables["summary"]) else [])]

    def ranked(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of evaluated models, in their order."""
        place = {model: i for i, model in enumerate(self.order())}
        kept_rows = rows[rows["model"].isin(place)]
        return kept_rows.sort_values("model", key=lambda s: s.map(place), kind="stable")

    def folded(self, rows: pd.DataFrame, *shown_columns: str) -> pd.DataFrame:
        """Return rows in which constant models with the same numbers, as they are written, are one row."""
        if rows.empty:
            return rows
        words = [tuple(number(row[c]) for c in shown_columns) for row in rows.to_dict("records")]
        same = [
            str(words_of) if model in self.constant else model
            for model, words_of in zip(rows["model"], words, strict=True)
        ]
        names = rows.groupby(same, sort=False)["model"].agg(", ".join)
        first = rows[~pd.Series(same, index=rows.index).duplicated()]
        return first.assign(model=names.to_numpy())

    def of_names(self, names: list[str]) -> dict[str, str]:
        """Return the color of each name, of several together that of the first."""
        return {name: REST_OF if ", " in name else self.colors.get(name, REST_OF) for name in names}


def estimate(value: float, low: float, high: float) -> str:
    """Return an estimate and its interval as the figures have it at the right."""
    if not known(value):
        return "–"
    if not known(low, high) or high - low < NEGLIGIBLE:
        return short(value)
    ends = (short(low), short(high))
    return f"{short(value)} ({(' to ' if '−' in ''.join(ends) else '–').join(ends)})"
