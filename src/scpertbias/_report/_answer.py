"""The answer in plain sentences, each picked from a stored table and held to the rules of what may be said."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ._format import TINY, interval, known, listed, number, percent, percent_interval
from ._learned import known_perturbations, random_removals, recurring, response, shift
from ._say import CONSTANT, MIN_HELD_OUT, WITHOUT, Sentence, by_words, gains, judged, say

FEW = 50
BASELINE = "mean"
NOISE = "control noise"
SCALE = (
    "The percentages are l2_skill, the way from the mean baseline (0 %) to the ceiling, which is the score of the truth "
    "itself (100 %), each with its 95 % interval and the number of held-out perturbations"
)
CAUTIONS = ("labels", "strata", "split")


def answer(tables: Mapping[str, pd.DataFrame], unseen: Mapping[str, str]) -> list[Sentence]:
    """Return sentences as topic, text and the table rows they rest on.

    ``tables`` are the stored tables by name (one that was not made is empty), ``unseen`` what the record of
    each model notes on unseen perturbations.
    """
    said = _screen(tables["check"]) + response(tables["confounding"]) + shift(tables["on_target"])
    said += _models(tables["summary"], unseen)
    said += known_perturbations(tables["specificity"], tables["variance_ratio"]) + recurring(tables["recurrence"])
    said += _regimes(tables["regimes"]) + random_removals(tables["random_regimes"])
    said += _left_out(tables["regimes_left_out"], tables["models_left_out"])
    return said


def _screen(check: pd.DataFrame) -> list[Sentence]:
    response = check[check["check"] == "response"]
    said = [say("screen", row["detail"]) for _, row in response.iterrows()]
    cautions = check[check["check"].isin(CAUTIONS) & (check["status"] == "warning")]
    return said + [say("caution", row["detail"]) for _, row in cautions.iterrows()]


def _models(summary: pd.DataFrame, unseen: Mapping[str, str]) -> list[Sentence]:
    if summary.empty:
        return [say("models", "No model was fitted: this report is about the screen alone")]
    own = summary[(summary["subset"] == "all") & (summary["regime"] == "full")]
    skill = own[(own["metric"] == "l2_skill") & (own["model"] != BASELINE)]
    sure = judged(skill, "estimate")
    better, worse = sure[sure["low"] > 0], sure[sure["high"] < 0]
    same = sure[(sure["low"] <= 0) & (sure["high"] >= 0)]
    said = []
    if len(better):
        said.append(say("models", f"Better than the mean baseline on held-out perturbations: {_ways(better)}", better))
    elif len(sure):
        said.append(say("models", "No model beats the mean baseline on held-out perturbations", sure))
    if len(worse):
        said.append(say("models", f"Worse than the mean baseline: {_ways(worse)}", worse))
    if len(same):
        said.append(say("models", f"Cannot be told from the mean baseline: {_ways(same)}", same))
    if len(sure):
        said.append(say("models", SCALE))
    said += [say("models", _no_verdict(row), skill.loc[[i]]) for i, row in skill.iterrows() if i not in sure.index]
    said += _constant(own, unseen)
    said += _correlation(own)
    few = sure[sure["n"] < FEW]
    if len(few):
        of = "all models" if len(few) == len(sure) else listed(few["model"].tolist())
        text = f"Under {FEW} held-out perturbations (down to {int(few['n'].min())}) intervals are approximate: those of {of}"
        said.append(say("caution", text))
    return said


def _has_verdict(row: pd.Series) -> bool:
    return row["n"] >= MIN_HELD_OUT and known(row["estimate"], row["low"], row["high"])


def _ways(rows: pd.DataFrame) -> str:
    ways = [
        f"{percent(r['estimate'])} {percent_interval(r['low'], r['high'])} (n = {r['n']})" for _, r in rows.iterrows()
    ]
    return by_words(rows["model"].tolist(), ways)


def _no_verdict(row: pd.Series) -> str:
    if row["n"] < MIN_HELD_OUT:
        return f"No verdict on {row['model']}: {row['n']} held-out perturbations, {MIN_HELD_OUT} are needed"
    return f"No verdict on {row['model']} (n = {row['n']}): {row['note'] or 'the interval is not defined'}"


def _constant(own: pd.DataFrame, unseen: Mapping[str, str]) -> list[Sentence]:
    names = [m for m in dict.fromkeys(own["model"]) if str(unseen.get(m, "")).startswith(CONSTANT)]
    if not names:
        return []
    text = f"The {CONSTANT} comes from {listed(names)}: no score of theirs is knowledge of the particular perturbation"
    return [say("models", text)]


def _correlation(own: pd.DataFrame) -> list[Sentence]:
    """Say what the baseline alone correlates, or that this correlation cannot be used here."""
    row = own[(own["metric"] == "pearson_delta") & (own["model"] == BASELINE)]
    if row.empty:
        return []
    r = row.iloc[0]
    if str(r["note"]).startswith(NOISE):
        noise = str(r["note"]).split(":")[0]
        return [
            say(
                "models",
                f"The score pearson_delta is not used here, as it rewards the noise of the control: {noise}",
                row,
            )
        ]
    if not _has_verdict(r):
        return []
    ceiling = f"; ceiling {number(r['ceiling'])}" if known(r["ceiling"]) else ""
    text = (
        f"The mean baseline, which knows nothing of the perturbation at hand, already correlates {number(r['estimate'])} "
        f"{interval(r['low'], r['high'])} with the observed effects (pearson_delta, n = {r['n']}{ceiling}): a model's "
        "pearson_delta counts only beyond that"
    )
    return [say("models", text, row)]


def _regimes(regimes: pd.DataFrame) -> list[Sentence]:
    table = regimes[(regimes["metric"] == "l2_ratio") & (regimes["model"] != BASELINE)] if len(regimes) else regimes
    said = []
    for regime, rows in table.groupby("regime", sort=False) if len(table) else []:
        changes = pd.Series([_change(row) for _, row in rows.iterrows()], index=rows.index)
        parts = dict(iter(rows.groupby(changes, sort=False)))
        text = "; ".join(_change_words(change, parts[change]) for change in CHANGES if change in parts)
        said.append(say("regimes", f"Retrained {WITHOUT.get(str(regime), regime)}: {text}", rows))
    if said:
        text = (
            "A gain is the fall by retraining of the error relative to the mean baseline (l2_ratio), on the same genes"
        )
        said.append(say("regimes", text))
    return said


CHANGES = ("better", "worse", "same", "unclear", "none")


def _change(row: pd.Series) -> str:
    if not (row["n"] >= MIN_HELD_OUT and known(row["gain"], row["low"], row["high"])):
        return "none"
    if max(abs(row["low"]), abs(row["high"])) < TINY:
        return "same"
    return "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "unclear"


def _change_words(change: str, rows: pd.DataFrame) -> str:
    names = rows["model"].tolist()
    if change == "same":
        size = "gain 0" if (rows["gain"] == 0).all() else f"gain 0, or below {TINY}"
        return (
            f"nothing changes for {listed(names)} ({size}; n = {listed(sorted({str(n) for n in rows['n']}, key=int))})"
        )
    if change == "none":
        return f"there is no verdict on {listed(names)} (n below {MIN_HELD_OUT}, or no interval)"
    lead = {"better": "a gain for", "worse": "a loss for", "unclear": "no change can be told for"}[change]
    return f"{lead} {by_words(names, gains(rows))}"


def _left_out(regimes: pd.DataFrame, models: pd.DataFrame) -> list[Sentence]:
    said = [say("left_out", f"Regime {r['regime']} was left out: {r['reason']}") for _, r in regimes.iterrows()]
    if len(models):
        for (model, reason), rows in models.groupby(["model", "reason"], sort=False):
            where = listed(rows["regime"].tolist())
            said.append(say("left_out", f"Model {model} was left out (regime {where}): {reason}", rows))
    return said
