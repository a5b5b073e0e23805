"""What became of each perturbation, against the same from single cells; and that nothing is called where nothing is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, norm, rankdata

from scpertbias._core.detection import (
    Detection,
    categories,
    detect,
    p_of_effects,
    p_of_strongest,
    reproducibility,
    z_of_effects,
)
from scpertbias._core.noise import NoiseShape, noise_shape, squared_effects

from .log_counts import ROWS, SHAPES, Cells, P, draw, moments_of

TARGETS = [np.array(t, dtype=np.int64) for t in ([], [3], [5], [7], [1, 2], [], [9], [11], [13])]


def adjusted(p):
    """Benjamini-Hochberg values."""
    order = np.argsort(p)
    steps = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    q = np.empty(len(p))
    q[order] = np.minimum(steps, 1.0)
    return q


@pytest.mark.parametrize("shape", SHAPES)
def test_all_is_as_from_single_cells(shape):
    x, row, batch = draw(1, **SHAPES[shape], effect=0.3)
    cells, moments = Cells(x, row, batch), moments_of(x, row, batch)
    noise = noise_shape(moments, ROWS)
    detection = detect(moments, np.ones(P + 1, dtype=bool), TARGETS)
    z = np.array([cells.z(p) for p in ROWS])
    assert np.isnan(z).any()
    z_effect = np.array([cells.z_effect(p, TARGETS[p], noise.a2_raised) for p in ROWS])
    np.testing.assert_allclose(detection.z_effect[1:], z_effect, rtol=1e-8)
    np.testing.assert_allclose(z_of_effects(moments, ROWS, noise, TARGETS), z_effect, rtol=1e-8)
    skewness = min(max(8 * noise.a3_raised / (2 * noise.a2_raised) ** 1.5, 0.001), 8**0.5)
    k = 8 / skewness**2
    p_values, own = [], []
    for p in ROWS:
        others = np.delete(z[p - 1], TARGETS[p])
        strongest = adjusted(2 * norm.sf(np.abs(others[~np.isnan(others)]))).min()
        p_values.append(min(1, 2 * min(chi2.sf(k + z_effect[p - 1] * np.sqrt(2 * k), k), strongest)))
        with_z = [g for g in TARGETS[p] if not np.isnan(z[p - 1, g])]
        own.append(min((z[p - 1, g] for g in with_z), key=abs) if with_z else np.nan)
    own, p_values = np.array(own), np.array(p_values)
    np.testing.assert_allclose(detection.p[1:], p_values, rtol=1e-6)
    np.testing.assert_allclose(detection.q[1:], adjusted(p_values), rtol=1e-6)
    np.testing.assert_array_equal(detection.detected[1:], adjusted(p_values) <= 0.05)
    np.testing.assert_allclose(detection.own_z[1:], own, rtol=1e-8)
    tested = ~np.isnan(own)
    np.testing.assert_allclose(detection.own_q[1:][tested], adjusted(2 * norm.sf(np.abs(own[tested]))), rtol=1e-6)
    assert np.isnan(detection.own_q[1:][~tested]).all()
    for p in ROWS[tested]:
        assert detection.own_effect[p] == pytest.approx(cells.effect(p)[detection.own_gene[p]], rel=1e-8)
        size = np.abs(z[p - 1])
        known = size[~np.isnan(size)]
        at = rankdata(known)[np.flatnonzero(known == np.abs(own[p - 1]))[0]]
        assert detection.own_percentile[p] == pytest.approx((at - 0.5) / len(known))
    for p in ROWS:
        order = np.argsort(-np.nan_to_num(np.abs(z[p - 1]), nan=-1), kind="stable")[:5]
        np.testing.assert_array_equal(detection.top[p], order)
        np.testing.assert_array_equal(detection.rises[p], z[p - 1, order] > 0)
    positive = np.maximum(squared_effects(moments, ROWS), 0)
    np.testing.assert_allclose(detection.squared_effect[1:], squared_effects(moments, ROWS))
    np.testing.assert_allclose(detection.reproducibility[1:], positive / (positive + detection.noise[1:]))


def test_reproducibility_is_the_cosine_with_a_repeat():
    np.testing.assert_allclose(
        reproducibility(np.array([3.0, -1.0, 0.0, np.nan]), np.array([1.0, 1.0, 0.0, 1.0])), [0.75, 0, np.nan, np.nan]
    )
    rng = np.random.default_rng(0)
    effect, noise = rng.normal(size=400), 0.7
    cosines = []
    for _ in range(300):
        first, second = effect + np.sqrt(noise) * rng.normal(size=(2, 400))
        cosines.append(first @ second / np.sqrt((first @ first) * (second @ second)))
    assert np.mean(cosines) == pytest.approx(
        reproducibility(np.array([effect @ effect]), np.array([400 * noise]))[0], abs=0.01
    )


def test_rows_that_do_not_count_have_numbers_but_no_p():
    x, row, batch = draw(6, effect=0.5)
    used = np.ones(P + 1, dtype=bool)
    used[2] = False
    detection = detect(moments_of(x, row, batch), used, TARGETS)
    assert np.isnan(detection.p[[0, 2]]).all()
    assert np.isnan(detection.own_q[2])
    assert np.isfinite(detection.squared_effect[2])
    assert detection.top[2].min() >= 0
    none = detect(moments_of(x, row, batch), np.zeros(P + 1, dtype=bool), TARGETS)
    assert np.isnan(none.q).all()
    assert not none.response_known


def test_no_gene_no_strongest():
    assert p_of_strongest(np.full(3, np.nan), TARGETS[0]) == 1.0
    assert p_of_strongest(np.array([9.0, 0.1]), np.array([0])) == pytest.approx(2 * norm.sf(0.1))


def test_squared_effects_without_skewness_are_normal():
    shape = NoiseShape(np.empty((0, 1)), np.empty(0, np.int64), 0.1, 0.1, 0.0)
    np.testing.assert_allclose(p_of_effects(np.array([-1.0, 0.0, 2.0]), shape), norm.sf([-1.0, 0.0, 2.0]), atol=1e-3)
    assert np.isnan(p_of_effects(np.ones(2), replace(shape, a2_raised=np.nan))).all()


def test_the_first_word_that_holds():
    n = 9
    detection = Detection(
        counted=np.array([False, True, True, True, True, True, True, True, True]),
        squared_effect=np.ones(n),
        noise=np.ones(n),
        z_effect=np.array([9, 9, 9, 9, 9, 1, 9, np.nan, 9.0]),
        p=np.zeros(n),
        q=np.array([np.nan, 0.06, 0.06, 0.05, 0.01, 0.01, 0.01, 0.01, 0.06]),
        own_gene=np.zeros(n, dtype=np.int64),
        own_effect=np.zeros(n),
        own_z=np.zeros(n),
        own_q=np.array([0.01, np.nan, 0.05, 0.01, 0.5, 0.5, 0.5, 0.5, 0.06]),
        own_percentile=np.zeros(n),
        top=np.zeros((n, 1), dtype=np.int64),
        rises=np.zeros((n, 1), dtype=bool),
        response_known=True,
    )
    in_set, shared = np.arange(n) == 3, np.isin(np.arange(n), [0, 1, 2, 3, 4, 5])
    assert categories(detection, in_set, shared).tolist() == [
        "too few cells",
        "not detected",
        "target gene only",
        "targets a confounder gene",
        "mostly shared",
        "weak",
        "specific",
        "weak",
        "not detected",
    ]


@pytest.mark.parametrize("shape", ["nested", "one batch"])
def test_few_null_screens_have_a_call(shape):
    """The share of screens without effects in which anything is called: 5 % at most, within Monte-Carlo error."""
    n = 60
    calls = [
        detect(
            moments_of(*draw(seed, **SHAPES[shape], n_genes=150), seed), np.ones(P + 1, bool), TARGETS
        ).detected.any()
        for seed in range(n)
    ]
    assert sum(calls) <= 0.05 * n + 3 * np.sqrt(0.05 * 0.95 * n)


def test_weak_changes_in_many_genes_and_strong_ones_in_few_are_detected():
    used = np.ones(P + 1, dtype=bool)
    assert detect(moments_of(*draw(7, n_genes=150, effect=0.3)), used, TARGETS).detected[1:].all()
    x, row, batch = draw(10, n_genes=150)
    x[row == 2, 20] += 2.0
    detection = detect(moments_of(x, row, batch), used, TARGETS)
    assert np.flatnonzero(detection.detected).tolist() == [2]
    assert detection.top[2, 0] == 20
    x, row, batch = draw(9, n_genes=150)
    x[row == 1, 3] += 2.0  # its own gene
    detection = detect(moments_of(x, row, batch), used, TARGETS)
    assert not detection.detected.any()
    assert categories(detection, np.zeros(P + 1, bool), np.zeros(P + 1, bool))[1] == "target gene only"
