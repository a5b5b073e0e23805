import numpy as np
import pandas as pd
import pytest

from scpertbias._report.charts.pairs import comparison, effect_size, specificity


def with_pairs(drawing, **differences):
    """A drawing with stored differences of pairs of models, positive where the first is better."""
    pairs = pd.DataFrame(
        [
            {"model_a": a, "model_b": b, "n": n, "difference": value, "ci_low": value - 0.1, "ci_high": value + 0.1}
            for (a, b), (value, n) in ((key.split("__"), value) for key, value in differences.items())
        ]
    ).assign(regime="full", metric="l2_ratio")
    models = sorted({*pairs["model_a"], *pairs["model_b"]} - {"mean"})
    card = pd.DataFrame({"model": models}).assign(kind="same")
    return type(drawing)(**{**drawing.__dict__, "tables": {**drawing.tables, "comparison": pairs}, "card": card})


def test_left_of_zero_is_a_lower_error_than_the_reference(drawing):
    (chart,) = comparison(with_pairs(drawing, good__mean=(0.2, 20), bad__mean=(-0.2, 20), good__bad=(0.4, 15)))
    rows = chart.rows.set_index(["reference", "model"])
    assert rows.loc[("mean", "good"), ["difference", "ci_low", "ci_high"]].tolist() == pytest.approx([-0.2, -0.3, -0.1])
    assert rows.loc[("good", "mean"), "difference"] == pytest.approx(0.2)
    assert rows.loc[("good", "bad"), "difference"] == pytest.approx(0.4)
    assert rows.loc[("bad", "good"), ["difference", "n"]].tolist() == pytest.approx([-0.4, 15])


def test_two_models_are_no_comparison(drawing):
    assert comparison(with_pairs(drawing, a__mean=(0.1, 20))) == []


def test_specific_skill_is_joined_with_that_of_the_best_size(drawing):
    (chart,) = specificity(drawing)
    assert {"score", "fitted", "slope", "text"} <= set(chart.rows.columns)
    assert chart.options["joined"] == ["score", "fitted"]


def test_sizes_are_lengths_of_effects(drawing):
    (chart,) = effect_size(drawing)
    ridge = chart.rows[chart.rows["model"] == "ridge"]
    length = np.linalg.norm(drawing.effects.predicted["ridge"], axis=1)
    assert np.allclose(ridge["predicted"], length[np.isfinite(length)])
    assert (chart.rows.loc[chart.rows["model"] == "no_change", "predicted"] == 0).all()
