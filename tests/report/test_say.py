import pandas as pd
import pytest

from scpertbias._report._say import answered, by_words, gains, judged, of, say


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
    rows = pd.DataFrame({"n": [n], "gain": [value], "low": [low], "high": [0.2]})
    assert len(judged(rows, "gain")) == enough
    assert judged(rows.iloc[:0], "gain").empty


def test_gains_have_interval_and_n():
    assert gains(pd.DataFrame({"n": [12], "gain": [-0.1], "low": [-0.2], "high": [0.0]})) == [
        "−0.100 [−0.200, 0] (n = 12, approximate)"
    ]
