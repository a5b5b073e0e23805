"""Which model would one trust? What beats the mean of the other perturbations, and for the right reason."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..._keys import OBSERVED
from ..wording import (
    BASELINE,
    CONSTANT,
    INCONCLUSIVE,
    NO,
    ONLY_BASELINE,
    PARTLY,
    TINY,
    YES,
    Answer,
    Sentence,
    answered,
    by_words,
    fixed,
    fixed_interval,
    gains,
    interval,
    is_judged,
    judged,
    known,
    listed,
    number,
    of,
    percent,
    percent_interval,
    say,
)
from .scorecard import ALONG, GOOD, KNOWS, NONE, OFF_AXIS, OFF_SHARE, SHARED, SPECIFIC, above_ceiling

NAME, QUESTION = "models", "Which model would you trust on a perturbation it has not seen?"
NOISE = "control noise"


def trusted(tables: Mapping[str, pd.DataFrame], card: pd.DataFrame) -> Answer:
    """Name the models that beat the mean baseline, and say whether they know which perturbation is which."""
    if tables["summary"].empty:
        return answered(NAME, QUESTION, INCONCLUSIVE, say("No model was fitted: this report is about the screen alone"))
    verdict, because = _verdict(card)
    specificity = tables["specificity"]
    details = [*_beaten(card), *_apart(card, specificity), *_off_axis(card, specificity), *_constant(card)]
    return answered(NAME, QUESTION, verdict, because, _alike(card, tables["summary"]), details)


def _verdict(card: pd.DataFrame) -> tuple[str, Sentence]:
    sure = card[card["verdict"] != NONE]
    right, better = sure[sure["verdict"] == KNOWS], sure[sure["tone"] == GOOD]
    shared = sure[sure["verdict"].isin((ALONG, SHARED))]
    closer = "closer to the truth than the mean of the other perturbations"
    if len(right):
        text = f"{_names(right)}: {closer}{_far(right)}, and right about what is specific to each{_specific(right)}"
        return YES, say(text + _too_good(right), right)
    if len(better):
        text = f"{_names(better)}: {closer}{_far(better)}, and better on the own perturbation than on others"
        return YES, say(text + _too_good(better), better)
    if len(shared):
        text = (
            f"None fully: {_names(shared)} {_come(shared)} {closer}{_far(shared)}, but only by what perturbations share"
        )
        return PARTLY, say(text + _too_good(shared), shared)
    if len(sure):
        rough = f" ({of(sure['n'].max())})"
        return NO, say(f"None: no model can be told to come {closer}{rough}", sure)
    if card.empty:  # the baseline has no row: all others are held beside it
        return INCONCLUSIVE, say(ONLY_BASELINE)
    return INCONCLUSIVE, say("This cannot be told: no model has enough held-out perturbations for a verdict", card)


def _names(rows: pd.DataFrame) -> str:
    return listed(rows["model"].tolist())


def _come(rows: pd.DataFrame) -> str:
    return "comes" if len(rows) == 1 else "come"


def _far(rows: pd.DataFrame) -> str:
    """Return how far the best of them comes on the way from the mean to the truth."""
    r = rows.loc[rows["skill"].idxmax()]
    ways = {f"{percent(x['skill'])} {percent_interval(x['ci_low'], x['ci_high'])}" for _, x in rows.iterrows()}
    best = "" if len(ways) == 1 else f" for {r['model']}"
    return f" ({percent(r['skill'])} {percent_interval(r['ci_low'], r['ci_high'])} of the way{best}, {of(r['n'])})"


def _too_good(rows: pd.DataFrame) -> str:
    high = above_ceiling(rows)
    return (
        ""
        if high.empty
        else f"; but {_names(high)} {'is' if len(high) == 1 else 'are'} above the ceiling: read with care"
    )


def _specific(rows: pd.DataFrame) -> str:
    r = rows.loc[rows["skill"].idxmax()]
    gain = f"{fixed(r['off_axis_gain'])} {fixed_interval(r['off_axis_ci_low'], r['off_axis_ci_high'])}"
    return f" (off the shared axis, {gain} more correlation than with the wrong perturbation)"


def _beaten(card: pd.DataFrame) -> list[Sentence]:
    """Say which models are better or worse than the mean baseline, by what share of the way to the ceiling."""
    sure = card[card["verdict"] != NONE]
    better, worse = sure[sure["ci_low"] > 0], sure[sure["ci_high"] < 0]
    same = sure[(sure["ci_low"] <= 0) & (sure["ci_high"] >= 0)]
    said = []
    for rows, words in (
        (better, "Closer to the truth than the mean baseline, by this share of the way to the ceiling:"),
        (worse, "Farther from the truth than the mean baseline:"),
        (same, "Cannot be told from the mean baseline:"),
    ):
        if len(rows):
            said.append(say(f"{words} {_ways(rows)}", rows))
    for _, row in card[card["verdict"] == NONE].iterrows():
        said.append(say(f"No verdict on {row['model']}: {row['note']}", card[card["model"] == row["model"]]))
    return said


def _alike(card: pd.DataFrame, summary: pd.DataFrame) -> list[Sentence]:
    """Say where counting weak perturbations as much as strong ones changes the verdict."""
    own = summary[(summary["subset"] == "all") & (summary["regime"] == "full") & (summary["metric"] == "l2_ratio")]
    rows = judged(own[own["model"].isin(card["model"])], "estimate")
    by_skill = card.set_index("model")
    keep = []
    for _, r in rows.iterrows():
        side = -1 if r["ci_low"] > 1 + TINY else 1 if r["ci_high"] < 1 - TINY else 0
        low, high = by_skill.loc[r["model"], ["ci_low", "ci_high"]]
        keep.append(side != 0 and side != (1 if low > 0 else -1 if high < 0 else 0))
    rows = rows[pd.Series(keep, index=rows.index, dtype=bool)]
    if rows.empty:
        return []
    ways = [
        f"{fixed(r['estimate'])} {fixed_interval(r['ci_low'], r['ci_high'])} ({of(r['n'])})" for _, r in rows.iterrows()
    ]
    text = (
        "With weak perturbations counted as much as strong ones (l2_ratio), the error is this many times that of the mean "
        f"baseline: {by_words(rows['model'].tolist(), ways)}"
    )
    return [say(text, rows)]


def _ways(rows: pd.DataFrame) -> str:
    ways = [
        f"{percent(r['skill'])} {percent_interval(r['ci_low'], r['ci_high'])} ({of(r['n'])})"
        for _, r in rows.iterrows()
    ]
    return by_words(rows["model"].tolist(), ways)


def _asked(card: pd.DataFrame, specificity: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return what models that differ between perturbations gain over their own predictions for the wrong ones."""
    if specificity.empty:
        return specificity
    table = specificity[(specificity["metric"] == metric) & (specificity["regime"] == "full")]
    table = table[~table["model"].isin((OBSERVED, BASELINE)) & table["model"].isin(card["model"])]
    table = judged(table, "specific_gain")
    constant = table["note"].str.startswith(CONSTANT) | (table["specific_gain"] == 0)
    return table[~constant]


