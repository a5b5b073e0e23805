"""Which models have seen the answer: nothing but their intervals and equal means shows it, on tables made by hand and on a screen."""

import numpy as np
import pandas as pd
import pytest
from benchmarks import screens
from benchmarks.verdicts import predictions_of, suspected

from scpertbias._report.verdicts.leakage import SKILLS, too_good


def row(metric="l2_skill", **other):
    values = {"model": "x", "subset": "all", "regime": "full", "metric": metric, "n": 30, "n_effective": 20.0}
    return {**values, "estimate": 1.2, "ci_low": 1.1, "ci_high": 1.3, **other}


@pytest.mark.parametrize(
    "other",
    [{"subset": "common"}, {"regime": "no_mt"}, {"metric": "l2"}, {"model": "mean"}, {"n": 9}, {"ci_low": 1.0}],
)
def test_only_the_skill_of_all_held_out_perturbations_counts(tables, other):
    tables["summary"] = pd.DataFrame([row(**other)])
    assert too_good(tables).empty


@pytest.mark.parametrize("metric", SKILLS)
def test_the_whole_interval_must_be_above_the_ceiling(tables, metric):
    for low, evidence in ((1.0, []), (1.01, [SKILLS[metric]])):
        tables["summary"] = pd.DataFrame([row(metric, ci_low=low)])
        assert too_good(tables)["evidence"].tolist() == evidence


def test_equal_means_are_named_first_and_each_model_once(tables):
    own = {"model": "x", "regime": "full", "trained_on": "full", "split": "test", "l2_ceiling": 1.0}
    errors = {"A": 0.01, "B": 0.0, "C": 0.5, "D": np.nan}
    tables["scores"] = pd.DataFrame([{**own, "perturbation": p, "l2": error} for p, error in errors.items()])
    tables["summary"] = pd.DataFrame([row(), row("pearson_delta_unshared_skill")])
    (first,) = too_good(tables).to_dict("records")
    assert (first["evidence"], first["n_copied"], first["n"]) == ("observed_means", 2, 30)
    tables["scores"]["split"] = "train"
    assert too_good(tables)["evidence"].tolist() == ["above_ceiling"]


def test_given_answers_are_suspected_and_honest_predictions_are_not():
    cells = screens.draw(3, plant="own", n_genes=120, n_perturbations=40, cells_per_perturbation=40, truth_cells=32)
    suspects = suspected(predictions_of(cells, 3))
    assert {"leaked", "leaked_delta", "half_of_cells", "half_of_effect"} <= suspects
    assert not {"truth_and_noise", "truth_and_less_noise", "ridge"} & suspects
