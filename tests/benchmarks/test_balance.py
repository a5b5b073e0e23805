"""The command behind the figures on balance runs, and single screens say what they should."""

import numpy as np
import pytest
from benchmarks import balance


@pytest.mark.parametrize(
    ("setting", "warned"),
    [
        ("random, own effects", 0),
        ("nested, weak batches", 0),
        ("nested, no effect", 1),
        ("control of another lot, own effects", 1),
    ],
)
def test_a_screen_of_each_kind(setting, warned):
    outcome = np.array([balance.tested(seed, **balance.SETTINGS[setting]) for seed in range(2)], dtype=float)
    assert outcome[:, 0].tolist() == [warned, warned]
    assert (outcome[:, 1] > 0.1).tolist() == [warned, warned]


def test_depth_is_noted_where_it_is_all_there_is():
    batch, share, p, noted, of_depth = balance.tested(0, **balance.SETTINGS["one batch, depth alone"])
    assert np.isnan([batch, share, p]).all()
    assert noted
    assert of_depth > 0.5


def test_every_row_is_printed(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["balance", "--screens", "2", "--only", "few controls"])
    balance.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 screens a row")
    assert lines[-1].startswith("few controls | 0.000 (0.000) | ")
    assert len(lines) == 3
