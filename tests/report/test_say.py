import pandas as pd
import pytest

from scpertbias._report._say import by_words, gains, judged, say


def test_a_sentence_has_its_rows():
    rows = pd.DataFrame({"a": [1, 2]})
    assert say("topic", " text ", rows) == {"topic": "topic", "text": "text.", "rows": [{"a": 1}, {"a": 2}]}
    assert say("topic", "text.")["rows"] == []


def test_names_of_whom_the_same_is_said_stand_together():
    assert by_words(["a", "b", "c"], ["1", "2", "1"]) == "a and c 1; b 2"


@pytest.mark.parametrize(
    ("n", "value", "low", "enough"),
    [(10, 0.1, 0.0, True), (9, 0.1, 0.0, False), (10, float("nan"), 0.0, False), (10, 0.1, float("nan"), False)],
)
def test_a_verdict_needs_ten_perturbations_and_an_interval(n, value, low, enough):
    rows = pd.DataFrame({"n": [n], "gain": [value], "low": [low], "high": [0.2]})
    assert len(judged(rows, "gain")) == enough
    assert judged(rows.iloc[:0], "gain").empty


def test_gains_have_interval_and_n():
    assert gains(pd.DataFrame({"n": [12], "gain": [-0.1], "low": [-0.2], "high": [0.0]})) == [
        "−0.100 [−0.200, 0] (n = 12)"
    ]
