"""The order of two models before and after retraining, against differences taken by hand."""

import numpy as np
import pandas as pd
import pytest

from scpertbias.tl._ranking import COLUMNS, ranking_table

N = 40


def scores(**errors):
    """Scores of models: (full, retrained) by name, each a number or one value a perturbation."""
    rows = []
    for model, pair in errors.items():
        for trained_on, values in zip(("full", "no_mt"), pair, strict=True):
            for p, value in enumerate(np.broadcast_to(values, N)):
                rows.append((model, "no_mt", f"P{p:02d}", "test", trained_on, value))
    return pd.DataFrame(rows, columns=["model", "regime", "perturbation", "split", "trained_on", "l2_ratio"])


def table(**errors):
    return ranking_table(scores(**errors), n_boot=200, rng=0)


NOISE = np.random.default_rng(0).normal(0, 0.05, N)
WIDE = np.random.default_rng(1).normal(0, 2.0, N)


@pytest.mark.parametrize(
    ("b", "order"),
    [
        ((0.9 + NOISE, 0.9 + NOISE), "kept"),
        ((0.9 + NOISE, 1.1 + NOISE), "reversed"),
        ((0.9 + NOISE, 1.0 + WIDE), "untold"),
        ((1.0, 1.0002), "same"),
        ((1.0, 0.9 + NOISE), "untold"),
    ],
)
def test_order_is_of_both_intervals(b, order):
    (row,) = table(a=(1.0, 1.0), b=b).to_dict("records")
    assert row["order"] == order
    for when, values in zip(("full", "retrained"), b, strict=True):
        assert row[when] == pytest.approx(float(np.mean(1.0 - np.asarray(values))))
        assert row[f"{when}_low"] <= row[when] <= row[f"{when}_high"]


def test_each_pair_is_compared_on_what_both_predict_before_and_after():
    few = np.where(np.arange(N) < 15, 0.5, np.nan)
    found = table(a=(1.0, 1.0), b=(0.9, 0.9), c=(0.5, few)).set_index(["model_a", "model_b"])
    assert found["n"].to_dict() == {("a", "b"): N, ("a", "c"): 15, ("b", "c"): 15}
    (row,) = table(a=(1.0, 1.0), b=(0.5, np.where(np.arange(N) < 9, 0.5, np.nan))).to_dict("records")
    assert (row["n"], row["order"]) == (9, "untold")
    assert np.isnan(row["full_low"])


def test_models_that_were_not_retrained_are_not_ranked():
    brought = scores(a=(1.0, 1.0), b=(0.5, 0.5))
    brought = brought[(brought["model"] == "a") | (brought["trained_on"] == "full")]
    found = ranking_table(brought, n_boot=10, rng=0)
    assert found.empty
    assert list(found.columns) == COLUMNS