def _apart(card: pd.DataFrame, specificity: pd.DataFrame) -> list[Sentence]:
    table = _asked(card, specificity, SPECIFIC)
    better, worse = table[table["ci_low"] > 0], table[table["ci_high"] < 0]
    untold = table[(table["ci_low"] <= 0) & (table["ci_high"] >= 0)]
    said = []
    for rows, words in (
        (better, "Predictions fit their own perturbation better than a wrong one, in correlation by"),
        (worse, "Predictions fit their own perturbation worse than a wrong one:"),
        (untold, "Whether predictions fit their own perturbation better than a wrong one cannot be told:"),
    ):
        if len(rows):
            said.append(
                say(f"{words} {by_words(rows['model'].tolist(), gains(rows, 'specific_gain'))}{_truth(rows)}", rows)
            )
    return said


def _off_axis(card: pd.DataFrame, specificity: pd.DataFrame) -> list[Sentence]:
    """Say the same of what is off the shared axis; the scorecard is without it where that axis must not be used."""
    if card["off_axis_gain"].isna().all():
        return []
    table = _asked(card, specificity, OFF_AXIS)
    better, worse = table[table["ci_low"] > 0], table[table["ci_high"] < 0]
    untold = table[(table["ci_low"] <= 0) & (table["ci_high"] >= 0)]
    said = []
    for rows, words in (
        (better, "Off the axis that perturbations share they do so too, by"),
        (worse, "Off the axis that perturbations share, predictions fit a wrong perturbation better than their own:"),
        (untold, "Off the axis that perturbations share no such gain can be told for"),
    ):
        if len(rows):
            told = by_words(rows["model"].tolist(), gains(rows, "specific_gain"))
            said.append(say(f"{words} {told}{_truth(rows)}", rows))
    return said + _off_share(table["model"], specificity)


