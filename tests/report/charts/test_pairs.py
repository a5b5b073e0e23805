import numpy as np
import pandas as pd
import pytest

from scpertbias._report.charts.pairs import comparison, effect_size, specificity


def scores(**errors):
    """Held-out scores of models by relative error."""
    parts = [
        pd.DataFrame(
            {"model": model, "perturbation": [f"P{i}" for i in range(len(values))], "l2": values, "l2_ratio": values}
        )
        for model, values in errors.items()
    ]
    return pd.concat(parts, ignore_index=True).assign(regime="full", trained_on="full", split="test")


def with_scores(drawing, table):
    card = pd.DataFrame({"model": [m for m in table["model"].unique() if m != "mean"]}).assign(kind="same")
    return type(drawing)(**{**drawing.__dict__, "tables": {**drawing.tables, "scores": table}, "card": card})


def test_left_of_zero_is_a_lower_error_than_the_reference(drawing):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 20)
    table = scores(good=0.8 + noise, bad=1.2 - noise, mean=np.ones(20))
    (chart,) = comparison(with_scores(drawing, table))
    rows = chart.rows.set_index(["reference", "model"])
    assert rows.loc[("mean", "good"), "difference"] == pytest.approx(-0.2, abs=0.01)
    assert rows.loc[("mean", "good"), "ci_low"] < rows.loc[("mean", "good"), "ci_high"] < 0
    assert rows.loc[("good", "bad"), "difference"] == pytest.approx(0.4, abs=0.02)
    assert set(rows["n"]) == {20}


def test_all_are_compared_on_the_perturbations_that_all_predict(drawing):
    half = np.r_[np.full(10, 0.9), np.full(10, np.nan)]
    few = np.r_[np.full(2, 0.9), np.full(18, np.nan)]
    table = scores(a=np.full(20, 0.9), half=half, few=few, mean=np.ones(20))
    (chart,) = comparison(with_scores(drawing, table))
    assert set(chart.rows["n"]) == {10}
    assert "few" not in set(chart.rows["model"])
    assert "Left out, as they predict few: few." in chart.reading


def test_two_models_are_no_comparison(drawing):
    assert comparison(with_scores(drawing, scores(a=np.ones(20), mean=np.ones(20)))) == []


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
