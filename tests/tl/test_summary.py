import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scpertbias._core.de import DE_METRICS
from scpertbias._core.metrics import ALL_METRICS
from scpertbias._core.noise import NoiseShape
from scpertbias._core.resampling import NO_ROOM, benjamini_hochberg
from scpertbias.tl._summary import NO_CALLS, SMALL_FOLDS, is_approximate, predicted_by_all, summarize

RNG = np.random.default_rng(0)
A2 = 0.01


def shape(a2=A2):
    return NoiseShape(np.empty((0, 4)), np.empty(0, dtype=int), a2, a2, 0.0)


def frame(model, n=20, *, better=0.0, gaps=(), **columns):
    """Scores of a model that is better than its baseline by a constant."""
    base = np.random.default_rng(1).uniform(0.5, 1, n)
    out = pd.DataFrame({"model": model, "perturbation": [f"p{i:02d}" for i in range(n)], "split": "test"})
    for name, metric in ALL_METRICS.items():
        gain = better if metric.higher_is_better else -better
        out[name] = (1.0 if name == "l2_ratio" else base) + gain
        if name != "l2_ratio":
            out[f"{name}_baseline"] = base
        out[f"{name}_ceiling"] = base + (0.3 if metric.higher_is_better else -0.3)
    out = out.drop(columns="discrimination_ceiling").assign(l2_baseline_ceiling=base - 0.3)
    out["inflation"], out["control_noise"], out["detected"] = (
        0.01,
        0.01,
        pd.array(np.arange(n) % 3 > 0, dtype="boolean"),
    )
    out.loc[list(gaps), list(ALL_METRICS)] = np.nan
    return out.assign(**columns)


def look(summary, model, subset="all"):
    return summary[(summary["model"] == model) & (summary["subset"] == subset)].set_index("metric")


def test_subsets_and_their_n():
    scores = pd.concat([frame("a", better=0.1), frame("b", better=0.2, gaps=range(6))], ignore_index=True)
    summary = summarize(scores, shape=shape())
    n = {(m, s): look(summary, m, s).loc["l2", "n"] for m in "ab" for s in ("all", "common", "detected")}
    detected = scores[scores["model"] == "a"]["detected"].to_numpy(bool)
    assert n == {
        ("a", "all"): 20,
        ("b", "all"): 14,
        ("a", "common"): 14,
        ("b", "common"): 14,
        ("a", "detected"): detected.sum(),
        ("b", "detected"): detected[6:].sum(),
    }
    given = summarize(scores, shape=shape(), common={"p00", "p01", "p19"})
    assert look(given, "a", "common").loc["l2", "n"] == 3
    assert look(given, "b", "common").loc["l2", "n"] == 1


def test_baseline_and_ceiling_are_of_the_same_perturbations():
    scores = frame("b", better=0.2, gaps=range(6))
    got = look(summarize(scores, shape=shape()), "b")
    known = scores.iloc[6:]
    assert got.loc["l2", "ceiling"] == pytest.approx(known["l2_ceiling"].mean())
    assert got.loc["l2", "estimate"] + got.loc["l2", "difference_to_mean"] == pytest.approx(known["l2_baseline"].mean())
    assert got.loc["pearson_delta_skill", "estimate"] == pytest.approx(0.2 / 0.3)
    assert got.loc["pearson_delta_skill", "difference_to_mean"] == pytest.approx(0.2 / 0.3)
    assert got.loc["l2_ratio", "difference_to_mean"] == pytest.approx(0.2)


def test_paired_differences_are_sharper_than_the_scores():
    got = look(summarize(frame("a", better=0.1), shape=shape()), "a")
    assert got.loc["l2", "ci_high"] - got.loc["l2", "ci_low"] > 0.05
    assert got.loc["l2", "p"] < 0.01
    assert got.loc["l2", "difference_to_mean"] == pytest.approx(0.1)


def test_q_is_within_a_model():
    scores = pd.concat([frame("a", better=0.1), frame("b", better=0.0)], ignore_index=True)
    noise = RNG.normal(0, 0.02, len(scores))
    for name in ALL_METRICS:
        scores[name] += noise
    summary = summarize(scores, shape=shape())
    for model, rows in summary.groupby("model"):
        np.testing.assert_allclose(rows["q"], benjamini_hochberg(rows["p"].to_numpy()), err_msg=model)
    assert summary["q"].notna().any()


def test_few_perturbations_are_not_ranked():
    got = look(summarize(frame("a", n=9, better=0.1), shape=shape()), "a")
    assert got[["ci_low", "ci_high", "p", "q"]].isna().all().all()
    scaled = [f"{name}_skill" for name, metric in ALL_METRICS.items() if metric.scaled and name != "l2"]
    assert got["estimate"].drop(scaled).notna().all()
    assert got.loc[scaled, "estimate"].isna().all()
    assert got.loc["pearson_delta_skill", "note"] == "fewer than 10 perturbations"
    assert got.loc["l2", "note"] == "only 9 perturbations: no interval, no ranking"


