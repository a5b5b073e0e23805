"""Do models lean on the confounders? What retraining without them changes, and whether other genes would do as well."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..wording import (
    BASELINE,
    INCONCLUSIVE,
    MIN_HELD_OUT,
    NO,
    ONLY_BASELINE,
    PARTLY,
    TINY,
    WITHOUT,
    YES,
    Answer,
    Sentence,
    answered,
    by_words,
    fixed,
    fixed_interval,
    gains,
    is_judged,
    known,
    listed,
    of,
    say,
)

NAME, QUESTION = "retraining", "Do models do better without the confounders?"
GENE_REGIMES = ("no_mt_ribo", "no_mt")
CHANGES = ("better", "worse", "same", "unclear", "none")
DEFINED = "A gain is the fall by retraining of the error relative to the mean baseline (l2_ratio), on the same genes"


def leaning(tables: Mapping[str, pd.DataFrame]) -> Answer | None:
    """Say what retraining without mitochondrial and ribosomal genes changes; None without models."""
    if tables["summary"].empty:
        return None
    regimes = tables["retraining"]
    table = regimes[(regimes["metric"] == "l2_ratio") & (regimes["model"] != BASELINE)] if len(regimes) else regimes
    table = table.assign(change=[change(row) for _, row in table.iterrows()])
    if (tables["summary"]["model"] == BASELINE).all():
        verdict, because = INCONCLUSIVE, say(ONLY_BASELINE)
    elif table.empty and len(regimes) and regimes["regime"].isin(GENE_REGIMES).any():
        verdict, because = INCONCLUSIVE, say("This cannot be told: no model was retrained beside the mean baseline")
    else:
        verdict, because = _verdict(table, tables["random_removals"])
    details = [_regime(str(regime), rows) for regime, rows in table.groupby("regime", sort=False)]
    sentences = [*_ranking(tables["ranking"]), *_random(tables["random_removals"])]
    return answered(NAME, QUESTION, verdict, because, sentences, details)


def change(row: pd.Series) -> str:
    """Say in a word what retraining changes, if the interval allows it."""
    if not is_judged(row, "gain"):
        return "none"
    if max(abs(row["ci_low"]), abs(row["ci_high"])) < TINY:
        return "same"
    if abs(row["gain"]) < TINY:  # an interval that excludes 0 makes no gain of what nobody could use
        return "unclear"
    return "better" if row["ci_low"] > 0 else "worse" if row["ci_high"] < 0 else "unclear"


def _verdict(table: pd.DataFrame, random: pd.DataFrame) -> tuple[str, Sentence]:
    """Judge the widest regime without confounder genes."""
    made = [regime for regime in GENE_REGIMES if len(table) and (table["regime"] == regime).any()]
    if not made:
        return INCONCLUSIVE, say("This cannot be told: no regime without confounder genes could be made of this screen")
    rows = table[table["regime"] == made[0]]
    without = WITHOUT[made[0]]
    sure, better = rows[rows["change"] != "none"], rows[rows["change"] == "better"]
    if sure.empty:
        return INCONCLUSIVE, say("This cannot be told: no model has enough held-out perturbations for a verdict", rows)
    if len(better):
        more = more_than_random(random)
        beyond = better[better["model"].isin(more["model"])]
        if len(beyond):
            text = f"Yes: {listed(beyond['model'].tolist())} {_do(beyond)} better {without}, and more so than without as many random genes"
            return YES, say(text, beyond)
        asked = len(_tested(random)) and better["model"].isin(_tested(random)["model"]).all()
        aside = (
            "but not more so than without as many random genes"
            if asked
            else "other genes were not removed in their place"
        )
        text = f"In part: {listed(better['model'].tolist())} {_do(better)} better {without}, {aside}"
        return PARTLY, say(text, better)
    no_model = "no model" if len(sure) == len(rows) else "no model with a verdict"
    if (sure["change"] == "same").all():
        return NO, say(f"No: retrained {without}, the error of {no_model} changes by as much as {TINY}", sure)
    if (sure["change"] == "worse").any():
        worse = sure[sure["change"] == "worse"]
        return NO, say(
            f"No: {without}, {listed(worse['model'].tolist())} {_do(worse)} worse, and {no_model} better", worse
        )
    same, rest = (sure["change"] == "same").sum(), sure[sure["change"] != "same"]
    zero = "0" if ((rest["ci_low"] <= 0) & (rest["ci_high"] >= 0)).all() else f"changes below {TINY}"
    text = f"No gain can be told: {without}, nothing changes for {same} of {len(sure)} models, and the intervals of the others hold {zero}"
    return INCONCLUSIVE, say(text, sure)


def _do(rows: pd.DataFrame) -> str:
    return "does" if len(rows) == 1 else "do"


def _regime(regime: str, rows: pd.DataFrame) -> Sentence:
    parts = dict(iter(rows.groupby("change", sort=False)))
    text = "; ".join(_words(word, parts[word]) for word in CHANGES if word in parts)
    return say(f"Retrained {_without(regime)}: {text}", rows)


def _words(word: str, rows: pd.DataFrame) -> str:
    names = rows["model"].tolist()
    if word == "same":
        n = listed(sorted({str(n) for n in rows["n"]}, key=int))
        return f"nothing changes for {listed(names)} (gain {'0' if (rows['gain'] == 0).all() else f'below {TINY}'}; n = {n})"
    if word == "none":
        return f"there is no verdict on {listed(names)} (n below {MIN_HELD_OUT}, or no interval)"
    lead = {"better": "a gain for", "worse": "a loss for", "unclear": "no change can be told for"}[word]
    return f"{lead} {by_words(names, gains(rows))}"


def _ranking(ranking: pd.DataFrame) -> list[Sentence]:
    """Say whether retraining turns the order of two models round, where both orders are told."""
    told = ranking[ranking["n"] >= MIN_HELD_OUT] if len(ranking) else ranking
    if told.empty:
        return []
    turned, kept = told[told["order"] == "reversed"], told[told["order"] == "kept"]
    if len(turned):
        pairs = "; ".join(f"{_without(r['regime'])}, {_pair(r)}" for _, r in turned.iterrows())
        return [say(f"The ranking changes: {pairs}", turned)]
    if kept.empty:
        return [say("Whether retraining changes the ranking cannot be told: no two models are told apart", told)]
    parts = [
        f"{len(rows)} of {(told['regime'] == r).sum()} {_without(r)}" for r, rows in kept.groupby("regime", sort=False)
    ]
    text = "Retraining does not change the ranking: where two models are told apart before and after, the order is the same"
    return [say(f"{text} (pairs: {', '.join(parts)})", told)]


def _without(regime: object) -> str:
    return WITHOUT.get(str(regime), str(regime))


def _pair(row: pd.Series) -> str:
    first, then = (row["model_a"], row["model_b"]) if row["full"] < 0 else (row["model_b"], row["model_a"])
    return f"{first} is before {then} if trained on all genes, and behind it if retrained ({of(row['n'])})"


def more_than_random(random: pd.DataFrame) -> pd.DataFrame:
    """Return the models whose gain is above those of all random removals."""
    rows = _tested(random)
    return rows[(rows["gain"] > rows["random_max"]) & (rows["gain"] >= TINY)] if len(rows) else rows


def _tested(random: pd.DataFrame) -> pd.DataFrame:
    """Return the models that were retrained and could differ, on enough perturbations."""
    if random.empty:
        return random
    keep = []
    for _, row in random.iterrows():
        numbers = [row[key] for key in ("gain", "random_min", "random_max", "p")]
        keep.append(row["n"] >= MIN_HELD_OUT and known(*numbers) and max(abs(x) for x in numbers[:3]) >= TINY)
    return random[pd.Series(keep, index=random.index, dtype=bool)]


def _random(random: pd.DataFrame) -> list[Sentence]:
    said = []
    rows = _tested(random)
    for regime, table in rows.groupby("regime", sort=False) if len(rows) else []:
        without = _without(regime)
        above = table["model"].isin(more_than_random(table)["model"])
        more, untold = table[above], table[~above]
        if len(more):
            text = f"Retraining {without} helps more than without as many random genes of the same expression"
            said.append(say(f"{text}: {_beside(more, ', and rests on a gain above all {} removals')}", more))
        if len(untold):
            text = f"Retraining {without} cannot be told to help more than without as many random genes"
            said.append(say(f"{text}: {_beside(untold, '')}", untold))
    return said


def _beside(rows: pd.DataFrame, ending: str) -> str:
    ways = [
        f"gains {fixed(r['gain'])}, random removals {fixed(r['random_mean'])} "
        f"{fixed_interval(r['random_min'], r['random_max'])} (n = {r['n']}; the range of {r['n_random']})"
        f"{ending.format(r['n_random'])}"
        for _, r in rows.iterrows()
    ]
    return by_words(rows["model"].tolist(), ways)
