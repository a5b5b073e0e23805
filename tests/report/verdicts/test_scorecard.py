"""The verdict on a model: of its intervals and its category alone, in every direction, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.verdicts.scorecard import (
    SPECIFIC_SKILL,
    TONES,
    Standing,
    evaluated,
    scorecard,
)
from scpertbias._report.wording import card_words
from scpertbias._report.wording.terms import CONSTANT, STANDINGS, UNLINKED

NAN = float("nan")
SPECIFIC, SIZE, NOT = "perturbation-specific", "right direction, wrong size", "not specific"


def skill(model="x", *, n=100, estimate=0.2, low=0.1, high=0.3, note="", **other):
    row = {"model": model, "regime": "full", "subset": "all", "metric": "l2_skill", "n": n, "estimate": estimate}
    return {**row, "n_effective": 40.0, "ci_low": low, "ci_high": high, "note": note, **other}


def specific(category, *, model="x", metric=SPECIFIC_SKILL, score=0.3):
    row = {"model": model, "regime": "full", "metric": metric, "category": category, "n": 100, "score": score}
    return {**row, "ci_low": score - 0.1, "ci_high": score + 0.1}


def card(tables, *rows, category="", constant=(), response=0.9):
    tables["summary"] = pd.DataFrame(rows)
    other = {"axis": "other", "regime": "full", "level": "screen", "share": response}
    tables["confounding"] = pd.DataFrame([other])
    if category:
        tables["specificity"] = pd.DataFrame([specific(category), specific("", metric="specific_slope", score=2.0)])
    return card_words(scorecard(tables, constant))


@pytest.mark.parametrize(
    ("given", "category", "standing"),
    [
        ({}, SPECIFIC, Standing.RIGHT),
        ({}, SIZE, Standing.DIRECTION),
        ({}, NOT, Standing.SHARED),
        ({}, "", Standing.BETTER),
        ({"low": 0.0}, SPECIFIC, Standing.SPECIFIC_ALONE),
        ({"low": -0.3, "high": -0.1}, SPECIFIC, Standing.SPECIFIC_ALONE),
        ({"low": 0.0}, SIZE, Standing.DIRECTION_ALONE),
        ({"low": 0.0}, NOT, Standing.SAME),
        ({"low": -0.3, "high": 0.0}, NOT, Standing.SAME),
        ({"low": -0.3, "high": -0.1}, NOT, Standing.WORSE),
        ({"low": -0.3, "high": -0.1}, "", Standing.WORSE),
        ({"n": 9}, SPECIFIC, Standing.NONE),
        ({"low": NAN, "high": NAN}, SPECIFIC, Standing.NONE),
    ],
)
def test_a_standing_is_of_skill_and_category_alone(tables, given, category, standing):
    (row,) = card(tables, skill(**given), category=category).to_dict("records")
    assert row["kind"] == standing
    assert row["verdict"] == STANDINGS[standing]


def test_without_a_response_no_model_has_a_standing(tables):
    (row,) = card(tables, skill(), category=SPECIFIC, response=NAN).to_dict("records")
    assert (row["kind"], row["tone"]) == (Standing.NONE, "unknown")


@pytest.mark.parametrize(
    ("given", "standing"),
    [({"low": -0.1}, Standing.CONSTANT), ({}, Standing.CONSTANT), ({"low": -0.3, "high": -0.1}, Standing.WORSE)],
)
def test_a_constant_model_knows_no_perturbation(tables, given, standing):
    (row,) = card(tables, skill(**given), category=SPECIFIC, constant={"x"}).to_dict("records")
    assert (row["kind"], row["note"], row["constant"]) == (standing, CONSTANT, True)


def test_a_graph_model_whose_network_links_nothing_is_not_evaluated(tables):
    name = "grn_linear_perturbations"
    rows = card(tables, skill(name), skill("x"), constant={name})
    assert rows["kind"].tolist() == [Standing.BETTER, Standing.UNLINKED]
    assert rows["note"].iloc[1] == UNLINKED
    assert card(tables, skill(name)).loc[0, "kind"] == Standing.BETTER


def test_what_is_not_evaluated_is_in_no_table(tables):
    name = "grn_linear_perturbations"
    rows = card(tables, skill(name), skill("x"), constant={name})
    tables["ranking"] = pd.DataFrame({"model_a": ["x", name], "model_b": ["y", "x"], "n": 1})
    rest = evaluated(tables, rows)
    assert rest["summary"]["model"].tolist() == ["x"]
    assert rest["ranking"]["model_b"].tolist() == ["y"]
    assert len(rest["confounding"]) == len(tables["confounding"])


def test_specific_first_and_those_without_a_verdict_last(tables):
    rows = [skill("a", estimate=0.1), skill("b", estimate=0.3), skill("c", estimate=0.9, n=9), skill("mean")]
    ordered = card(tables, *rows, skill("x", estimate=0.05), category=SPECIFIC)
    assert ordered["model"].tolist() == ["x", "b", "a", "c"]
    assert ordered["note"].iloc[3] == "only 9 held-out perturbations are predicted (at least 10 are needed)"


def test_other_subsets_regimes_and_scores_are_not_looked_at(tables):
    other = skill(low=-0.9, high=-0.8)
    rows = card(tables, skill(), {**other, "subset": "common"}, {**other, "regime": "no_mt"}, {**other, "metric": "l2"})
    assert rows["kind"].tolist() == [Standing.BETTER]


def test_specific_skill_retraining_and_recurrence_stand_on_the_card(tables):
    tables["retraining"] = pd.DataFrame(
        [
            {"model": "x", "regime": regime, "metric": "l2_ratio", "gain": g, "ci_low": g, "ci_high": g}
            for regime, g in (("no_mt", 0.1), ("no_mt_ribo", 0.2))
        ]
    )
    tables["recurrence"] = pd.DataFrame(
        [
            {"model": "x", "regime": "full", "by": "centered", "symbol": s, "count": 9, "excess": 5.0, "excess_ci_low": low,
             "n_perturbations": 20, "n_effective_genes": 9.0}
            for s, low in (("A", 1.0), ("B", -1.0))
        ]
    )  # fmt: skip
    (row,) = card(tables, skill(), category=SIZE).to_dict("records")
    assert (row["regime"], row["regime_gain"], row["n_recurring"]) == ("no_mt_ribo", 0.2, 1)
    assert (row["specific_skill"], row["specific_slope"], row["category"]) == (0.3, 2.0, SIZE)


def test_a_model_above_the_ceiling_is_not_called_good(tables):
    above = skill("x", estimate=1.1, low=1.01, high=1.2)
    rows = card(tables, above, skill("y", low=0.9, high=1.2), category=SPECIFIC).set_index("model")
    assert (rows.loc["x", "kind"], rows.loc["x", "tone"]) == (Standing.TOO_GOOD, "unknown")
    assert rows.loc["y", "kind"] == Standing.BETTER


def test_a_bad_model_with_copied_means_is_still_bad(tables):
    own = {"model": "x", "regime": "full", "trained_on": "full", "split": "test", "l2": 0.0, "l2_ceiling": 1.0}
    tables["scores"] = pd.DataFrame([{**own, "perturbation": "A"}])
    assert card(tables, skill(low=-0.3, high=-0.1))["kind"].tolist() == [Standing.WORSE]
    assert card(tables, skill())["kind"].tolist() == [Standing.TOO_GOOD]


def test_no_models_no_card(tables):
    assert scorecard(tables, ()).empty


def test_every_standing_has_its_words_and_its_tone():
    assert set(STANDINGS) == set(TONES) == set(Standing)
    assert len(set(STANDINGS.values())) == len(Standing)