def _off_share(models: pd.Series, specificity: pd.DataFrame) -> list[Sentence]:
    """Say how much of what models predict lies off the shared axis at all: a correlation says nothing of size."""
    table = specificity[(specificity["metric"] == OFF_SHARE) & (specificity["regime"] == "full")]
    table = judged(table[table["model"].isin(models)], "score")
    if table.empty:
        return []
    shares = [f"{percent(r['score'])} {percent_interval(r['ci_low'], r['ci_high'])}" for _, r in table.iterrows()]
    most = table.loc[table["n"].idxmax(), "ceiling"]
    data = f"; in the data {percent(most)}" if known(most) else ""
    text = f"Of the predicted effects this share lies off that axis: {by_words(table['model'].tolist(), shares)}{data}"
    return [say(text, table)]


def _truth(rows: pd.DataFrame) -> str:
    most = rows.loc[rows["n"].idxmax(), "ceiling_gain"]
    return f"; the truth itself gains {fixed(most)}" if known(most) else ""


def _constant(card: pd.DataFrame) -> list[Sentence]:
    rows = card[card["note"] == CONSTANT]
    if rows.empty:
        return []
    names = listed(rows["model"].tolist())
    verb = "predicts" if len(rows) == 1 else "predict"
    return [say(f"{names} {verb} the same for every unseen perturbation, so that no score is knowledge of one", rows)]


def collapsed(variance_ratio: pd.DataFrame) -> list[Sentence]:
    """Say which models have fallen back to a baseline."""
    if variance_ratio.empty:
        return []
    table = variance_ratio[(variance_ratio["level"] == "screen") & (variance_ratio["regime"] == "full")]
    table = table[(table["collapsed_to"] != "") & (table["collapsed_to"] != table["model"])]
    table = judged(table.assign(n=table["n_perturbations"]), "ratio")
    said = []
    for baseline, rows in table.groupby("collapsed_to", sort=False):
        shares = [f"{percent(r['ratio'])} {percent_interval(r['ci_low'], r['ci_high'])}" for _, r in rows.iterrows()]
        text = (
            f"Collapsed to the baseline {baseline} (cosine above 0.999); of the variance between perturbations "
            f"they predict: {by_words(rows['model'].tolist(), shares)}"
        )
        said.append(say(text, rows))
    return said


def correlation(summary: pd.DataFrame) -> list[Sentence]:
    """Say what the mean baseline alone correlates, or that this correlation cannot be used here."""
    if summary.empty:
        return []
    own = summary[(summary["subset"] == "all") & (summary["regime"] == "full") & (summary["model"] == BASELINE)]
    rows = own[own["metric"] == "pearson_delta"]
    if rows.empty:
        return []
    r = rows.iloc[0]
    if str(r["note"]).startswith(NOISE):
        noise = str(r["note"]).split(":")[0]
        return [say(f"The score pearson_delta is not used here, as it rewards the noise of the control: {noise}", rows)]
    if not is_judged(r, "estimate"):
        return []
    ceiling = f"; ceiling {number(r['ceiling'])}" if known(r["ceiling"]) else ""
    text = (
        f"The mean baseline, which knows nothing of the perturbation at hand, already correlates {number(r['estimate'])} "
        f"{interval(r['ci_low'], r['ci_high'])} with the observed effects (pearson_delta, {of(r['n'])}{ceiling}): a model's "
        "pearson_delta counts only beyond that"
    )
    return [say(text, rows)]
