"""The rules of what the report may say, each in both directions, on tables made by hand."""

import numpy as np
import pandas as pd
import pytest

from scpertbias._report._answer import CONSTANT, answer
from scpertbias._report._tables import COLUMNS

NAN = float("nan")
CHECK = pd.DataFrame(
    [
        ("labels", "", "ok", "control: 'NT', 500 cells"),
        ("response", "", "warning", "8 of 25 perturbations have no reproducible effect"),
        ("response", "", "ok", "5 of 25 perturbations carry 80 % of the response: A, B, C, D, E"),
        ("perturbation", "A", "ok", ""),
    ],
    columns=["check", "perturbation", "status", "detail"],
)


def row(model, metric="l2_skill", *, n=100, estimate=0.2, low=0.1, high=0.3, note="", ceiling=1.0, **other):
    return {
        "model": model,
        "regime": "full",
        "subset": "all",
        "metric": metric,
        "n": n,
        "estimate": estimate,
        "low": low,
        "high": high,
        "ceiling": ceiling,
        "note": note,
        **other,
    }


def change(model, *, n=100, gain=0.0, low=0.0, high=0.0, note="", regime="no_mt"):
    return {
        "model": model,
        "regime": regime,
        "metric": "l2_ratio",
        "n": n,
        "gain": gain,
        "low": low,
        "high": high,
        "note": note,
    }


def said(*summary, regimes=(), models_left_out=(), regimes_left_out=(), check=CHECK, unseen=None):
    tables = {
        **{name: pd.DataFrame(columns=columns) for name, columns in COLUMNS.items()},
        "check": check,
        "summary": pd.DataFrame(summary),
        "regimes": pd.DataFrame(regimes),
        "models_left_out": pd.DataFrame(models_left_out, columns=["model", "regime", "reason"]),
        "regimes_left_out": pd.DataFrame(regimes_left_out, columns=["regime", "reason"]),
    }
    return answer(tables, unseen or {})


def texts(sentences, topic=None):
    return [s["text"] for s in sentences if topic in (None, s["topic"])]


def about(sentences, start):
    found = [text for text in texts(sentences) if text.startswith(start)]
    assert len(found) <= 1
    return found[0] if found else None


BETTER, WORSE, SAME = "Better than the mean", "Worse than the mean", "Cannot be told from the mean"


def test_screen_comes_first_and_is_quoted():
    first, second = texts(said(row("a")), "screen")
    assert first == "8 of 25 perturbations have no reproducible effect."
    assert second == "5 of 25 perturbations carry 80 % of the response: A, B, C, D, E."


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.3, BETTER),
        (0.0, 0.3, SAME),
        (-0.01, 0.3, SAME),
        (-0.3, 0.0, SAME),
        (-0.3, -0.01, WORSE),
    ],
)
def test_verdict_is_of_the_interval_alone(low, high, verdict):
    sentences = said(row("x", estimate=0.25, low=low, high=high))
    assert [v for v in (BETTER, WORSE, SAME) if about(sentences, v)] == [verdict]
    assert ("No model beats" in " ".join(texts(sentences))) == (verdict != BETTER)
    assert "n = 100" in about(sentences, verdict)


def test_share_of_the_way_with_interval_and_n():
    text = about(said(row("x", estimate=0.27, low=0.213, high=0.334, n=64)), BETTER)
    assert "x 27 % [21, 33] (n = 64)" in text


def test_same_numbers_are_said_once():
    text = about(said(row("a"), row("b"), row("c", estimate=0.5)), BETTER)
    assert "a and b 20 % [10, 30] (n = 100); c 50 % [10, 30] (n = 100)" in text


def test_the_baseline_is_not_judged_against_itself():
    assert about(said(row("mean", estimate=0.0, low=0.0, high=0.0), row("x")), SAME) is None


@pytest.mark.parametrize(("n", "judged"), [(9, False), (10, True)])
def test_no_verdict_under_ten(n, judged):
    sentences = said(row("x", n=n))
    assert bool(about(sentences, BETTER)) == judged
    expected = None if judged else "No verdict on x: 9 held-out perturbations, 10 are needed."
    assert about(sentences, "No verdict") == expected
    assert about(sentences, "No model beats") is None


def test_no_verdict_without_interval():
    sentences = said(row("x", low=NAN, high=NAN, note="no room between baseline and ceiling"))
    assert not any(about(sentences, v) for v in (BETTER, WORSE, SAME))
    assert about(sentences, "No verdict") == "No verdict on x (n = 100): no room between baseline and ceiling."


def test_the_baseline_alone_is_no_verdict():
    sentences = said(row("mean", estimate=0.0, low=0.0, high=0.0))
    assert texts(sentences, "models") == []


def test_other_subsets_and_regimes_are_not_looked_at():
    other = row("x", low=-0.9, high=-0.8)
    sentences = said(row("x"), {**other, "subset": "common"}, {**other, "regime": "no_mt"})
    assert about(sentences, BETTER)
    assert about(sentences, WORSE) is None


