import math

import numpy as np
import pandas as pd
import pytest

from scpertbias._report import wording as f
from scpertbias._report.wording import answered, by_words, gains, judged, of, say


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (0.31035, "0.310"),
        (-0.0456, "−0.046"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (2.1e-8, "2e-08"),
        (-2.1e-8, "−2e-08"),
        (np.float32(0.5), "0.500"),
        (np.int64(3), "3.00"),
        (math.nan, "–"),
        (math.inf, "–"),
        (None, "–"),
        ("text", "–"),
    ],
)
def test_number(value, expected):
    assert f.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.273, "27 %"), (-0.476, "−48 %"), (0.0032, "0.3 %"), (0.0996, "10 %"), (-0.0001, "0 %"), (math.nan, "–")],
)
def test_percent(value, expected):
    assert f.percent(value) == expected


def test_intervals():
    assert f.interval(-0.1, 0.25) == "[−0.100, 0.250]"
    assert f.percent_interval(-0.0044, 0.025) == "[−0.4, 2.5]"
    assert f.fixed_interval(-0.0001, 0.0123) == "[0, 0.012]"
    for made in (f.interval, f.percent_interval, f.fixed_interval):
        assert made(math.nan, 1.0) == "[no interval]"


def test_count():
    assert [f.count(v) for v in (20729, np.int64(-5), math.nan)] == ["20,729", "−5", "–"]


def test_listed():
    assert [f.listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "none",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_sentence_keeps_names_and_ends_once():
    assert [f.sentence(t) for t in (" ridge wins ", "done.", "A, B, …", "")] == ["ridge wins.", "done.", "A, B, …", ""]


def test_a_sentence_has_its_rows():
    rows = pd.DataFrame({"a": [1, 2]})
    assert say(" text ", rows) == {"text": "text.", "rows": [{"a": 1}, {"a": 2}]}
    assert say("text.")["rows"] == []


def test_an_answer_has_its_question_and_why():
    found = answered("n", "Is it?", "yes", say("Yes"), [say("a")])
    assert (found["name"], found["question"], found["verdict"], found["text"]) == ("n", "Is it?", "yes", "Yes.")
    assert [s["text"] for s in found["sentences"]] == ["a."]
    assert found["details"] == []


def test_an_interval_of_few_is_approximate():
    assert (of(49), of(50)) == ("n = 49, approximate", "n = 50")


def test_names_of_whom_the_same_is_said_stand_together():
    assert by_words(["a", "b", "c"], ["1", "2", "1"]) == "a and c 1; b 2"


@pytest.mark.parametrize(
    ("n", "value", "low", "enough"),
    [(10, 0.1, 0.0, True), (9, 0.1, 0.0, False), (10, float("nan"), 0.0, False), (10, 0.1, float("nan"), False)],
)
def test_a_verdict_needs_ten_perturbations_and_an_interval(n, value, low, enough):
    rows = pd.DataFrame({"n": [n], "gain": [value], "ci_low": [low], "ci_high": [0.2]})
    assert len(judged(rows, "gain")) == enough
    assert judged(rows.iloc[:0], "gain").empty


def test_gains_have_interval_and_n():
    assert gains(pd.DataFrame({"n": [12], "gain": [-0.1], "ci_low": [-0.2], "ci_high": [0.0]})) == [
        "−0.100 [−0.200, 0] (n = 12, approximate)"
    ]