def test_small_folds_are_the_reason_why_there_is_no_discrimination():
    scores = frame("a", better=0.1).assign(discrimination=np.nan)
    got = look(summarize(scores, shape=shape()), "a")
    assert got.loc["discrimination", "n"] == 0
    assert got.loc["discrimination", "note"] == SMALL_FOLDS


def test_notes_on_control_noise_and_on_constant_models():
    scores = frame("a", n=60, better=0.1).assign(control_noise=0.3, inflation=0.08)
    got = look(summarize(scores, shape=shape(), constant=["a"]), "a")["note"]
    assert "control_noise 0.30 > 0.1" in got["pearson_delta"]
    assert "inflation 0.08 > 0.05: use pearson_delta_unshared" in got["pearson_delta"]
    assert got["l2"] == got["pearson_delta_unshared"] == ""
    assert got["pearson_delta_perturbed"].startswith("constant prediction")
    assert got["discrimination"] == "constant prediction"


def test_intervals_of_few_perturbations_in_number_or_in_effect_are_labeled():
    """With heavy tails a few perturbations make most of an error: its interval is too narrow, and says so."""
    many, few = frame("a", n=60, better=0.1), frame("b", n=49, better=0.1)
    heavy = frame("c", n=60, better=0.1)
    heavy.loc[0, "l2"] += 20
    notes = {}
    for scores in (many, few, heavy):
        model = scores["model"].iloc[0]
        notes[model] = look(summarize(scores, shape=shape()), model)["note"]
    assert notes["a"]["l2"] == notes["c"]["mae"] == notes["a"]["l2_skill"] == ""
    assert notes["b"]["l2"] == notes["b"]["l2_skill"] == notes["c"]["l2"] == "approximate interval"
    none = look(summarize(frame("a", n=9), shape=shape()), "a")["note"]
    assert not none.str.contains("approximate").any()


def test_no_room():
    """Squared errors of the baseline must exceed what noise alone makes, correlations be below the ceiling on average."""
    scores = frame("a", better=0.1)
    noise, squares = scores["l2_baseline_ceiling"] ** 2, scores["l2_baseline"] ** 2
    enough = ((squares - noise).sum() / 3) ** 2 / (2 * (noise**2).sum())
    scores["pearson_delta_ceiling"] = scores["pearson_delta_baseline"] + 0.1 * np.tile([1, -1], 10)
    for a2, room in ((0.999 * enough, True), (1.001 * enough, False), (np.nan, False)):
        got = look(summarize(scores, shape=shape(a2)), "a")
        assert np.isfinite(got.loc["l2_skill", "estimate"]) == room
        assert (got.loc["l2_skill", "note"] == "baseline and ceiling are not significantly different") != room
        assert got.loc["pearson_delta_skill", "note"] == "baseline and ceiling are not significantly different"


def scattered(n=24):
    """Scores of a model that differ from the baseline by more here and less there, some not at all known."""
    scores, rng = frame("a", n), np.random.default_rng(3)
    for name in ALL_METRICS:
        scores[name] += rng.normal(-0.1, 0.05, n)
    scores["l2_baseline_ceiling"] *= rng.uniform(0.8, 1, n)
    scores["discrimination"] = rng.beta(3, 1, n)
    scores.loc[[2, 7], list(ALL_METRICS)] = np.nan
    return scores


