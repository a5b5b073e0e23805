"""Who is called perturbation-specific on screens of known truth."""

import numpy as np
import pandas as pd
import pytest
from benchmarks.specific import MODELS, rates, specific_rows

SKILLS = ("specific_skill", "specific_slope", "specific_fitted")


@pytest.fixture(scope="module", params=[("nested", 12, 8, 20), ("one_batch", 30, 30, None)], ids=["folds", "split"])
def rows(request):
    """Tables of a few screens: with folds of one perturbation, and with one split."""
    return pd.concat([specific_rows(*request.param, seed) for seed in range(6)])


def test_only_the_truth_is_perturbation_specific(rows):
    # Beside the mean of each fold, off-axis gains called the wrong effects in 8 of 10 screens of 14 perturbations.
    specific = rates(rows)["perturbation-specific"]
    assert (specific[["truth", "truth_as_delta", "half_truth"]] == 1).all()
    assert (specific[["double_truth", "wrong_effects", "axis_only"]] == 0).all()


def test_the_truth_has_all_the_skill_and_its_size_is_measured(rows):
    table = rows.set_index(["metric", "model"]).sort_index()
    for model in ("truth", "truth_as_delta"):
        skill = table.loc[("specific_skill", model)]
        assert (skill["ci_low"].le(1) & skill["ci_high"].ge(1)).mean() > 0.6
    for model, factor in (("half_truth", 2), ("double_truth", 0.5), ("wrong_effects", 0)):
        slope = table.loc[("specific_slope", model), "score"]
        assert abs(slope.mean() - factor) < 0.15 * max(factor, 1), model
    assert set(table.loc[("specific_skill", "double_truth"), "category"]) == {"right direction, wrong size"}
    assert set(table.loc[("specific_skill", "wrong_effects"), "category"]) == {"not specific"}
    assert set(table["category"].xs("axis_only", level="model")) == {"not specific", ""}


def test_wrong_effects_gain_nothing(rows):
    wrong = rows[(rows["model"] == "wrong_effects") & rows["metric"].isin(("off_axis", "pearson_delta_perturbed"))]
    assert wrong["specific_gain"].mean() < 0.03
    assert (wrong["ci_low"] > 0).mean() <= 0.1


def test_folds_of_others_do_not_matter():
    """What keeps one split is scored in an audit with folds as it is alone."""
    alone, audited = (specific_rows("nested", 12, 8, folds, 0) for folds in (None, 20))
    alone, audited = (t[t["model"].isin(MODELS)].set_index(["model", "metric"]) for t in (alone, audited))
    for column in ("score", "ci_low", "ci_high", "specific_gain", "mismatched", "ceiling"):
        np.testing.assert_allclose(audited[column], alone[column], err_msg=column)
