"""Is the screen confounded, and by what? From the shares of the response, before any model."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..wording import (
    APPROXIMATE,
    INCONCLUSIVE,
    NO,
    PARTLY,
    YES,
    Answer,
    Sentence,
    answered,
    cut,
    known,
    listed,
    number,
    percent,
    percent_interval,
    say,
)

NAME, QUESTION = "confounding", "Is this screen confounded, and by what?"
SYSTEMATIC, WEAK = "systematic", "weak axis"
GENES = {
    "mt": "mitochondrial genes",
    "ribo": "ribosomal genes",
    "oxphos_nuclear": "nuclear genes of the respiratory chain",
    "cell_cycle": "cell-cycle genes",
    "histone": "histone genes",
    "heat_shock": "heat-shock genes",
    "upr_isr": "stress-response genes (upr_isr)",
    "p53": "target genes of p53",
    "hemoglobin": "hemoglobin genes",
}
ALWAYS = ("mt", "ribo")
REST = "other"
MUCH = 0.25
FEW = 20
"""Effective perturbations under which an axis is that of a few."""
PART = 0.1
LEVEL = 0.05
AT_MOST = 5
DEFINED = (
    f"Confounded means here that at least {100 * MUCH:.0f} % of the response lies on one axis that perturbations share, "
    "or that a confounder gene set carries more than random sets of equally expressed genes"
)


def confounding(tables: Mapping[str, pd.DataFrame]) -> Answer:
    """Say whether a shared axis or a confounder gene set carries the response, where that is known."""
    shares = of_screen(tables["confounding"])
    axis = on_systematic(tables["confounding"])
    sets = shares[(shares["kind"] == "genes") & (shares["axis"] != REST)] if len(shares) else shares
    called = beyond_random(sets)
    verdict = _verdict(axis, called, sets)
    sentences = [*_sets(sets, called), *_axis(axis), *_depth(shares)]
    return answered(NAME, QUESTION, verdict, _because(verdict, axis, called, sets, shares), sentences)


def of_screen(confounding: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of the whole response, in the full screen."""
    if confounding.empty:
        return confounding
    return confounding[(confounding["regime"] == "full") & (confounding["level"] == "screen")]


