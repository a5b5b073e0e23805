"""The command behind the figures on cells needed runs, and what it prints is close to what it measures."""

import numpy as np
import pytest
from benchmarks import power


@pytest.mark.parametrize(("name", "n"), [("bundled screen", 50), ("own", 100)])
def test_predicted_is_measured(name, n, monkeypatch):
    monkeypatch.setattr(power, "SIMULATED", power.SIMULATED | {"n_perturbations": 15, "n_genes": 200, "n_control": 800})
    n_rows, predicted, measured, mean, mean_measured, r = power.compare(name, n, 3)
    assert n_rows >= 15
    assert predicted == pytest.approx(measured, abs=0.05)
    assert mean == pytest.approx(mean_measured, abs=0.06)
    assert r > 0.9


def test_two_samples_share_no_cell():
    x, row, batch = np.arange(400.0)[:, None], np.repeat([0, 1], 200), np.zeros(400, dtype=int)
    effects = power.half_effects(x, row, batch, 2, 100, np.random.default_rng(0))
    assert effects[:, 0].sum() == pytest.approx(2 * 200)  # all cells and all controls are in one of the two
    assert np.isnan(effects[:, 1]).all()


def test_every_row_is_printed(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["power", "--samples", "1", "--only", "bundled screen"])
    monkeypatch.setattr(power, "SIZES", (20, 40))
    power.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[:2] for line in lines[1:]] == [["bundled screen", "20"], ["bundled screen", "40"]]
