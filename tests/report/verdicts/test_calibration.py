import pandas as pd
import pytest

from scpertbias._report.verdicts.base import INCONCLUSIVE, NO, PARTLY, YES, Verdict
from scpertbias._report.verdicts.calibration import calibration_sentence
from scpertbias._tables import columns, empty


@pytest.fixture
def table():
    rows = [
        ("shared", "", "yes", "cells", 100, 0.01, 0.0018, 0.0545, 0.05, False, ""),
        ("shared", "", "partly or yes", "cells", 100, 0.03, 0.01, 0.0845, 0.05, False, ""),
        (
            "technical",
            "",
            "yes",
            "cells",
            0,
            float("nan"),
            float("nan"),
            float("nan"),
            0.05,
            False,
            "too few control cells",
        ),
    ]
    return pd.DataFrame(rows, columns=columns("calibration"))


def test_only_answers_that_say_something_are_counted(table):
    sentences = {
        value: calibration_sentence(table, Verdict("shared", value, "any")) for value in (YES, PARTLY, NO, INCONCLUSIVE)
    }
    assert sentences[YES] == (
        "As a test, the audit was repeated on 100 screens without effects, made from your own control cells. It gave this verdict "
        "in 1% of these screens (95% CI 0–5)."
    )
    assert "this verdict or a stronger one in 3% of these screens (95% CI 1–8)" in sentences[PARTLY]
    assert sentences[NO] is None
    assert sentences[INCONCLUSIVE] is None
    assert calibration_sentence(table, Verdict("technical", YES, "any")) is None
    assert calibration_sentence(table, Verdict("retraining", YES, "any")) is None
    assert calibration_sentence(empty("calibration"), Verdict("shared", YES, "any")) is None
