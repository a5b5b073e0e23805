"""Calls and scores of differential expression, against scipy, scikit-learn and single cells."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from scpertbias._core.de import (
    DE_METRICS,
    DE_SCORES,
    ObservedChanges,
    called,
    de_scores,
    p_values,
    q_values,
)
from scpertbias._core.resampling import benjamini_hochberg

P, G = 9, 60


@pytest.fixture
def drawn():
    """Predicted and observed changes with ties, genes that are not judged, and targets."""
    rng = np.random.default_rng(0)
    error = rng.gamma(4, 0.1, size=(P, G))
    change = error * rng.normal(0, 3, size=(P, G))
    error[:, 5] = np.nan
    targets = np.zeros((P, G), dtype=bool)
    targets[np.arange(P), np.arange(P) * 3 % G] = True
    predicted = np.round(0.4 * change + rng.normal(0, 0.3, size=(P, G)), 1)  # many ties, many exact zeros
    predicted[:, 7] = 3e-13
    return predicted, ObservedChanges.of(change, error, targets)


def test_p_and_q_are_those_of_scipy():
    z = np.random.default_rng(1).normal(0, 2.5, size=(P, G))
    z[0, :20], z[1], z[2] = np.nan, np.nan, 0.0
    z[3] = np.round(z[3])
    np.testing.assert_allclose(p_values(z), 2 * stats.norm.sf(np.abs(z)), rtol=1e-13)
    for row, q in zip(z, q_values(z), strict=True):
        known = ~np.isnan(row)
        assert np.isnan(q[~known]).all()
        np.testing.assert_allclose(q[known], stats.false_discovery_control(2 * stats.norm.sf(np.abs(row[known]))))
        np.testing.assert_array_equal(q, benjamini_hochberg(p_values(row)))
    np.testing.assert_array_equal(called(z), q_values(z) < 0.05)
    assert called(z).any()


def test_targets_count_in_the_calls_and_are_no_call():
    error = np.ones((1, 20))
    change = np.zeros((1, 20))
    change[0, :2] = 9.0, 3.0  # p of 3.0 is 0.0027: times 20 above 0.05, but the second of 20 passes
    targets = np.arange(20)[None] == 0
    observed = ObservedChanges.of(change, error, targets)
    assert observed.called.nonzero()[1].tolist() == [1]
    assert np.isnan(observed.error[0]).nonzero()[0].tolist() == [0]
    assert observed.n_called.tolist() == [1]


def test_each_score_is_its_naive_computation(drawn):
    predicted, observed = drawn
    scores = de_scores([predicted], [observed])
    for i in range(P):
        genes = np.flatnonzero(observed.called[i])
        assert len(genes) >= 5
        x, d = np.where(np.abs(predicted[i]) < 1e-12, 0, predicted[i]), observed.change[i]
        agree = [0.5 if x[g] == 0 else float(x[g] * d[g] > 0) for g in genes]
        assert scores["de_direction"][i] == pytest.approx(np.mean(agree))
        assert scores["de_spearman"][i] == pytest.approx(stats.spearmanr(x[genes], d[genes]).statistic)
        assert scores["de_nmae"][i] == pytest.approx(np.abs(x - d)[genes].sum() / np.abs(d[genes]).sum())
        assert scores["de_auprc"][i] == pytest.approx(naive_auprc(x, d, observed.error[i], genes))


def naive_auprc(x, d, error, genes):
    """Precision at each distinct threshold, weighted by the recall that it adds."""
    judged = [g for g in range(len(x)) if x[g] != 0 and error[g] > 0]
    recall_before = total = 0.0
    for threshold in sorted({abs(x[g]) / error[g] for g in judged}, reverse=True):
        listed = [g for g in judged if abs(x[g]) / error[g] >= threshold]
        hits = [g for g in listed if g in genes and x[g] * d[g] > 0]
        total += (len(hits) / len(genes) - recall_before) * len(hits) / len(listed)
        recall_before = len(hits) / len(genes)
    return total


def test_auprc_is_average_precision_times_the_share_of_hits(drawn):
    """Scikit-learn's is relative to the hits; ours to all calls, so that wrong signs cost."""
    predicted, observed = drawn
    ours = de_scores([predicted], [observed])["de_auprc"]
    for i in range(P):
        judged = (predicted[i] != 0) & (observed.error[i] > 0)
        hit = observed.called[i] & (predicted[i] * observed.change[i] > 0)
        score = np.abs(predicted[i, judged]) / observed.error[i, judged]
        theirs = average_precision_score(hit[judged], score)
        assert ours[i] == pytest.approx(theirs * hit.sum() / observed.called[i].sum())
        assert ours[i] < theirs


def test_no_change_scores_nothing_exactly(drawn):
    _, observed = drawn
    for nothing in (np.zeros((P, G)), np.full((P, G), -9e-13)):
        scores = de_scores([nothing], [observed])
        assert {name: set(values) for name, values in scores.items()} == {
            "de_direction": {0.5},
            "de_auprc": {0.0},
            "de_spearman": {0.0},
            "de_nmae": {1.0},
        }


def test_the_observed_changes_score_perfectly_and_flipped_ones_worst(drawn):
    _, observed = drawn
    best, worst = (de_scores([sign * observed.change], [observed]) for sign in (1, -1))
    for name, most, least in (("de_direction", 1, 0), ("de_spearman", 1, -1), ("de_nmae", 0, 2)):
        np.testing.assert_allclose(best[name], most, atol=1e-12)
        np.testing.assert_allclose(worst[name], least, atol=1e-12)
    assert (best["de_auprc"] > 0.95).all()  # own targets are out, so a few genes above the calls are too
    assert (worst["de_auprc"] == 0).all()
    # Sizes: the first three do not see them, but for |d| / se; the last sees nothing else
    tenfold = de_scores([10 * observed.change], [observed])
    assert all(np.allclose(tenfold[name], best[name]) for name in DE_SCORES if name != "de_nmae")
    np.testing.assert_allclose(tenfold["de_nmae"], 9)


def test_only_rows_with_five_calls_are_scored_and_comparisons_averaged(drawn):
    predicted, observed = drawn
    few = observed.called.copy()
    few[0] &= np.cumsum(few[0]) <= 4
    few[1] &= np.cumsum(few[1]) <= 5
    other = ObservedChanges(-observed.change, observed.error, few)
    gaps = predicted.copy()
    gaps[2, 3] = np.nan
    one, two = de_scores([gaps], [observed]), de_scores([gaps], [other])
    both = de_scores([gaps, gaps], [observed, other])
    for name in DE_SCORES:
        assert np.isnan(two[name]).nonzero()[0].tolist() == [0, 2]
        np.testing.assert_allclose(both[name][[1, 3]], (one[name] + two[name])[[1, 3]] / 2)
        assert both[name][0] == one[name][0]
        assert np.isnan(both[name][2])


def test_every_score_is_described():
    assert list(DE_METRICS) == list(DE_SCORES)
    changes = np.array([[3.0, -3, 3, -3, 3]])
    observed = ObservedChanges(changes, np.ones((1, 5)), np.ones((1, 5), dtype=bool))
    perfect, wrong = (de_scores([sign * changes * np.arange(1, 6)], [observed]) for sign in (1, -1))
    for name, metric in DE_METRICS.items():
        assert perfect[name] > wrong[name] if metric.higher_is_better else perfect[name] < wrong[name]
        assert de_scores([changes], [observed])[name] == metric.best
