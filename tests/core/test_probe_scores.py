"""Scores of probes: metrics are those of the registry, the scale is a ratio of sums, and each half is judged by the other."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from scpertbias._core import metrics
from scpertbias._core.any_metric import MetricFunction
from scpertbias._core.de import DE_SCORES
from scpertbias._core.probe_scores import DEFAULT, KNOWN, LOWER, JudgedHalf, ProbeData, score_probes
from scpertbias._core.probes import PROBES, SpeakingHalf

P, G, N, N_CONTROL = 16, 120, 80, 800


def make(seed, strength=0.3):
    rng = np.random.default_rng(seed)
    effects = strength * (0.7 * rng.standard_normal(G) + rng.standard_normal((P, G)))
    levels = 3 + rng.standard_normal(G)
    own = effects + rng.standard_normal((2, P, G)) / np.sqrt(N / 2)
    control = rng.standard_normal((2, 1, G)) / np.sqrt(N_CONTROL / 2)
    half = own - control
    noise = np.full((P, G), 2 / N)
    error = np.full((P, G), np.sqrt(2 / N + 2 / N_CONTROL))
    one, targets = np.ones((P, 1)), np.eye(P, G, dtype=bool)
    mean = np.stack([[np.delete(h, p, axis=0).mean(axis=0) for p in range(P)] for h in half])
    speaking = tuple(
        SpeakingHalf(
            effect=half[b],
            cell_noise=noise,
            error=error,
            weights=one,
            control_noise=np.array([G * 2 / N_CONTROL]),
            mean=mean[b],
            mean_weights=one,
            mean_noise=np.full(P, G * 2 / N / (P - 1)),
            depth=None,
            targets=targets,
            bins=np.arange(G) // 6,
        )
        for b in (0, 1)
    )
    judging = tuple(
        JudgedHalf(half[a], levels + control[a, 0], error, mean[1 - a], targets, targets.any(axis=0)) for a in (0, 1)
    )
    return ProbeData(speaking, judging, effects, (half[0] - half[1]) / np.sqrt(2), axis=True, known=True)


@pytest.fixture(scope="module")
def data():
    return make(0)


@pytest.fixture(scope="module")
def table(data):
    rows = score_probes(data, KNOWN, {}, n_boot=200, rng=np.random.default_rng(0))
    return {(row.probe, row.metric): row for row in rows}


def test_every_probe_by_every_metric(table):
    assert len(table) == len(PROBES) * len(KNOWN)
    plain = {name: metric for name, metric in metrics.METRICS.items() if not metric.unshared}
    assert set(plain) <= set(KNOWN)
    assert set(DE_SCORES) <= set(DEFAULT)
    assert {name for name in LOWER if name in metrics.METRICS} == {
        name for name, metric in plain.items() if not metric.higher_is_better
    }


def by_hand(data, probe, function):
    """Mean over both orders of a score of each perturbation."""
    scores = np.zeros(P)
    for speaks, judges in ((0, 1), (1, 0)):
        (predicted,) = data.speaking[speaks].predictions(probe, np.random.default_rng(0), has_axis=True)
        scores += function(predicted, data.judging[judges]) / 2
    return scores


FUNCTIONS = {
    "mse": lambda d, half: ((d - half.effect) ** 2).mean(axis=1),
    "mae": lambda d, half: np.abs(d - half.effect).mean(axis=1),
    "pearson_delta": lambda d, half: np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(d, half.effect, strict=True)]),
    "pearson_delta_perturbed": lambda d, half: np.array(
        [np.corrcoef(x, y)[0, 1] for x, y in zip(d - half.mean, half.effect - half.mean, strict=True)]
    ),
    "discrimination": lambda d, half: rank(cdist(d[:, P:], half.effect[:, P:], "cityblock")),
    "pds_cosine": lambda d, half: rank(cdist(d[:, P:], half.effect[:, P:], "cosine")),
}


def rank(distance):
    return np.array([np.mean([distance[p, q] > distance[p, p] for q in range(P) if q != p]) for p in range(P)])


@pytest.mark.parametrize("metric", FUNCTIONS)
@pytest.mark.parametrize("probe", ["replicate", "spread_x2", "axis_only"])
def test_scores_by_hand(data, table, probe, metric):
    score = by_hand(data, probe, FUNCTIONS[metric])
    base = by_hand(data, "mean", FUNCTIONS[metric]) if metric not in ("pearson_delta_perturbed", "discrimination", "pds_cosine") else np.full(P, 0.0 if metric == "pearson_delta_perturbed" else 0.5)  # fmt: skip
    truth = np.zeros(P)
    for sign, half in zip((1, -1), data.judging, strict=True):
        seen = JudgedHalf(data.matched + sign * data.errors, half.control, half.error, half.mean, half.targets, half.target_columns)  # fmt: skip
        truth += FUNCTIONS[metric](data.matched, seen) / 2
    row = table[probe, metric]
    np.testing.assert_allclose(
        [row.score, row.baseline, row.truth], [s.mean() for s in (score, base, truth)], rtol=1e-8
    )
    assert row.scaled == pytest.approx((score - base).sum() / (truth - base).sum())
    assert row.low <= row.scaled <= row.high
    assert row.low < row.high or row.score == row.truth


def test_what_is_0_is_exactly_0(table):
    for metric in DEFAULT:
        if metric not in ("discrimination", "pds_cosine"):
            assert table["mean", metric].scaled == 0
    for metric in ("discrimination", "pds_cosine"):
        assert table["no_change", metric].scaled == pytest.approx(0, abs=1e-12)


def test_what_metrics_cannot_see(table):
    """Correlations, cosines and ranks of genes do not see size; errors and L1 do."""
    blind = ("pearson_delta", "pds_cosine", "de_direction", "de_auprc", "de_spearman")
    for metric in blind:
        sizes = [table[probe, metric].score for probe in ("replicate", "replicate_x0.3", "replicate_x3")]
        np.testing.assert_allclose(sizes, sizes[0], atol=1e-9)
    assert table["replicate_x3", "mse"].scaled < 0 < table["replicate_x0.3", "mse"].scaled
    assert table["no_change", "pearson_delta_perturbed"].scaled > 0.05, "an offset from the mean is paid for"


def test_a_function_of_ones_own(data):
    function = {"mine": MetricFunction(lambda x, y, c: np.abs(x - y).mean(axis=1))}
    rows = score_probes(data, ("mae",), function, n_boot=50, rng=np.random.default_rng(0))
    of_registry, own = ([row for row in rows if row.metric == name] for name in ("mae", "mine"))
    for first, second in zip(of_registry, own, strict=True):
        np.testing.assert_allclose([first.score, first.scaled], [second.score, second.scaled])


def test_why_there_is_no_value(data):
    unknown = ProbeData(**{**vars(data), "known": False})
    rows = score_probes(unknown, ("mse",), {}, n_boot=0, rng=np.random.default_rng(0))
    assert {row.reason for row in rows if row.n} == {"no reproducible response"}
    constant = {"one": MetricFunction(lambda x, y, c: np.ones(len(x)))}
    rows = score_probes(data, (), constant, n_boot=0, rng=np.random.default_rng(0))
    assert {row.reason for row in rows if row.n} == {"baseline and ceiling are not significantly different"}
    blind = [row for row in rows if row.probe == "depth_only"]
    assert [row.n for row in blind] == [0]
