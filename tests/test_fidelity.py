"""Our numbers equal those of other people's code; the table in the documentation says how nearly."""

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


def _module():
    """The script that makes the table: it is not installed."""
    spec = importlib.util.spec_from_file_location("scpertbias_fidelity", ROOT / "benchmarks" / "fidelity.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fidelity = _module()


@pytest.mark.parametrize("comparison", fidelity.ALL, ids=lambda c: f"{c.function} = {c.reference}")
def test_equals(comparison):
    assert comparison.measure() <= comparison.bound


def test_a_difference_is_noticed():
    assert fidelity._difference([1.0, 2.0], [1.0, 2.1]) == pytest.approx(0.1 / 2.1)
    assert fidelity._difference([1.0, np.nan], [1.0, 2.0]) == np.inf
    assert fidelity._difference([1.0], [1.0, 2.0]) == np.inf
    assert fidelity._difference([], []) == np.inf


def test_the_documentation_shows_every_comparison():
    with fidelity.TABLE.open(encoding="utf-8", newline="") as file:
        shown = list(csv.DictReader(file))
    made = [(c.function, c.reference, c.quantity, f"{c.bound:.0e}") for c in fidelity.ALL]
    assert [(r["function"], r["other code"], r["compared values"], r["tested bound"]) for r in shown] == made, (
        "run python -m benchmarks.fidelity --write"
    )
    assert all(float(r["largest difference"]) <= float(r["tested bound"]) for r in shown)
