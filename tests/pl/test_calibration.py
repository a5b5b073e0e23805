import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _store
from scpertbias._tables import columns
from scpertbias.pl._calibration import ABOVE, WITHIN, calibration


@pytest.fixture
def profiles():
    data = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    rows = [
        ("shared", "", "yes", "cells", 100, 0.01, 0.0, 0.05, 0.05, False, ""),
        ("better_than_mean", "ridge", "mae", "cells", 100, 0.9, 0.8, 0.95, 0.025, True, ""),
    ]
    table = pd.DataFrame(rows, columns=columns("calibration")).astype({"flag": "boolean"})
    _store.put(data, calibration=table)
    return data


def test_points_are_those_of_the_table(profiles):
    ax = calibration(profiles, show=False)
    points = {line.get_ydata()[0]: (line.get_xdata()[0], line.get_color()) for line in ax.lines}
    assert points == {0: (0.01, WITHIN), 1: (0.9, ABOVE)}
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "one response is shared: yes",
        "better than mean: ridge, mae",
    ]
    assert "100 screens" in ax.get_title()


def test_chosen_rows(profiles):
    ax = calibration(profiles, question="shared", show=False)
    assert len(ax.lines) == 1
    with pytest.raises(KeyError, match="'other'"):
        calibration(profiles, question="other", show=False)