def test_constant_models_are_named():
    sentences = said(row("x"), row("y"), unseen={"x": CONSTANT, "y": "", "not_scored": CONSTANT})
    assert about(sentences, "The same prediction").startswith(f"The {CONSTANT} comes from x: ")
    assert about(said(row("x"), unseen={"x": ""}), "The same prediction") is None


@pytest.mark.parametrize(
    ("note", "rests"), [("", True), ("control noise 0.14 > 0.1: rewards the noise of the control", False)]
)
def test_nothing_rests_on_pearson_delta_where_the_control_is_noisy(note, rests):
    pearson = row("mean", "pearson_delta", estimate=0.31, low=0.2, high=0.43, ceiling=0.74, note=note)
    sentences = said(row("x"), pearson)
    claim, refusal = (
        about(sentences, "The mean baseline, which"),
        about(sentences, "The score pearson_delta is not used"),
    )
    assert bool(claim) == rests
    assert bool(refusal) != rests
    if rests:
        assert "0.310 [0.200, 0.430]" in claim
        assert "n = 100" in claim
    else:
        assert "0.31" not in " ".join(texts(sentences))
        assert "control noise 0.14 > 0.1" in refusal


@pytest.mark.parametrize(("n", "low"), [(9, 0.2), (100, NAN)])
def test_nothing_rests_on_a_pearson_delta_without_interval(n, low):
    sentences = said(row("x"), row("mean", "pearson_delta", n=n, low=low))
    assert about(sentences, "The mean baseline, which") is None


@pytest.mark.parametrize(("n", "approximate"), [(49, True), (50, False)])
def test_intervals_of_few_perturbations_are_approximate(n, approximate):
    assert bool(about(said(row("x", n=n)), "Under 50")) == approximate


def test_only_models_of_few_perturbations_are_called_approximate():
    assert about(said(row("x", n=150), row("y", n=27)), "Under 50").endswith(
        "(down to 27) intervals are approximate: those of y."
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"gain": 0.02, "low": 0.01, "high": 0.03}, "a gain for x 0.020 [0.010, 0.030] (n = 100)"),
        ({"gain": -0.02, "low": -0.03, "high": -0.01}, "a loss for x −0.020 [−0.030, −0.010] (n = 100)"),
        ({"gain": 0.02, "low": -0.01, "high": 0.05}, "no change can be told for x 0.020 [−0.010, 0.050] (n = 100)"),
        ({"gain": 0.0, "note": "retraining changes nothing"}, "nothing changes for x (gain 0; n = 100)"),
        ({"gain": 2e-8, "low": 1e-8, "high": 3e-8}, "nothing changes for x (gain 0, or below 0.0005; n = 100)"),
        ({"gain": 0.02, "low": 0.01, "high": 0.03, "n": 9}, "there is no verdict on x"),
        ({"gain": 0.02, "low": NAN, "high": NAN}, "there is no verdict on x"),
        (
            {"gain": 0.0, "low": NAN, "high": NAN, "n": 0, "note": "retraining changes nothing"},
            "there is no verdict on x",
        ),
    ],
)
def test_what_retraining_changes(given, expected):
    text = about(said(row("x"), regimes=[change("x", **given), change("mean")]), "Retrained")
    assert text.startswith(f"Retrained without mitochondrial genes: {expected}")
    assert "mean" not in text


def test_every_regime_has_its_sentence():
    regimes = [change("x"), change("x", regime="regressed", gain=0.02, low=0.01, high=0.03)]
    found = [t for t in texts(said(row("x"), regimes=regimes), "regimes") if t.startswith("Retrained")]
    assert [t.split(":")[0] for t in found] == [
        "Retrained without mitochondrial genes",
        "Retrained with the covariates regressed out",
    ]


def test_what_was_left_out_and_why():
    sentences = said(
        row("x"),
        models_left_out=[("y", "full", "no net"), ("y", "no_mt", "no net")],
        regimes_left_out=[("no_mt_ribo", "no ribosomal gene is measured")],
    )
    assert texts(sentences, "left_out") == [
        "Regime no_mt_ribo was left out: no ribosomal gene is measured.",
        "Model y was left out (regime full and no_mt): no net.",
    ]


def test_warnings_of_the_check_are_cautions():
    warned = pd.DataFrame(
        [("strata", "", "warning", "obs holds batch and strata were not given"), ("genes", "", "warning", "no MT")],
        columns=CHECK.columns,
    )
    sentences = said(row("x"), check=pd.concat([CHECK, warned]))
    assert texts(sentences, "caution") == ["obs holds batch and strata were not given."]


def test_screen_alone():
    assert texts(said(), "models") == ["No model was fitted: this report is about the screen alone."]


def test_sentences_carry_the_rows_they_rest_on():
    sentences = said(row("x", estimate=0.123456))
    (judged,) = [s for s in sentences if s["text"].startswith(BETTER)]
    assert np.isclose(judged["rows"][0]["estimate"], 0.123456)
