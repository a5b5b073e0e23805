import numpy as np
import pandas as pd
import pytest

from scpertbias._core.metrics import METRICS
from scpertbias._core.resampling import benjamini_hochberg
from scpertbias.tl._summary import SMALL_FOLDS, predicted_by_all, summarize

RNG = np.random.default_rng(0)


def frame(model, n=20, *, better=0.0, gaps=(), **columns):
    """Scores of a model that is better than its baseline by a constant."""
    base = np.random.default_rng(1).uniform(0.5, 1, n)
    out = pd.DataFrame({"model": model, "perturbation": [f"p{i:02d}" for i in range(n)], "split": "test"})
    for name, metric in METRICS.items():
        gain = better if metric.higher_is_better else -better
        out[name] = (1.0 if name == "l2_ratio" else base) + gain
        if name != "l2_ratio":
            out[f"{name}_baseline"] = base
        out[f"{name}_ceiling"] = base + (0.3 if metric.higher_is_better else -0.3)
    out = out.drop(columns="discrimination_ceiling")
    out["control_noise"], out["reproducibility"] = 0.01, np.linspace(-0.2, 0.9, n)
    out.loc[list(gaps), list(METRICS)] = np.nan
    return out.assign(**columns)


def look(summary, model, subset="all"):
    return summary[(summary["model"] == model) & (summary["subset"] == subset)].set_index("metric")


def test_subsets_and_their_n():
    scores = pd.concat([frame("a", better=0.1), frame("b", better=0.2, gaps=range(6))], ignore_index=True)
    summary = summarize(scores, n_boot=100, rng=0)
    n = {(m, s): look(summary, m, s).loc["l2", "n"] for m in "ab" for s in ("all", "common", "reproducible")}
    repeatable = scores[scores["model"] == "a"]["reproducibility"] >= 0.3
    assert n == {
        ("a", "all"): 20,
        ("b", "all"): 14,
        ("a", "common"): 14,
        ("b", "common"): 14,
        ("a", "reproducible"): repeatable.sum(),
        ("b", "reproducible"): repeatable.sum(),
    }
    given = summarize(scores, n_boot=10, rng=0, common={"p00", "p01", "p19"})
    assert look(given, "a", "common").loc["l2", "n"] == 3
    assert look(given, "b", "common").loc["l2", "n"] == 1


def test_baseline_and_ceiling_are_of_the_same_perturbations():
    scores = frame("b", better=0.2, gaps=range(6))
    got = look(summarize(scores, n_boot=100, rng=0), "b")
    known = scores.iloc[6:]
    assert got.loc["l2", "ceiling"] == pytest.approx(known["l2_ceiling"].mean())
    assert got.loc["l2", "estimate"] + got.loc["l2", "difference_to_mean"] == pytest.approx(known["l2_baseline"].mean())
    assert got.loc["pearson_delta_skill", "estimate"] == pytest.approx(0.2 / 0.3)
    assert got.loc["pearson_delta_skill", "difference_to_mean"] == pytest.approx(0.2 / 0.3)
    assert got.loc["l2_ratio", "difference_to_mean"] == pytest.approx(0.2)


def test_paired_differences_are_sharper_than_the_scores():
    got = look(summarize(frame("a", better=0.1), n_boot=500, rng=0), "a")
    assert got.loc["l2", "ci_high"] - got.loc["l2", "ci_low"] > 0.05
    assert got.loc["l2", "p"] < 0.01
    assert got.loc["l2", "difference_to_mean"] == pytest.approx(0.1)


def test_q_is_within_a_model():
    scores = pd.concat([frame("a", better=0.1), frame("b", better=0.0)], ignore_index=True)
    noise = RNG.normal(0, 0.02, len(scores))
    for name in METRICS:
        scores[name] += noise
    summary = summarize(scores, n_boot=200, rng=0)
    for model, rows in summary.groupby("model"):
        np.testing.assert_allclose(rows["q"], benjamini_hochberg(rows["p"].to_numpy()), err_msg=model)
    assert summary["q"].notna().any()


def test_few_perturbations_are_not_ranked():
    got = look(summarize(frame("a", n=9, better=0.1), n_boot=100, rng=0), "a")
    assert got[["ci_low", "ci_high", "p", "q"]].isna().all().all()
    assert got["estimate"].notna().all()
    assert got.loc["l2", "note"] == "9 perturbations: no interval, no ranking"


def test_small_folds_are_the_reason_why_there_is_no_discrimination():
    scores = frame("a", better=0.1).assign(discrimination=np.nan)
    got = look(summarize(scores, n_boot=50, rng=0), "a")
    assert got.loc["discrimination", "n"] == 0
    assert got.loc["discrimination", "note"] == SMALL_FOLDS


def test_notes_on_control_noise_and_on_constant_models():
    scores = frame("a", better=0.1).assign(control_noise=0.3)
    got = look(summarize(scores, n_boot=50, rng=0, constant=["a"]), "a")["note"]
    assert "control noise 0.30 > 0.1" in got["pearson_delta"]
    assert got["l2"] == ""
    assert got["pearson_delta_perturbed"].startswith("one prediction for all unseen perturbations")
    assert got["discrimination"] == "one prediction for all unseen perturbations"


def test_no_room():
    scores = frame("a", better=0.1)
    scores["l2_ceiling"] = scores["l2_baseline"] + 0.1
    got = look(summarize(scores, n_boot=50, rng=0), "a").loc["l2_skill"]
    assert np.isnan(got["estimate"])
    assert got["note"] == "no room between baseline and ceiling"


@pytest.mark.parametrize("tiny", [0.0, 1e-7])
def test_rounding_is_no_difference(tiny):
    scores = frame("a")
    for name in METRICS:
        scores[name] += tiny * RNG.normal(size=len(scores))
    got = look(summarize(scores, n_boot=50, rng=0), "a")
    assert got["p"].isna().all()
    assert (got["difference_to_mean"] == 0).all()


def test_several_test_rows_count_once():
    one = frame("a", better=0.1)
    twice = pd.concat([one, one.assign(l2=one["l2"] + 0.2)], ignore_index=True)
    got = look(summarize(twice, n_boot=50, rng=0), "a")
    assert got.loc["l2", "n"] == 20
    assert got.loc["l2", "estimate"] == pytest.approx(one["l2"].mean() + 0.1)


def test_predicted_by_all_goes_over_regimes():
    scores = pd.concat(
        [
            frame("a", n=4).assign(regime="full"),
            frame("a", n=4, gaps=[1]).assign(regime="no_mt"),
            frame("b", n=4, gaps=[2]).assign(regime="full"),
        ],
        ignore_index=True,
    )
    assert predicted_by_all(scores) == {"p00", "p03"}
    assert predicted_by_all(pd.concat([scores, frame("c", n=4, gaps=range(4)).assign(regime="full")])) == set()