def on_systematic(confounding: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the axis that all perturbations share (none, if it was not asked)."""
    table = of_screen(confounding)
    return table[table["axis"] == SYSTEMATIC] if len(table) else table


def is_usable(axis: pd.DataFrame) -> bool:
    """Whether a sentence may rest on the axis: it has a share with an interval, and its halves agree (cosine of 0.3)."""
    if axis.empty:
        return False
    row = axis.iloc[0]
    return known(row["share"], row["ci_low"], row["ci_high"]) and WEAK not in str(row["note"])


def beyond_random(sets: pd.DataFrame) -> pd.DataFrame:
    """Return the gene sets that carry more than random ones, adjusted for the number of sets (Bonferroni)."""
    if sets.empty:
        return sets
    tested = sets[sets["p"].notna() & sets["ci_low"].notna()]
    found = tested[(tested["p"] * len(tested) < LEVEL) & (tested["ci_low"] > tested["null"])]
    return found.sort_values("share", ascending=False, kind="stable")


def _verdict(axis: pd.DataFrame, called: pd.DataFrame, sets: pd.DataFrame) -> str:
    usable = is_usable(axis)
    if usable and axis["ci_low"].iloc[0] >= MUCH:
        return YES
    if len(called):
        return YES if called["ci_low"].iloc[0] >= MUCH else PARTLY
    if usable:
        return NO if axis["ci_high"].iloc[0] < MUCH and len(sets) else INCONCLUSIVE
    return NO if _without_axis(axis) and _are_small(sets) else INCONCLUSIVE


def _without_axis(axis: pd.DataFrame) -> bool:
    """Whether there is a response, and no axis of it that its halves agree on."""
    return len(axis) > 0 and str(axis["note"].iloc[0]).startswith((WEAK, "no reproducible axis"))


def _are_small(sets: pd.DataFrame) -> bool:
    """Whether what mitochondrial and ribosomal genes carry, of those that are measured, is known to be little."""
    asked = sets[sets["axis"].isin(ALWAYS) & (sets["n_genes"] > 0)] if len(sets) else sets
    return len(asked) > 0 and bool((asked["ci_high"] < MUCH).all())


def _because(
    verdict: str, axis: pd.DataFrame, called: pd.DataFrame, sets: pd.DataFrame, shares: pd.DataFrame
) -> Sentence:
    row = axis.iloc[0] if len(axis) else None
    share = "" if row is None else f"{_share(row)} of the response{_approximately(row)}"
    if verdict == YES and row is not None and is_usable(axis) and row["ci_low"] >= MUCH:
        few = (
            f"; it is in effect the response of {row['n_effective']:.0f} perturbations"
            if row["n_effective"] < FEW
            else ""
        )
        return say(f"Yes: {share} lies on one axis that perturbations share, {_made(row, sets)}{few}", axis)
    if verdict in (YES, PARTLY):
        lead = "Yes" if verdict == YES else "In part"
        text = (
            f"{lead}: more of the response than random sets of equally expressed genes is carried by {_named(called)}"
        )
        return say(text, called)
    if verdict == NO and not is_usable(axis):
        text = (
            "No sign of it: no confounder gene set carries more than random sets of equally expressed genes, and the halves "
            "of the data agree on no axis that perturbations share"
        )
        return say(text, sets)
    if verdict == NO:
        return say(
            f"No: only {share} lies on one axis that perturbations share, and no confounder gene set carries more than "
            "random sets of equally expressed genes",
            axis,
        )
    return say(f"This cannot be told: {_why_open(axis, shares)}", axis)


def _why_open(axis: pd.DataFrame, shares: pd.DataFrame) -> str:
    if shares.empty or not known(*shares.loc[shares["axis"] == REST, "share"]):
        return "the perturbations show no reproducible response"
    if is_usable(axis):
        return f"{_share(axis.iloc[0])} of the response lies on the shared axis, an interval too wide for a verdict"
    return "the axis that perturbations share is too weak in this screen to be used"


def _sets(sets: pd.DataFrame, called: pd.DataFrame) -> list[Sentence]:
    """Say what the sets carry that are beyond chance, and in any case mitochondrial and ribosomal genes."""
    said = [
        say(f"{_upper(_name(row))} carry {_share(row)} of the response; {_chance(row)}", called)
        for _, row in called.iterrows()
    ]
    for _, row in sets.iterrows():
        if row["axis"] in ALWAYS and row["axis"] not in set(called["axis"]):
            if known(row["share"], row["ci_low"], row["ci_high"]):
                text = f"{_upper(_name(row))} carry {_share(row)} of the response{_no_more(row)}; {_chance(row)}"
                said.append(say(text, sets[sets["axis"] == row["axis"]]))
            elif str(row["note"]) and row["n_genes"] == 0:
                said.append(say(f"What {_name(row)} carry cannot be asked: none is measured"))
    return said


def _axis(axis: pd.DataFrame) -> list[Sentence]:
    """Say what moves along the shared axis; that it is too weak is said where it is."""
    if axis.empty:
        return []
    row = axis.iloc[0]
    if not is_usable(axis):
        why = str(row["note"]).split(";")[0] or "its share has no interval"
        return [say(f"Nothing is said of the axis that all perturbations share: {why}", axis)]
    leading = listed(cut(str(row["top_genes"]), at_most=AT_MOST).split())
    return [say(f"The genes that move most along the shared axis are {leading}", axis)]


def _made(axis: pd.Series, sets: pd.DataFrame) -> str:
    """Say which gene sets the shared axis is made of."""
    parts = sets[sets["on_systematic"] >= PART].sort_values("on_systematic", ascending=False) if len(sets) else sets
    if parts.empty:
        return f"not made of confounder genes but led by {listed(cut(str(axis['top_genes']), at_most=3).split())}"
    named = [f"{_name(r)} ({percent(r['on_systematic'])})" for _, r in parts.iterrows()]
    return f"made of {listed(named)}"


def _depth(shares: pd.DataFrame) -> list[Sentence]:
    rows = shares[shares["axis"] == "depth"] if len(shares) else shares
    return [
        say(f"Sequencing depth carries {_share(row)} of the response{_approximately(row)}", rows)
        for _, row in rows.iterrows()
        if is_usable(rows)
    ]


def _share(row: pd.Series) -> str:
    return f"{percent(row['share'])} {percent_interval(row['ci_low'], row['ci_high'])}"


def _chance(row: pd.Series) -> str:
    if not known(row["null"], row["p"]):
        return f"no random sets can be compared{_approximately(row)}"
    return f"random sets of equally expressed genes {percent(row['null'])} (p = {number(row['p'])}{_approximately(row, ', ')})"


def _no_more(row: pd.Series) -> str:
    if not known(row["null"]):
        return ""
    return ", no more than chance" if row["share"] <= row["null"] else ", which cannot be told from chance"


def _approximately(row: pd.Series, lead: str = "") -> str:
    if APPROXIMATE not in str(row["note"]):
        return ""
    return f"{lead}approximate interval" if lead else " (approximate interval)"


def _name(row: pd.Series) -> str:
    return GENES.get(str(row["axis"]), f"genes of the set {row['axis']}")


def _named(rows: pd.DataFrame) -> str:
    """Return sets with their shares beside those of random sets."""
    return listed(
        [f"{_name(r)} ({_share(r)}, random {percent(r['null'])}{_approximately(r, '; ')})" for _, r in rows.iterrows()]
    )


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
