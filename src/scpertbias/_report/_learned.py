"""What the response is made of and what the models learned of it, in sentences."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from .._keys import OBSERVED
from ._format import TINY, fixed, fixed_interval, known, listed, number, percent, percent_interval
from ._say import CONSTANT, MIN_HELD_OUT, WITHOUT, Sentence, by_words, gains, judged, say

AXES = {
    "mt": "Mitochondrial genes carry",
    "ribo": "Ribosomal genes carry",
    "systematic": "The axis along which all perturbations move together (systematic) carries",
}
METRIC = "pearson_delta_perturbed"
AT_MOST = 5
LEVEL = 0.05


def response(confounding: pd.DataFrame) -> list[Sentence]:
    """Say which share of the response lies on the axes that confound it, where that is known."""
    table = confounding[confounding["regime"] == "full"] if len(confounding) else confounding
    said = []
    for axis, words in AXES.items():
        rows = table[(table["axis"] == axis) & (table["level"] == "screen")] if len(table) else table
        for _, row in rows.iterrows():
            if known(row["share"], row["low"], row["high"]):
                share = f"{percent(row['share'])} {percent_interval(row['low'], row['high'])}"
                said.append(say("response", f"{words} {share} of the response{_aside(row)}", rows))
    return said


def _aside(row: pd.Series) -> str:
    """Return what random genes carry, and how far the interval is to be trusted."""
    asides = [part for part in str(row["note"]).split("; ") if part]
    asides = ["the interval is approximate" if part.startswith("approximate") else part for part in asides]
    if known(row["null"], row["p"]):
        asides.insert(0, f"random sets of equally expressed genes {percent(row['null'])}, p = {number(row['p'])}")
    return f" ({'; '.join(asides)})" if asides else ""


def shift(on_target: pd.DataFrame) -> list[Sentence]:
    """Say whether the values of the data seem to lie beside their gene names."""
    if on_target.empty:
        return []
    scan = on_target[(on_target["model"] == OBSERVED) & (on_target["level"] == "scan")]
    asked = scan[(scan["block"] == "all") & (scan["note"] == "")]
    if asked.empty:
        return [_not_asked(scan)] if len(scan) else []
    moved = scan[scan["proposed"].eq(True).fillna(False).astype(bool) & (scan["shift"] != 0)]
    if len(moved):
        return [say("caution", f"Values seem to lie beside their gene names: {_places(moved)}", moved)]
    in_place = asked[asked["shift"] == 0]
    own = "".join(
        f": in their own columns the {r['n_targets']:.0f} measured targets move more than {percent(r['percentile'])} of "
        f"genes, in a random perturbation more than {percent(r['expected'])} (p = {number(r['p'])})"
        for _, r in in_place.iterrows()
    )
    return [say("on_target", f"No shift of values against gene names is proposed{own}", in_place)]


def _not_asked(scan: pd.DataFrame) -> Sentence:
    why = scan["note"].iloc[0].removeprefix("not informative: ")
    return say("on_target", f"Whether values lie beside their gene names cannot be told: {why}")


def _places(moved: pd.DataFrame) -> str:
    return "; ".join(
        f"from {r['first']} to {r['last']} by {number(r['shift'])} (there {r['n_targets']:.0f} targets move more than "
        f"{percent(r['percentile'])} of genes, by chance {percent(r['expected'])}; q = {number(r['q'])})"
        for _, r in moved.iterrows()
    )


def known_perturbations(specificity: pd.DataFrame, variance_ratio: pd.DataFrame) -> list[Sentence]:
    """Say which models do better on their own perturbations than on each other's, and which are a baseline again."""
    if specificity.empty:
        return []
    asked = specificity[(specificity["metric"] == METRIC) & (specificity["model"] != OBSERVED)]
    sure = judged(asked, "specific_gain")
    constant = sure["note"].str.startswith(CONSTANT) | (sure["specific_gain"] == 0)
    better, worse = sure[~constant & (sure["low"] > 0)], sure[~constant & (sure["high"] < 0)]
    untold = sure[~constant & (sure["low"] <= 0) & (sure["high"] >= 0)]
    said = []
    if len(better):
        text = f"Know which perturbation is which (gain over predictions given to the wrong ones): {_gained(better)}"
        said.append(say("specific", text, better))
    elif len(sure):
        said.append(
            say("specific", "No model does better than its own predictions given to the wrong perturbations", sure)
        )
    for rows, words in ((worse, "Do worse than"), (untold, "Cannot be told from")):
        if len(rows):
            text = f"{words} their own predictions given to the wrong perturbations: {_gained(rows)}"
            said.append(say("specific", text, rows))
    if constant.any():
        none = sure[constant]
        text = f"Gain nothing by which perturbation is which: {_gained(none)}"
        said.append(say("specific", text, none))
    if len(sure):
        text = f"These gains are correlations beyond the mean of the perturbed ({METRIC}){_ceiling(sure)}"
        said.append(say("specific", text))
    return said + _collapsed(variance_ratio)


def _gained(rows: pd.DataFrame) -> str:
    return by_words(rows["model"].tolist(), gains(rows, "specific_gain"))


