"""The verdict on a model: of its intervals alone, in every direction, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.verdicts.scorecard import OFF_AXIS, SPECIFIC, SPECIFIC_SKILL, TONES, Standing, scorecard
from scpertbias._report.wording import card_words
from scpertbias._report.wording.terms import CONSTANT, STANDINGS

NAN = float("nan")


def skill(model="x", *, n=100, estimate=0.2, low=0.1, high=0.3, note="", **other):
    row = {"model": model, "regime": "full", "subset": "all", "metric": "l2_skill", "n": n, "estimate": estimate}
    row["n_effective"] = 40.0
    return {**row, "ci_low": low, "ci_high": high, "note": note, **other}


def gain(metric, low, *, model="x", n=100):
    row = {
        "model": model,
        "regime": "full",
        "metric": metric,
        "n": n,
        "specific_gain": low + 0.1,
        "ci_low": low,
        "ci_high": low + 0.2,
    }
    return {**row, "ceiling_gain": 0.6, "note": ""}


def axis(note=""):
    return {
        "axis": "systematic",
        "regime": "full",
        "level": "screen",
        "share": 0.5,
        "ci_low": 0.4,
        "ci_high": 0.6,
        "note": note,
    }


def specific_skill(category, *, model="x", n=100):
    row = {"model": model, "regime": "full", "metric": SPECIFIC_SKILL, "n": n, "score": 0.3, "ci_low": 0.2}
    return {**row, "ci_high": 0.4, "category": category, "ceiling": 1.0, "note": ""}


def card(tables, *rows, apart=None, off=None, category=None, note="", constant=()):
    tables["summary"] = pd.DataFrame(rows)
    tables["confounding"] = pd.DataFrame([axis(note)])
    some = [gain(m, low) for m, low in ((SPECIFIC, apart), (OFF_AXIS, off)) if low is not None]
    some += [] if category is None else [specific_skill(category)]
    if some:
        tables["specificity"] = pd.DataFrame(some)
    return card_words(scorecard(tables, constant))


YES, SIZE, NO = "perturbation-specific", "right direction, wrong size", "not specific"


@pytest.mark.parametrize(
    ("given", "apart", "off", "verdict"),
    [
        ({}, 0.1, (0.1, YES), Standing.SPECIFIC),
        ({}, -0.1, (-0.1, YES), Standing.SPECIFIC),
        ({}, 0.1, (0.1, NO), Standing.AXIS_ONLY),
        ({}, 0.1, (0.1, SIZE), Standing.AXIS_ONLY),
        ({}, -0.1, (-0.1, NO), Standing.SHARED),
        ({}, 0.1, (0.1, ""), Standing.TELLS_APART),
        ({}, 0.1, (0.1, None), Standing.TELLS_APART),
        ({}, 0.1, (None, None), Standing.TELLS_APART),
        ({}, None, (None, None), Standing.SHARED),
        ({"ci_low": 0.0}, 0.1, (0.1, YES), Standing.UNTOLD_TELLS_APART),
        ({"ci_low": -0.1}, -0.1, (-0.1, YES), Standing.UNTOLD),
        ({"ci_low": -0.3, "ci_high": 0.0}, -0.1, (-0.1, NO), Standing.UNTOLD),
        ({"ci_low": -0.3, "ci_high": -0.1}, 0.1, (0.1, YES), Standing.WORSE),
        ({"n": 9}, 0.1, (0.1, YES), Standing.NONE),
        ({"ci_low": NAN, "ci_high": NAN}, 0.1, (0.1, YES), Standing.NONE),
    ],
)
def test_verdict_is_of_the_intervals_alone(tables, given, apart, off, verdict):
    (row,) = card(tables, skill(**given), apart=apart, off=off[0], category=off[1]).to_dict("records")
    assert row["kind"] == verdict


def test_a_weak_axis_is_not_used(tables):
    (row,) = card(
        tables, skill(), apart=0.1, off=0.1, category=NO, note="weak axis: its share may be up to 0.06 too high"
    ).to_dict("records")
    assert row["kind"] == Standing.TELLS_APART
    assert pd.isna(row["off_axis_gain"])
    assert row["specific_gain"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({"ci_low": -0.1}, Standing.CONSTANT),
        ({}, Standing.CONSTANT),
        ({"ci_low": -0.3, "ci_high": -0.1}, Standing.WORSE),
    ],
)
def test_a_constant_model_knows_no_perturbation(tables, given, verdict):
    (row,) = card(tables, skill(**given), apart=0.1, off=0.1, category=YES, constant={"x"}).to_dict("records")
    assert (row["kind"], row["note"], row["constant"]) == (verdict, CONSTANT, True)


def test_best_first_and_those_without_a_verdict_last(tables):
    rows = [skill("a", estimate=0.1), skill("b", estimate=0.3), skill("c", estimate=0.9, n=9), skill("mean")]
    found = card(tables, *rows)
    assert found["model"].tolist() == ["b", "a", "c"]
    assert found["note"].iloc[2] == "9 held-out perturbations, 10 are needed"


def test_other_subsets_regimes_and_scores_are_not_looked_at(tables):
    other = skill(low=-0.9, high=-0.8)
    found = card(
        tables, skill(), {**other, "subset": "common"}, {**other, "regime": "no_mt"}, {**other, "metric": "l2"}
    )
    assert found["kind"].tolist() == [Standing.SHARED]


def test_retraining_and_recurrence_are_counted(tables):
    tables["retraining"] = pd.DataFrame(
        [
            {"model": "x", "regime": regime, "metric": "l2_ratio", "gain": g, "ci_low": g, "ci_high": g}
            for regime, g in (("no_mt", 0.1), ("no_mt_ribo", 0.2))
        ]
    )
    genes = [
        {
            "model": "x",
            "regime": "full",
            "by": "centered",
            "symbol": s,
            "count": 9,
            "excess": 5.0,
            "excess_ci_low": low,
            "n_effective_genes": 9.0,
            "n_perturbations": 20,
        }
        for s, low in (("A", 1.0), ("B", -1.0))
    ]
    tables["recurrence"] = pd.DataFrame(genes)
    tables["confounding"] = pd.DataFrame([{"regime": "full", "level": "screen", "note": ""}])
    (row,) = card(tables, skill()).to_dict("records")
    assert (row["regime"], row["regime_gain"], row["n_recurring"]) == ("no_mt_ribo", 0.2, 1)


def test_no_models_no_card(tables):
    assert scorecard(tables, ()).empty


def test_every_standing_has_its_words_and_its_tone():
    assert set(STANDINGS) == set(TONES) == set(Standing)
    assert len(set(STANDINGS.values())) == len(Standing)
