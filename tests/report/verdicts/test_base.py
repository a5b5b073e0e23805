import pandas as pd
import pytest

from scpertbias._report.verdicts.base import by_sign, columns, judged_rows


@pytest.mark.parametrize(
    ("n", "value", "low", "enough"),
    [(10, 0.1, 0.0, True), (9, 0.1, 0.0, False), (10, float("nan"), 0.0, False), (10, 0.1, float("nan"), False)],
)
def test_a_verdict_needs_ten_perturbations_and_an_interval(n, value, low, enough):
    rows = pd.DataFrame({"n": [n], "gain": [value], "ci_low": [low], "ci_high": [0.2]})
    assert len(judged_rows(rows, "gain")) == enough
    assert judged_rows(rows.iloc[:0], "gain").empty


def test_columns_are_plain_lists():
    assert columns(pd.DataFrame({"model": ["a", "b"], "n": [1, 2], "x": 0}), "model", "n") == {
        "model": ["a", "b"],
        "n": [1, 2],
    }


def test_every_interval_is_above_below_or_around_zero():
    rows = pd.DataFrame({"ci_low": [0.1, 0.0, -0.2, -0.2], "ci_high": [0.2, 0.1, 0.0, -0.1]})
    assert {sign: part.index.tolist() for sign, part in by_sign(rows).items()} == {
        "better": [0],
        "same": [1, 2],
        "worse": [3],
    }