def _ceiling(rows: pd.DataFrame) -> str:
    most = rows.loc[rows["n"].idxmax(), "ceiling_gain"]
    return f"; the truth itself gains {fixed(most)}" if known(most) else ""


def _collapsed(variance_ratio: pd.DataFrame) -> list[Sentence]:
    if variance_ratio.empty:
        return []
    table = variance_ratio[(variance_ratio["level"] == "screen") & (variance_ratio["regime"] == "full")]
    table = table[(table["collapsed_to"] != "") & (table["collapsed_to"] != table["model"])]
    table = judged(table.assign(n=table["n_perturbations"]), "ratio")
    said = []
    for baseline, rows in table.groupby("collapsed_to", sort=False):
        shares = [f"{percent(r['ratio'])} {percent_interval(r['low'], r['high'])}" for _, r in rows.iterrows()]
        text = (
            f"Collapsed to the baseline {baseline} (cosine above 0.999); of the variance between perturbations "
            f"they predict: {by_words(rows['model'].tolist(), shares)}"
        )
        said.append(say("specific", text, rows))
    return said


def random_removals(random_regimes: pd.DataFrame) -> list[Sentence]:
    """Say where retraining without a regime's genes does more than without as many random ones."""
    if random_regimes.empty:
        return []
    tested = [_is_tested(row) for _, row in random_regimes.iterrows()]
    rows = random_regimes[pd.Series(tested, index=random_regimes.index, dtype=bool)]
    said = []
    for regime, table in rows.groupby("regime", sort=False):
        without = WITHOUT.get(str(regime), str(regime))
        above = (table["gain"] > table["random_high"]) & (table["gain"] > 0)
        more, untold = table[above], table[~above]
        if len(more):
            text = f"Retraining {without} helps more than without as many random genes of the same expression"
            said.append(say("regimes", f"{text}: {_beside(more, ', and rests on a gain above all {} removals')}", more))
        if len(untold):
            text = f"Retraining {without} cannot be told to help more than without as many random genes"
            said.append(say("regimes", f"{text}: {_beside(untold, '')}", untold))
    return said


def _is_tested(row: pd.Series) -> bool:
    """Whether anything was retrained that could differ, on enough perturbations."""
    numbers = [row[key] for key in ("gain", "random_low", "random_high", "p")]
    return row["n"] >= MIN_HELD_OUT and known(*numbers) and max(abs(x) for x in numbers[:3]) >= TINY


def _beside(rows: pd.DataFrame, ending: str) -> str:
    ways = [
        f"gains {fixed(r['gain'])}, random removals {fixed(r['random_mean'])} "
        f"{fixed_interval(r['random_low'], r['random_high'])} (n = {r['n']}; the range of {r['n_random']})"
        f"{ending.format(r['n_random'])}"
        for _, r in rows.iterrows()
    ]
    return by_words(rows["model"].tolist(), ways)


def recurring(recurrence: pd.DataFrame) -> list[Sentence]:
    """Name the genes that models put on top more often than the truth and than chance do."""
    if recurrence.empty:
        return []
    table = tested(recurrence)
    table = table[table["n_perturbations"] >= MIN_HELD_OUT]
    found = beyond_the_truth(table)
    without = [str(m) for m in dict.fromkeys(table["model"]) if m not in set(found["model"])]
    said = []
    for words, models in _alike(found, _named):
        text = f"In the predictions of {listed(models)} these genes recur beyond the truth: {words}"
        said.append(say("recurrence", text, found[found["model"].isin(models)]))
    if without:
        n = listed(sorted({str(n) for n in table.loc[table["model"].isin(without), "n_perturbations"]}, key=int))
        text = f"No gene recurs beyond the truth in the predictions of {listed(without)} (q < {LEVEL}; n = {n})"
        said.append(say("recurrence", text))
    return said


def tested(recurrence: pd.DataFrame) -> pd.DataFrame:
    """Return the genes of models that were tested against chance, in the full screen by z."""
    table = recurrence[(recurrence["regime"] == "full") & (recurrence["by"] == "z") & (recurrence["model"] != OBSERVED)]
    return table[table["q"].notna()]


def beyond_the_truth(table: pd.DataFrame) -> pd.DataFrame:
    """Return the genes that are called, most often first."""
    called = table[(table["q"] < LEVEL) & (table["excess"] > 0)]
    return called.sort_values(["excess", "count"], ascending=False, kind="stable")


def _alike(found: pd.DataFrame, words: Callable[[pd.DataFrame], str]) -> list[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for model, rows in found.groupby("model", sort=False):
        groups.setdefault(words(rows), []).append(str(model))
    return list(groups.items())


def _named(rows: pd.DataFrame) -> str:
    named = [
        f"{r['symbol']} in {r['count']} (truth {r['count'] - r['excess']:.0f})"
        for _, r in rows.head(AT_MOST).iterrows()
    ]
    more = f" and {len(rows) - AT_MOST} more" if len(rows) > AT_MOST else ""
    return f"{', '.join(named)}{more} (n = {rows['n_perturbations'].iloc[0]}, q < {LEVEL})"
