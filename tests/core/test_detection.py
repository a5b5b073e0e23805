"""What became of each perturbation, against the same from single cells; and that nothing is called where nothing is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, norm, rankdata

from scpertbias._core.covariates import regress_out
from scpertbias._core.detection import (
    Detection,
    categories,
    detect,
    n_carrying,
    p_of_effects,
    p_of_strongest,
    reproducibility,
    value_sums,
    z_errors,
    z_of_effects,
    z_scores,
)
from scpertbias._core.halves import assign_halves
from scpertbias._core.noise import NoiseShape, noise_shape, squared_effects
from scpertbias._core.row_moments import row_moments

P = 8
ROWS = np.arange(1, P + 1)
SHAPES = {
    "one batch": {"n_batches": 1},
    "nested": {"nested": True},
    "uneven": {"uneven": True},
    "few controls": {"n_control": 31},
    "30 genes": {"n_genes": 30},
    "heavy tails": {"heavy": True},
}
TARGETS = [np.array(t, dtype=np.int64) for t in ([], [3], [5], [7], [1, 2], [], [9], [11], [13])]


def draw(
    seed, *, n_batches=3, nested=False, uneven=False, n_control=150, n_genes=60, heavy=False, effect=0.0, cells=25
):
    """Draw log counts (cells × genes) with correlated states, batch shifts and effects; rows 0 (control) to P."""
    rng = np.random.default_rng(seed)
    row = np.r_[np.zeros(n_control, dtype=np.int64), 1 + np.arange(P * cells) % P]
    batch = rng.choice(n_batches, size=len(row), p=[0.6, 0.3, 0.1][:n_batches] if uneven else None)
    batch[row == 0] = np.arange(n_control) % n_batches
    if nested:
        batch[row > 0] = row[row > 0] % n_batches
    state = rng.standard_t(2.5, size=(len(row), 1)) if heavy else rng.normal(size=(len(row), 1))
    log_rate = rng.normal(-0.5, 1.5, size=n_genes) + np.clip(state, -9, 9) @ rng.normal(0, 0.3, size=(1, n_genes))
    log_rate += rng.normal(0, 0.5, size=(n_batches, n_genes))[batch]
    log_rate += effect * np.vstack([np.zeros(n_genes), rng.normal(size=(P, n_genes))])[row]
    return np.log1p(rng.poisson(np.exp(log_rate))), row, batch


def moments_of(x, row, batch, seed=0, covariates=None):
    hashes = np.random.default_rng(seed).integers(2**64, size=len(row), dtype=np.uint64)
    n_rows = int(row.max()) + 1
    assignment = assign_halves(row, n_rows, 0, hashes, batch=batch, n_batches=int(batch.max()) + 1)
    return row_moments(x, assignment, row, n_rows, 0, batch=batch, covariates=covariates)


def adjusted(p):
    """Benjamini-Hochberg values."""
    order = np.argsort(p)
    steps = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    q = np.empty(len(p))
    q[order] = np.minimum(steps, 1.0)
    return q


class Cells:
    """The definitions, one perturbation and one batch at a time, on single cells."""

    def __init__(self, x, row, batch):
        self.x, self.row, self.batch = x, row, batch
        self.batches = range(batch.max() + 1)
        self.control = [x[(row == 0) & (batch == b)] for b in self.batches]
        self.means = np.array([c.mean(axis=0) for c in self.control])
        self.vars = np.array([c.var(axis=0, ddof=1) for c in self.control])
        self.n_control = np.array([len(c) for c in self.control])
        self.var = np.array([self.within(p) for p in ROWS])
        n = np.bincount(row)[1:]
        self.pooled = ((n - 1) @ self.var + (self.n_control - 1) @ self.vars) / (
            (n - 1).sum() + (self.n_control - 1).sum()
        )

    def weights(self, p):
        return np.array([((self.row == p) & (self.batch == b)).sum() for b in self.batches]) / (self.row == p).sum()

    def within(self, p):
        n, w = (self.row == p).sum(), self.weights(p)
        between = n * (w @ (self.means - w @ self.means) ** 2)
        between -= n * (w * (1 - w) / self.n_control) @ self.vars
        return self.x[self.row == p].var(axis=0, ddof=1) - between / (n - 1)

    def effect(self, p):
        return self.x[self.row == p].mean(axis=0) - self.weights(p) @ self.means

    def error(self, p):
        n, w = (self.row == p).sum(), self.weights(p)
        own = np.maximum(self.var[p - 1], self.pooled) / n
        return np.sqrt(
            own + sum(w[b] ** 2 * np.maximum(self.vars[b], self.pooled) / self.n_control[b] for b in self.batches)
        )

    def carrying(self, p):
        values = self.x[self.row == p]
        squares = (values**2).sum(axis=0)
        return np.where(squares > 0, values.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1), 0)

    def z(self, p):
        error = self.error(p)
        z = self.effect(p) / np.where(error > 0, error, np.nan)
        return np.where(self.carrying(p) + self.carrying(0) < 10 - 1e-8, np.nan, z)

    def z_effect(self, p, targets, a2):
        genes = np.setdiff1d(np.arange(self.x.shape[1]), targets)
        n, w = (self.row == p).sum(), self.weights(p)
        own = self.var[p - 1, genes].sum() / n
        control = w**2 * self.vars[:, genes].sum(axis=1) / self.n_control
        noise = own + control.sum()
        scale = noise**2 + own**2 / (n - 1) + (control**2 / (self.n_control - 1)).sum()
        return ((self.effect(p)[genes] ** 2).sum() - noise) / np.sqrt(2 * a2 * scale)


@pytest.mark.parametrize("shape", SHAPES)
def test_all_is_as_from_single_cells(shape):
    x, row, batch = draw(1, **SHAPES[shape], effect=0.3)
    cells, moments = Cells(x, row, batch), moments_of(x, row, batch)
    noise = noise_shape(moments, ROWS)
    detection = detect(moments, np.ones(P + 1, dtype=bool), TARGETS)
    z = np.array([cells.z(p) for p in ROWS])
    assert np.isnan(z).any()
    np.testing.assert_allclose(z_scores(moments, ROWS), z, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(z_errors(moments, ROWS), [cells.error(p) for p in ROWS], rtol=1e-8)
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


def test_cells_that_carry_a_gene():
    values = np.array([[1.0, 1, 1, 0, 0], [5, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 2, 1, 2, 2]]).T
    sums = np.stack([values.sum(axis=0), (values**2).sum(axis=0)])[:, None]
    np.testing.assert_allclose(n_carrying(sums)[0], [3, 1, 0, 64 / 14])


def test_a_gene_that_few_cells_carry_cannot_lead():
    """One large value in one cell, or the same in cells of both, below ten in all."""
    x, row, batch = draw(3, n_batches=1)
    x[:, 0] = 0
    x[np.flatnonzero(row == 1)[:8], 0] = 30.0
    assert np.isnan(z_scores(moments_of(x, row, batch), ROWS)[0, 0])
    x[np.flatnonzero(row == 1)[:12], 0] = 30.0
    assert z_scores(moments_of(x, row, batch), ROWS)[0, 0] > 4
    assert 0 in detect(moments_of(x, row, batch), np.ones(P + 1, bool), TARGETS).top[1]


def test_where_values_can_be_negative_no_gene_is_too_rare():
    x, row, batch = draw(4)
    assert not np.isnan(z_scores(moments_of(x - 0.5, row, batch), ROWS)).any()


def test_regressed_values_keep_the_count_of_cells_that_carry_a_gene():
    x, row, batch = draw(5)
    z = np.random.default_rng(0).normal(size=(len(row), 1))
    moments = moments_of(x, row, batch, covariates=z)
    residual, _ = regress_out(moments, rows=np.ones(P + 1, dtype=bool))
    np.testing.assert_allclose(residual.value_sums, value_sums(moments))
    np.testing.assert_array_equal(
        np.isnan(z_scores(residual, ROWS)), np.isnan(z_scores(replace(moments, covariates=None), ROWS))
    )
    codes = np.r_[0, 1 + np.arange(P) // 2]
    merged = residual.merge(codes, P // 2 + 1)
    np.testing.assert_allclose(merged.value_sums, value_sums(moments_of(x, codes[row], batch)), atol=1e-9)
    np.testing.assert_allclose(merged.genes(np.arange(3)).value_sums, merged.value_sums[:, :, :3])


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
