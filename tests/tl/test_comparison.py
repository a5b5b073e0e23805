"""Pairs of models on the perturbations that both predict."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

import scpertbias as spb
from scpertbias.tl._comparison import COMPARED, SAME, comparison_table

RNG = np.random.default_rng(0)
NAN = float("nan")


def scores(**errors):
    """Held-out scores of models, the same for each metric, with one row seen in training."""
    rows = [
        {"model": model, "perturbation": f"P{i}", "split": "test", **dict.fromkeys(COMPARED, value)}
        for model, values in errors.items()
        for i, value in enumerate(values)
    ]
    seen = [{**rows[0], "split": "train", "l2_ratio": 100.0}]
    return pd.DataFrame(rows + seen)


def look(table, metric="l2_ratio"):
    return table[table["metric"] == metric].set_index(["model_a", "model_b"])


def test_differences_are_paired_and_positive_where_the_first_is_better():
    hard = RNG.normal(1, 0.3, 30)  # some perturbations are hard for all
    a, b = hard + RNG.normal(0, 0.05, 30), hard + 0.1 + RNG.normal(0, 0.05, 30)
    table = comparison_table(scores(a=a, b=b))
    row = look(table).loc[("a", "b")]
    assert row["difference"] == pytest.approx(np.mean(b - a))
    assert row["p"] == pytest.approx(ttest_rel(a, b).pvalue)
    assert 0 < row["ci_low"] < row["difference"] < row["ci_high"]
    assert row["ci_high"] - row["ci_low"] < 0.1 < 4 * hard.std() / np.sqrt(30)
    assert look(table, "discrimination").loc[("a", "b"), "difference"] == pytest.approx(np.mean(a - b))


def test_each_pair_is_over_what_both_predict():
    narrow = np.where(np.arange(30) < 9, 1.2, NAN)
    table = look(comparison_table(scores(a=RNG.normal(1, 0.1, 30), b=RNG.normal(1, 0.1, 30), narrow=narrow)))
    assert table["n"].to_dict() == {("a", "b"): 30, ("a", "narrow"): 9, ("b", "narrow"): 9}
    assert table["note"].tolist() == ["", *["fewer than 10 perturbations"] * 2]
    assert table["ci_low"].notna().tolist() == [True, False, False]


def test_rounding_is_no_difference():
    a = RNG.normal(1, 0.1, 30)
    row = look(comparison_table(scores(a=a, b=a * (1 + 1e-7)))).loc[("a", "b")]
    assert row[["difference", "ci_low", "ci_high"]].tolist() == [0, 0, 0]
    assert np.isnan(row["p"])
    assert row["note"] == SAME


def test_q_is_over_the_pairs_of_a_metric():
    table = look(comparison_table(scores(**{m: RNG.normal(1, 0.1, 30) for m in "abc"})))
    p = table["p"].to_numpy()
    assert table["q"].max() == pytest.approx(p.max())
    assert table["q"].min() == pytest.approx(min(3 * p.min(), 1.5 * np.sort(p)[1], p.max()))


def test_one_model_has_no_pair():
    assert comparison_table(scores(a=np.ones(12))).empty


def test_an_audit_compares_models_trained_in_the_regime(small_audit):
    table = spb.get.comparison(small_audit, metric="l2_ratio")
    assert len(table) == 2 * 3
    summary = spb.get.summary(small_audit, models="ridge", metric="l2_ratio", subset="all").set_index("regime")
    pair = table[(table["model_a"] == "mean") & (table["model_b"] == "ridge")].set_index("regime")
    for regime in ("full", "no_mt"):
        assert -pair["difference"][regime] == pytest.approx(summary["difference_to_mean"][regime])


def test_scoring_stores_it():
    adata = spb.ds.simulate(900, 30, 7, rng=0)
    spb.pp.split(adata, fractions=(0.5, 0, 0.5))
    profiles = spb.pp.profiles(adata)
    spb.tl.fit_mean(profiles)
    spb.tl.fit_no_change(profiles)
    spb.tl.score(profiles)
    assert spb.get.comparison(profiles)["metric"].tolist() == list(COMPARED)