def test_intervals_equal_brute_force():
    scores = scattered()
    got, known = look(summarize(scores, shape=shape()), "a"), scores[scores["l2"].notna()]
    n = len(known)

    def jackknife(above, below, outer):
        ratio = above.sum() / below.sum()
        without = np.array([np.delete(above, p).sum() / np.delete(below, p).sum() for p in range(n)])
        error = np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2))
        n_effective = below.clip(0).sum() ** 2 / np.sum(below.clip(0) ** 2)
        width = stats.t.ppf(0.975, max(n_effective - 1, 2)) * error
        low, high = ratio - width, ratio + width
        if outer and ratio >= 2 * error and ratio > 0:
            low, high = min(low, ratio * np.exp(-width / ratio)), max(high, ratio * np.exp(width / ratio))
        return ratio, low, high, n_effective

    columns = ["estimate", "ci_low", "ci_high", "n_effective"]
    above = (known["l2"] ** 2 - known["l2_ceiling"] ** 2).to_numpy()
    below = (known["l2_baseline"] ** 2 - known["l2_baseline_ceiling"] ** 2).to_numpy()
    ratio, low, high, n_effective = jackknife(above, below, outer=True)
    expected = [1 - ratio, 1 - high, 1 - low, n_effective]
    np.testing.assert_allclose(got.loc["l2_skill", columns].to_numpy(float), expected, rtol=1e-9)
    for name in ("pearson_delta", "pearson_delta_perturbed"):
        gain, most = ((known[key] - known[f"{name}_baseline"]).to_numpy() for key in (name, f"{name}_ceiling"))
        expected = jackknife(gain, most, outer=False)
        np.testing.assert_allclose(got.loc[f"{name}_skill", columns].to_numpy(float), expected, rtol=1e-9)
    quantile = stats.t.ppf(0.975, n - 1)
    for name in ("l2", "mae", "l2_ratio", "pearson_delta"):
        values = known[name].to_numpy()
        mean, error = values.mean(), values.std(ddof=1) / np.sqrt(n)
        away = values - mean
        low, high = mean - quantile * error, mean + quantile * error
        if name == "l2_ratio":
            low, high = mean * np.exp(-quantile * error / mean), mean * np.exp(quantile * error / mean)
        expected = [mean, low, high, np.sum(away**2) ** 2 / np.sum(away**4)]
        np.testing.assert_allclose(got.loc[name, columns].to_numpy(float), expected, rtol=1e-9)
    added = np.append(known["discrimination"], 0.5)
    middle, error = added.mean(), added.std(ddof=1) / np.sqrt(n + 1)
    width = stats.t.ppf(0.975, n) * error / (middle * (1 - middle))
    expected = [1 / (1 + np.exp(-(np.log(middle / (1 - middle)) + side * width))) for side in (-1, 1)]
    np.testing.assert_allclose(got.loc["discrimination", ["ci_low", "ci_high"]].to_numpy(float), expected, rtol=1e-9)


def test_one_prediction_has_no_interval_of_discrimination():
    got = look(summarize(scattered(), shape=shape(), constant=["a"]), "a")
    assert got.loc["discrimination", ["ci_low", "ci_high"]].isna().all()
    assert np.isfinite(got.loc["mae", "ci_low"])


@pytest.mark.parametrize("tiny", [0.0, 1e-7])
def test_rounding_is_no_difference(tiny):
    scores = frame("a")
    for name in ALL_METRICS:
        scores[name] += tiny * RNG.normal(size=len(scores))
    got = look(summarize(scores, shape=shape()), "a")
    assert got["p"].isna().all()
    assert (got["difference_to_mean"] == 0).all()


def test_several_test_rows_count_once():
    one = frame("a", better=0.1)
    twice = pd.concat([one, one.assign(l2=one["l2"] + 0.2)], ignore_index=True)
    got = look(summarize(twice, shape=shape()), "a")
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


def test_scores_of_differential_expression_are_scaled_in_their_direction():
    got = look(summarize(frame("a", better=0.15), shape=shape()), "a")
    for name in DE_METRICS:
        assert got.loc[f"{name}_skill", "estimate"] == pytest.approx(0.5)  # half of the 0.3 to the ceiling
        assert got.loc[f"{name}_skill", "ci_low"] > 0.4
        assert got.loc[name, "difference_to_mean"] == pytest.approx(0.15)
    no_ceiling = frame("a", better=0.15)
    no_ceiling["de_nmae_ceiling"] = no_ceiling["de_nmae_baseline"]
    assert look(summarize(no_ceiling, shape=shape()), "a").loc["de_nmae_skill", "note"] == NO_ROOM


def test_perturbations_without_calls_are_the_reason_why_there_is_no_score():
    scores = frame("a").assign(de_auprc=np.nan)
    scores.loc[:4, "de_spearman"] = np.nan
    got = look(summarize(scores, shape=shape()), "a")
    assert got.loc["de_auprc", "note"] == NO_CALLS
    assert np.isnan(got.loc["de_auprc_skill", "estimate"])
    assert got.loc["de_spearman", "n"] == 15


def test_the_mean_itself_is_no_different_where_scores_of_genes_jump():
    scores = frame("a")
    scores["de_auprc"] += 1e-3  # genes of equal size in another order
    got = look(summarize(scores, shape=shape()), "a")
    assert got.loc["de_auprc", "difference_to_mean"] == 0
    assert np.isnan(got.loc["de_auprc", "p"])


@pytest.mark.parametrize(("n", "n_effective", "expected"), [(50, 20, False), (49, 30, True), (90, 19.9, True)])
def test_approximate_intervals(n, n_effective, expected):
    assert is_approximate(n, n_effective) == expected
    assert is_approximate(n, float("nan")) == (n < 50)
