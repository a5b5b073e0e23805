import math

import numpy as np
import pytest

from scpertbias._report import numbers as f


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (0.31035, "0.310"),
        (-0.0456, "−0.046"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (2.1e-8, "0"),
        (-2.1e-8, "0"),
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
    [(0.273, "27%"), (-0.476, "−48%"), (0.0032, "0.3%"), (0.0996, "10%"), (-0.0001, "0%"), (math.nan, "–")],
)
def test_percent(value, expected):
    assert f.percent(value) == expected


def test_intervals():
    assert f.interval(-0.1, 0.25) == "−0.100 to 0.250"
    assert f.percent_interval(-0.0044, 0.025) == "−0.4 to 2.5"
    assert f.fixed_interval(-0.0001, 0.0123) == "0–0.012"
    for made in (f.interval, f.percent_interval, f.fixed_interval):
        assert made(math.nan, 1.0) == "no interval"


@pytest.mark.parametrize(
    ("value", "text"),
    [(2e-157, "<0.001"), (0.001, "0.001"), (0.0484, "0.048"), (0.6, "0.60"), (1, "1.00"), (math.nan, "–")],
)
def test_p_value(value, text):
    assert f.p_value(value) == text
    assert f.p_text(value) == (f"p < {text[1:]}" if text.startswith("<") else f"p = {text}")


@pytest.mark.parametrize(
    ("value", "text"), [(0.254, "0.25"), (-0.001, "−0.001"), (-0.0001, "0"), (-0.3, "−0.30"), (math.nan, "–")]
)
def test_short(value, text):
    assert f.short(value) == text


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
    assert [f.with_full_stop(t) for t in (" ridge wins ", "done.", "A, B, …", "")] == [
        "ridge wins.",
        "done.",
        "A, B, …",
        "",
    ]


def test_names_of_whom_the_same_is_said_stand_together():
    assert f.by_words(["a", "b", "c"], ["1", "2", "1"]) == "a and c 1; and b 2"


def test_upper():
    assert [f.upper(t) for t in ("mitochondrial genes", "p53", "")] == ["Mitochondrial genes", "P53", ""]


def test_an_interval_of_no_width_is_left_out():
    assert f.with_interval(0.5, 0.4, 0.6, f.number, f.interval) == "0.500 (0.400–0.600)"
    assert f.with_interval(1e-9, -1e-9, 2e-9, f.number, f.interval) == "0"
    assert f.with_interval(0.001, 0, 0.001, f.percent, f.percent_interval) == "0.1% (0–0.1)"
    assert f.with_interval(0.5, math.nan, math.nan, f.percent, f.percent_interval) == "50%"
