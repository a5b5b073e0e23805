"""What may be said of models, each sentence in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import statement_records, verdict_record
from scpertbias._report.verdicts.models import baseline_correlation, collapsed_models, models_verdict
from scpertbias._report.verdicts.scorecard import OFF_AXIS, SPECIFIC, SPECIFIC_SKILL, scorecard
from scpertbias._report.wording import card_words

NAN = float("nan")
BETTER, WORSE, SAME = (
    "Closer to the truth than the mean",
    "Farther from the truth than the mean",
    "Cannot be told from the mean",
)
FIT, MISFIT, UNTOLD = (
    "Predictions fit their own perturbation better",
    "Predictions fit their own perturbation worse",
    "Whether predictions fit",
)


def skill(
    model="x", *, metric="l2_skill", n=100, n_effective=40.0, estimate=0.2, low=0.1, high=0.3, note="", ceiling=1.0
):
    row = {"model": model, "regime": "full", "subset": "all", "metric": metric, "n": n, "estimate": estimate}
    row["n_effective"] = n_effective
    return {**row, "ci_low": low, "ci_high": high, "note": note, "ceiling": ceiling}


def gain(low, *, model="x", metric=SPECIFIC, n=100, value=None, note=""):
    row = {
        "model": model,
        "regime": "full",
        "metric": metric,
        "n": n,
        "specific_gain": low + 0.15 if value is None else value,
    }
    return {**row, "ci_low": low, "ci_high": low + 0.2, "ceiling_gain": 0.606, "note": note}


def specific_skill(category, *, model="x"):
    row = {"model": model, "regime": "full", "metric": SPECIFIC_SKILL, "n": 100, "score": 0.25, "ci_low": 0.2}
    return {**row, "ci_high": 0.3, "category": category, "ceiling": 1.0, "note": ""}


def ask(tables, *rows, specificity=(), constant=()):
    tables["summary"] = pd.DataFrame(rows)
    axis = {
        "axis": "systematic",
        "regime": "full",
        "level": "screen",
        "share": 0.5,
        "ci_low": 0.4,
        "ci_high": 0.6,
        "note": "",
    }
    tables["confounding"] = pd.DataFrame([axis])
    if specificity:
        tables["specificity"] = pd.DataFrame(specificity)
    found = verdict_record(models_verdict(tables, card_words(scorecard(tables, constant))))
    return found, [s["text"] for s in found["sentences"] + found["details"]]


def about(said, start):
    found = [text for text in said if text.startswith(start)]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("rows", "specificity", "verdict", "start"),
    [
        ([skill()], [gain(0.1), gain(0.2, metric=OFF_AXIS), specific_skill("perturbation-specific")], "yes", "x: closer to the truth than the mean of the other perturbations (20 % [10, 30] of the way, n = 100), and right about what is specific to each (specific skill 25 % [20, 30])"),
        ([skill()], [gain(0.1)], "yes", "x: closer to the truth than the mean of the other perturbations (20 % [10, 30] of the way, n = 100), and better on"),
        ([skill(), skill("y", estimate=0.4)], [gain(-0.1), gain(-0.1, metric=OFF_AXIS), specific_skill("not specific")], "partly", "None fully: y and x come closer to the truth than the mean of the other perturbations (40 % [10, 30] of the way for y, n = 100), but only"),
        ([skill(low=-0.1)], [gain(-0.1)], "no", "None: no model can be told to come closer to the truth than the mean of the other perturbations (n = 100)."),
        ([skill(low=-0.1, n=25)], [gain(-0.1)], "no", "None: no model can be told to come closer to the truth than the mean of the other perturbations (n = 25, approximate)."),
        ([skill(n=9)], [], "inconclusive", "This cannot be told: no model has enough held-out perturbations"),
    ],
)  # fmt: skip
def test_whom_to_trust(tables, rows, specificity, verdict, start):
    found, _ = ask(tables, *rows, specificity=specificity)
    assert found["verdict"] == verdict
    assert found["text"].startswith(start)


@pytest.mark.parametrize(
    "specificity",
    [
        [gain(0.1), gain(0.2, metric=OFF_AXIS), specific_skill("perturbation-specific")],
        [gain(0.1)],
        [gain(0.1), gain(-0.1, metric=OFF_AXIS)],
    ],
)
@pytest.mark.parametrize(("low", "said"), [(1.1, True), (1.0, False)])
def test_no_praise_above_the_ceiling_without_a_caution(tables, specificity, low, said):
    found, _ = ask(tables, skill(estimate=1.2, low=low, high=1.3), specificity=specificity)
    assert found["text"].endswith("; but x is above the ceiling: read with care.") == said


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.3, BETTER), (0.0, 0.3, SAME), (-0.01, 0.3, SAME), (-0.3, 0.0, SAME), (-0.3, -0.01, WORSE)],
)
def test_one_sentence_of_the_interval_alone(tables, low, high, verdict):
    _, said = ask(tables, skill(estimate=0.25, low=low, high=high))
    assert [v for v in (BETTER, WORSE, SAME) if about(said, v)] == [verdict]
    assert "n = 100" in about(said, verdict)


def test_share_of_the_way_with_interval_and_n_said_once_for_the_same(tables):
    _, said = ask(tables, skill("a"), skill("b"), skill("c", estimate=0.27, low=0.213, high=0.334, n=64))
    assert about(said, BETTER).endswith("c 27 % [21, 33] (n = 64); a and b 20 % [10, 30] (n = 100).")


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.7, 0.9, False), (1.1, 1.3, True), (0.9, 1.1, False), (0.9, 0.9998, False)]
)
def test_where_weak_perturbations_count_as_much_as_strong_ones(tables, low, high, said):
    ratio = skill(metric="l2_ratio", estimate=0.8, low=low, high=high)
    start = "With weak perturbations counted as much as strong ones"
    assert bool(about(ask(tables, skill(), ratio)[1], start)) == said
    assert bool(about(ask(tables, skill(low=-0.1), ratio)[1], start)) == (high < 0.999 or low > 1)


def test_the_baseline_is_not_judged_against_itself(tables):
    found, said = ask(tables, skill("mean", estimate=0.0, low=0.0, high=0.0))
    assert (found["verdict"], said) == ("inconclusive", [])
    assert found["text"] == "This cannot be told: no model was fitted beside the mean baseline."


def test_no_verdict_and_why(tables):
    _, said = ask(tables, skill(n=9), skill("y", low=NAN, high=NAN, note="no room between baseline and ceiling"))
    assert said == [
        "No verdict on x: 9 held-out perturbations, 10 are needed.",
        "No verdict on y: no room between baseline and ceiling.",
    ]


@pytest.mark.parametrize(
    ("row", "verdicts"),
    [
        (gain(0.01), [FIT]),
        (gain(0.0), [UNTOLD]),
        (gain(-0.1), [UNTOLD]),
        (gain(-0.3), [MISFIT]),
        (gain(0.0, value=0.0), []),
        (gain(0.1, n=9), []),
        (gain(NAN), []),
        (gain(0.1, model="observed"), []),
        (gain(0.1, metric="l2"), []),
    ],
)
def test_the_mismatch_null(tables, row, verdicts):
    _, said = ask(tables, skill(), specificity=[row])
    assert [v for v in (FIT, MISFIT, UNTOLD) if about(said, v)] == verdicts
    assert any("the truth itself gains 0.606" in t for t in said) == bool(verdicts)


@pytest.mark.parametrize(
    ("low", "start"),
    [
        (0.1, "Off the axis that perturbations share they do so too"),
        (-0.1, "Off the axis that perturbations share no such gain"),
        (-0.2, "Off the axis that perturbations share no such gain"),
        (-0.21, "Off the axis that perturbations share, predictions fit a wrong perturbation better than their own: x"),
    ],
)
def test_off_the_shared_axis(tables, low, start):
    _, said = ask(tables, skill(), specificity=[gain(0.1), gain(low, metric=OFF_AXIS)])
    assert len([t for t in said if t.startswith("Off the axis")]) == 1
    assert about(said, start)


def test_constant_models_are_named(tables):
    _, said = ask(tables, skill(), skill("y"), constant={"x", "not_scored"})
    assert about(said, "x predicts the same for every unseen perturbation")
    assert not [t for t in ask(tables, skill())[1] if "predicts the same" in t]


def test_no_models(tables):
    found = verdict_record(models_verdict(tables, scorecard(tables, ())))
    assert found["text"] == "No model was fitted: this report is about the screen alone."


def spread(model, to, *, ratio=0.0, n=100, regime="full"):
    values = {"n_perturbations": n, "ratio": ratio, "ci_low": ratio, "ci_high": ratio}
    return {"model": model, "regime": regime, "level": "screen", "collapsed_to": to, **values}


def test_collapsed_models_are_named_with_their_baseline():
    rows = [spread("mean", "mean"), spread("ridge", "mean"), spread("y", "", ratio=0.5), spread("z", "mean", n=9)]
    (said,) = statement_records(collapsed_models(pd.DataFrame([*rows, spread("w", "mean", regime="no_mt")])))
    assert said["text"].startswith("Collapsed to the baseline mean")
    assert said["text"].endswith("ridge 0 % [0, 0].")
    assert collapsed_models(pd.DataFrame([spread("mean", "mean"), spread("y", "", ratio=0.5)])) == []


def scores(*noise):
    same = {"model": "mean", "regime": "full", "trained_on": "full", "split": "test", "pearson_delta": 0.3}
    rows = [{**same, "perturbation": str(i), "control_noise": value} for i, value in enumerate(noise)]
    train, other = {**rows[0], "split": "train", "control_noise": 9.0}, {**rows[0], "model": "x", "control_noise": 9.0}
    return pd.DataFrame([*rows, train, other, {**rows[0], "pearson_delta": NAN, "control_noise": 9.0}])


@pytest.mark.parametrize(("noise", "rests"), [((0.04, 0.08), True), ((0.1, 0.1), True), ((0.04, 0.24), False)])
def test_nothing_rests_on_pearson_delta_where_the_control_is_noisy(noise, rests):
    row = skill("mean", metric="pearson_delta", estimate=0.31, low=0.2, high=0.43, ceiling=0.74)
    (said,) = statement_records(baseline_correlation(pd.DataFrame([skill(), row]), scores(*noise)))
    if rests:
        assert said["text"].startswith("The mean baseline, which knows nothing")
        assert "0.310 [0.200, 0.430]" in said["text"]
        assert "n = 100" in said["text"]
    else:
        assert said["text"].startswith("The score pearson_delta is not used here")
        assert "0.31" not in said["text"]
        assert "control noise 0.14 > 0.1" in said["text"]


@pytest.mark.parametrize(("n", "low"), [(9, 0.2), (100, NAN)])
def test_nothing_rests_on_a_pearson_delta_without_interval(n, low):
    assert (
        baseline_correlation(pd.DataFrame([skill("mean", metric="pearson_delta", n=n, low=low)]), pd.DataFrame()) == []
    )
