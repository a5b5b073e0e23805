"""Small self-checks of the oracle by simulation with Gaussian cells; under 60 s on one core."""

import numpy as np
import pytest
from benchmarks import oracle as o
from scipy import stats


def mixing(rng, n_genes, strength=0.6):
    """Square root of the covariance of cells: own variances of genes and two shared states."""
    loadings = strength * rng.standard_normal((2, n_genes))
    return np.vstack([np.diag(rng.uniform(0.5, 1.5, n_genes)), loadings])


def simulate(rng, effects, n_cells, n_controls, root, n_strata=1, design="mixed", batch_size=0.0, base=None):
    """Gaussian cells with n_controls per stratum; `nested`: each perturbation in one stratum, else drawn at random."""
    count, n_genes = effects.shape
    shift = batch_size * rng.standard_normal((n_strata, n_genes))
    labels, batch = ["control"] * (n_controls * n_strata), list(np.repeat(np.arange(n_strata), n_controls))
    for p in range(count):
        sizes = rng.dirichlet(np.full(n_strata, 1.0)) if design == "mixed" else np.eye(n_strata)[p % n_strata]
        labels += [f"p{p:03d}"] * n_cells
        batch += list(rng.choice(n_strata, n_cells, p=sizes))
    labels, batch = np.array(labels), np.array(batch)
    x = rng.standard_normal((len(labels), len(root))) @ root + shift[batch]
    x += 0 if base is None else base
    for p in range(count):
        x[labels == f"p{p:03d}"] += effects[p]
    return x, labels, batch


def deal(rng, labels, batch):
    """Random halves and blocks by the rules of §1."""
    order = rng.permutation(len(labels))
    half = o.deal_halves(labels, batch, order)
    return half, o.deal_control_blocks(labels == "control", batch, half, order)


def screen(rng, effects, n_cells, n_controls, root, **keywords):
    """Moments of one simulated screen."""
    x, labels, batch = simulate(rng, effects, n_cells, n_controls, root, **keywords)
    return o.compute_moments(x, labels, "control", batch, *deal(rng, labels, batch))


def near(values, expected, tolerance_se=4.0):
    """Say whether the mean is within a few of its standard errors."""
    values = np.asarray(values, float)
    return abs(values.mean() - expected) <= tolerance_se * values.std(ddof=1) / np.sqrt(len(values))


def test_moments_by_hand():
    """One stratum: plain means and variances; block means from block sums (§12)."""
    rng = np.random.default_rng(0)
    x, labels, batch = simulate(rng, np.ones((3, 7)), 9, 30, mixing(rng, 7))
    half, block = deal(rng, labels, batch)
    m = o.compute_moments(x, labels, "control", None, half, block)
    control, own = x[labels == "control"], x[labels == "p001"]
    assert np.allclose(m.effect[1], own.mean(0) - control.mean(0))
    assert np.allclose(m.s2[1], own.var(0, ddof=1))
    assert np.allclose(m.v[1], own.var(0, ddof=1) / 9 + control.var(0, ddof=1) / 30)
    assert np.isclose(o.energy(m)[1], np.sum(m.effect[1] ** 2) - m.noise[1])
    assert np.allclose(np.diag(o.gram(m)), o.energy(m))
    assert len(m.block_n) == 2 * min(10, 30 // 4)
    assert m.block_n.sum() == 30
    sums = np.array([x[block == k].sum(0) for k in range(len(m.block_n))])
    assert np.allclose(o.block_mean_from_sums(sums, m.block_nb, m.c_b_half, m.block_half), m.block_mean)
    for p in range(3):
        u = o.weights_effect(m, p)
        assert np.isclose(o.form_product(o.rows_of(m), u, u), o.energy(m)[p])
        assert np.allclose(o.weights_mean_star(m, p) @ o.rows_of(m).x, m.mean_star[p])


def test_energy_is_mean_over_splits():
    """E_p (no hash) equals D1.D2 averaged over random halves of equal size."""
    rng = np.random.default_rng(1)
    x, labels, _ = simulate(rng, 0.5 * rng.standard_normal((1, 20)), 10, 20, mixing(rng, 20))
    own, control = x[labels == "p000"], x[labels == "control"]
    products = []
    for _ in range(4000):
        a, b = rng.permutation(own), rng.permutation(control)
        products.append((a[:5].mean(0) - b[:10].mean(0)) @ (a[5:].mean(0) - b[10:].mean(0)))
    batch = np.zeros(len(labels), int)
    assert near(products, o.energy(o.compute_moments(x, labels, "control", None, *deal(rng, labels, batch)))[0])


@pytest.mark.parametrize("design", ["nested", "mixed"])
def test_energy_unbiased_with_batches(design):
    """Noise-corrected squared effects and products are unbiased in nested and in mixed batches, as are variances."""
    rng = np.random.default_rng(2)
    root, effects = mixing(rng, 25), 0.3 * rng.standard_normal((6, 25))
    energies, crosses, variances, products = [], [], [], []
    for _ in range(200):
        m = screen(rng, effects, 14, 12, root, n_strata=3, design=design, batch_size=1.0)
        energies.append(o.energy(m))
        crosses.append(o.gram(m)[0, 3])
        variances.append(m.t)
        products.append(np.sum(m.effect_half[0] * m.effect_half[1], axis=1))
    truth = np.sum(effects**2, axis=1)
    assert near(np.sum(energies, axis=1), truth.sum())
    assert near(np.sum(products, axis=1), truth.sum())
    assert near(crosses, effects[0] @ effects[3])
    assert near(np.mean(variances, axis=1), np.sum(root**2))


def test_null_energy_has_its_standard_error():
    """Without effects sum E has mean 0 and the SD SE_0 (up to the raise of a2); p are not too small."""
    rng = np.random.default_rng(3)
    root, effects = mixing(rng, 40), np.zeros((15, 40))
    sums, errors, p_energy, p_values, any_call, a2 = [], [], [], [], [], []
    for _ in range(120):
        m = screen(rng, effects, 20, 40, root, n_strata=2, design="nested", batch_size=1.0)
        shape = o.noise_shape(m)
        sums.append(o.energy(m).sum())
        errors.append(o.null_standard_error(m, shape) / np.sqrt(shape.factor))
        a2.append(shape.a2)
        table = o.any_effect(m, shape, [[p] for p in range(15)])
        p_energy.append(table["p_energy"])
        p_values.append(table["p"])
        any_call.append(table["detected"].any())
    covariance = root.T @ root
    assert np.isclose(np.mean(a2), np.sum(covariance**2) / np.trace(covariance) ** 2, rtol=0.06)
    assert near(sums, 0)
    assert 0.8 < np.std(sums) / np.mean(errors) < 1.25
    p_energy = np.ravel(p_energy)
    assert 0.025 < np.mean(p_energy <= 0.05) < 0.075
    assert 0.42 < np.mean(p_energy <= 0.5) < 0.58
    assert np.mean(np.ravel(p_values) <= 0.05) < 0.07
    assert np.mean(any_call) < 0.12


def test_reproducibility_is_cosine_with_a_repeat():
    """E+/(E+ + N) matches the cosine with an independent repeat of the same size."""
    rng = np.random.default_rng(4)
    root, effects = mixing(rng, 60, 0.3), 0.45 * rng.standard_normal((6, 60))
    cosines, values = [], []
    for _ in range(50):
        m, repeat = (screen(rng, effects, 20, 60, root) for _ in range(2))
        values.append(np.mean(o.reproducibility(m)))
        cosines.append(np.mean([stats.pearsonr(a, b)[0] for a, b in zip(m.effect, repeat.effect, strict=True)]))
    assert abs(np.mean(values) - np.mean(cosines)) < 0.02


def test_control_variance_and_draws():
    """Var_0 is the exact variance of a linear statistic over controls; draws have this variance; nu has unit norm."""
    rng = np.random.default_rng(5)
    root = mixing(rng, 12)
    direction = rng.standard_normal((4, 12))
    variances, norms = [], []
    for _ in range(120):
        m = screen(rng, np.zeros((4, 12)), 12, 24, root, n_strata=2, batch_size=0.5, design="nested")
        variances.append(o.control_variance(m, o.control_derivative_of_effects(m, direction)))
        norms.append(np.mean(np.sum(o.noise_shape(m).vectors ** 2, axis=1)))
    covariance = root.T @ root
    v = m.w.T @ direction
    exact = sum(v[b] @ covariance @ v[b] / m.n_0b[b] for b in range(2))
    assert abs(np.mean(variances) / exact - 1) < 0.12
    assert abs(np.mean(norms) - 1) < 0.05
    v_half = o.control_derivative_of_effects(m, direction)
    k = len(m.block_n)
    draws = [np.sum(o.control_draw(m, rng.standard_normal((k, 2))) * v_half) for _ in range(3000)]
    assert abs(np.var(draws) / o.control_variance(m, v_half) - 1) < 0.12


def test_regressed_covariate():
    """A covariate that differs between groups leaves no energy once it is regressed."""
    rng = np.random.default_rng(6)
    root, slope = mixing(rng, 20), rng.standard_normal(20)
    sums = []
    for _ in range(60):
        x, labels, batch = simulate(rng, np.zeros((5, 20)), 20, 60, root)
        z = rng.standard_normal(len(labels)) + np.where(labels == "p001", 0.7, 0.0)
        residual, slopes = o.residualize(x + np.outer(z, slope), labels, batch, z[:, None])
        m = o.compute_moments(residual, labels, "control", batch, *deal(rng, labels, batch))
        sums.append(o.energy(m).sum())
    # the noise of the slope itself (times the difference of 0.7) is in no variance: a small positive rest
    assert np.abs(slopes - slope).max() < 0.5
    assert abs(np.mean(sums)) < 4 * np.std(sums) / np.sqrt(60) + 0.49 * np.sum(root**2) / 160


def test_gene_set_share_and_its_error():
    """The share is unbiased and its SE matches the SD over screens, in this screen and for a typical one."""
    rng = np.random.default_rng(7)
    root, effects = mixing(rng, 30, 0.4), 0.4 * rng.standard_normal((12, 30))
    effects[:, :8] *= 1.5
    genes = np.arange(8)
    results = []
    for _ in range(60):
        m = screen(rng, effects, 25, 60, root)
        results.append(o.gene_set_share(m, o.noise_shape(m), genes))
    truth = np.sum(effects[:, :8] ** 2) / np.sum(effects**2)
    shares, errors = np.array([r["share"] for r in results]), np.array([r["se"] for r in results])
    assert abs(shares.mean() - truth) < 0.02
    assert 0.8 < errors.mean() / shares.std() < 1.3
    assert np.mean([r["low"] <= truth <= r["high"] for r in results]) > 0.85
    typical = o.gene_set_typical(m, genes)
    assert abs(typical["typical"] - truth) < 0.2
    assert typical["typical_low"] < typical["typical"] < typical["typical_high"]
    total = o.gene_set_shapley(m, {"a": genes, "b": np.arange(5, 12)})
    assert np.isclose(sum(total.values()), 1)


def test_null_of_gene_set():
    """Draws come from genes in no set, near in c; a set without signal has a middling p."""
    rng = np.random.default_rng(8)
    base = np.exp(rng.uniform(-1, 2, 80)) + 10
    m = screen(rng, 0.5 * rng.standard_normal((10, 80)), 30, 60, mixing(rng, 80, 0.2), base=base)
    genes = np.arange(6)
    candidates = o.null_candidates(m.c, genes, np.arange(80) >= 10)
    assert candidates.shape == (6, 20)
    assert candidates.min() >= 10
    null = o.gene_set_null(m, genes, candidates, rng.integers(0, 20, (200, 6)))
    assert 0 < null["p"] <= 1
    assert null["mismatch"] < 0.5
    assert len(null["null_shares"]) == 200


def axis_share(d1, d2, total_energy, measurable):
    """Share on the shared axis as a plain function of the halves."""
    k, own = d1 @ d2.T, 0.0
    for p in range(len(k)):
        others = np.delete(np.arange(len(k)), p)
        if measurable[p]:
            own += k[p, others].sum() * k[others, p].sum() / k[np.ix_(others, others)].sum()
    return own / total_energy


def test_shared_axis():
    """Share on a planted axis, its gradient, its SE, carriers; none where there is no axis."""
    rng = np.random.default_rng(9)
    root, axis = mixing(rng, 40, 0.3), rng.standard_normal(40)
    effects = np.outer(rng.uniform(0.3, 1.0, 12), axis) + 0.3 * rng.standard_normal((12, 40))
    results = []
    for _ in range(50):
        m = screen(rng, effects, 20, 60, root)
        results.append(o.shared_axis(m, o.noise_shape(m)))
    own = 0.0
    k = effects @ effects.T
    for p in range(12):
        others = np.delete(np.arange(12), p)
        own += k[p, others].sum() ** 2 / k[np.ix_(others, others)].sum()
    truth = own / np.trace(k)
    shares = np.array([r["share"] for r in results])
    assert all(r["exists"] for r in results)
    assert abs(shares.mean() - truth) < 0.03
    assert 0.75 < np.mean([r["se"] for r in results]) / shares.std() < 1.35
    # d share / d D1 along a random change: total energy moves as D1.D2 does (its gradient is -R on the diagonal)
    result, d = results[-1], m.effect_half
    change = rng.standard_normal(d[0].shape)
    total, step = o.energy(m).sum(), 1e-5

    def moved(s):
        e = total + s * np.sum(change * d[1])
        return axis_share(d[0] + s * change, d[1], e, result["measurable"])

    analytic = np.sum((result["gradient"] @ d[1]) * change) / total
    assert np.isclose((moved(step) - moved(-step)) / (2 * step), analytic, rtol=1e-4)
    common = o.common_to_all(m, o.noise_shape(m))
    assert common["exists"]
    assert common["low"] < common["common"] < common["high"]
    assert 1 <= len(result["carriers"]) <= 12
    assert result["n_axis"] > 3
    null = screen(rng, np.zeros((12, 40)), 20, 60, root)
    assert not o.shared_axis(null, o.noise_shape(null))["exists"]


def test_form_standard_error():
    """The SE of E_p covers the SD over screens; the literal form is too wide by at most its missing subtraction."""
    rng = np.random.default_rng(10)
    root = mixing(rng, 30, 0.4)
    for size in (0.0, 0.4):
        effects = np.vstack([size * rng.standard_normal(30), 0.3 * rng.standard_normal((7, 30))])
        values, errors = [], []
        for _ in range(120):
            m = screen(rng, effects, 20, 40, root)
            values.append(o.energy(m)[0])
            errors.append(o.energy_standard_error(m, o.noise_shape(m), 0) ** 2)
        assert 0.8 < np.sqrt(np.mean(errors)) / np.std(values) < 1.5
        m_shape = o.noise_shape(m)
        table = o.any_effect(m, m_shape, [[] for _ in range(8)])
        test = o.form_test(o.rows_of(m), o.weights_effect(m, 0), m_shape, m.s2_pooled)
        assert np.isclose(test["z_energy"], table["z_energy"][0])
        assert np.isclose(test["p"], table["p"][0])


@pytest.mark.parametrize("kind", ["mean", "delta"])
def test_truth_is_worth_one(kind):
    """The truth as prediction: l2_skill and specific skill 1 within error, correlations at their ceilings, slope 1."""
    rng = np.random.default_rng(11)
    genes, base = np.arange(40), rng.uniform(1, 2, 40)
    root = mixing(rng, 40, 0.4)
    axis = 0.5 * rng.standard_normal(40)
    found = {
        key: [] for key in ("l2", "specific", "slope", "delta", "perturbed", "ratio", "unshared", "part", "true part")
    }
    for _ in range(25):
        effects = np.outer(rng.uniform(0, 1, 24), axis) + 0.4 * rng.standard_normal((24, 40))
        shift = rng.standard_normal((2, 40))
        x, labels, batch = simulate(rng, effects, 20, 60, root, n_strata=2, design="mixed", base=base)
        x += shift[batch]
        m = o.compute_moments(x, labels, "control", batch, *deal(rng, labels, batch))
        shape = o.noise_shape(m)
        held_out, training = np.arange(12, 24), np.arange(12)
        level = base + m.w_0 @ shift if kind == "mean" else m.c
        predicted = level + effects[held_out]
        mean, omega, own_noise = o.training_reference(m, training)
        means = np.tile(mean, (12, 1))
        table = o.score_table(m, held_out, predicted, means, o.z_scores(m), genes)
        weights = o.predicted_control_weights(m, held_out, kind)
        noise = o.truth_noise(m, held_out, weights).sum(axis=1)
        own_weights = o.predicted_control_weights(m, held_out)
        noise_mean = o.truth_noise(m, held_out, own_weights).sum(axis=1)
        found["l2"].append(o.l2_skill(table["l2"], table["l2_mean"], noise, noise_mean, shape)["value"])
        part = o.score_table(m, held_out, level + 0.6 * effects[held_out], means, o.z_scores(m), genes)
        found["part"].append(o.l2_skill(part["l2"], table["l2_mean"], noise, noise_mean, shape)["value"])
        true_mean_error = np.sum((mean - base - m.w_0 @ shift - effects[held_out]) ** 2)
        found["true part"].append(1 - np.sum((0.4 * effects[held_out]) ** 2) / true_mean_error)
        result = o.specific_skill(m, shape, held_out, predicted, means, np.tile(omega, (12, 1)))
        found["specific"].append(result["skill"])
        found["slope"].append(result["slope"])
        zero, phi = np.zeros(2), o.centered_share(shape)
        ceiling_c = [o.pearson_ceiling(m, p, weights[i], m.c, zero, 0.0, phi, shape.a2) for i, p in enumerate(held_out)]
        ceiling_m = [
            o.pearson_ceiling(m, p, weights[i], mean, omega, own_noise, phi, shape.a2) for i, p in enumerate(held_out)
        ]
        found["delta"].append(np.mean(table["pearson_delta"] - ceiling_c))
        found["perturbed"].append(np.mean(table["pearson_delta_perturbed"] - ceiling_m))
        found["ratio"].append(o.variance_ratio(predicted, o.gram(m)[np.ix_(held_out, held_out)])["value"])
        row_weights = o.weights_training_mean(m, training)
        unshared, plain = o.unshared_score(m, shape, held_out[0], mean, row_weights, o.weights_control(m), genes)
        found["unshared"].append(plain - unshared)
    averages = {key: np.mean(values) for key, values in found.items()}
    assert abs(averages["l2"] - 1) < 0.05
    assert abs(averages["part"] - averages["true part"]) < 0.05
    assert abs(averages["specific"] - 1) < 0.15
    assert abs(averages["slope"] - 1) < 0.1
    assert abs(averages["delta"]) < 0.03
    assert abs(averages["perturbed"]) < 0.03
    assert abs(averages["ratio"] - 1) < 0.05
    assert averages["unshared"] > 0


def test_unshared_score_of_mean_on_null():
    """On a null screen the plain correlation of `mean` is inflated, the unshared one is 0."""
    rng = np.random.default_rng(12)
    root, scores = mixing(rng, 40, 0.3), []
    for _ in range(60):
        m = screen(rng, np.zeros((11, 40)), 20, 40, root)
        weights = o.weights_training_mean(m, np.arange(10))
        predicted = weights @ o.rows_of(m).x
        scores.append(
            o.unshared_score(m, o.noise_shape(m), 10, predicted, weights, o.weights_control(m), np.arange(40))
        )
    unshared, plain = np.array(scores).T
    assert near(unshared, 0)
    assert plain.mean() > 0.2


def test_intervals():
    """Intervals stay in their range, hold the estimate, and are the textbook ones where they should be."""
    assert o.interval_logit(0.02, 0.1, 2.0) == (0.0, pytest.approx(0.22))
    assert o.interval_logit(1.3, 0.1, 2.0) == (0.8, 1.0)
    low, high = o.interval_ratio(1.0, 0.2, 2.0)
    assert low == pytest.approx(0.6)
    assert high == pytest.approx(np.exp(0.4))
    values = np.random.default_rng(13).standard_normal(20)
    mean = o.mean_over_perturbations(values)
    low, high = stats.t.interval(0.95, 19, values.mean(), stats.sem(values))
    assert np.allclose([mean["low"], mean["high"]], [low, high])
    assert np.isclose(o.ratio_of_sums(values, np.ones(20))["se"], stats.sem(values))
    assert o.effective_number(np.ones(7)) == pytest.approx(7)
    assert np.isnan(o.ratio_of_sums(values[:9], np.ones(9))["low"])
    assert o.label_of_units(9, 9) == "not given"
    assert o.label_of_units(60, 19) == "approximate"
    low, high = o.fieller(2.0, 1.0, 0.01, 1e-12, 0.0, 1.96)
    assert np.isclose(low, 2 - 0.196, atol=1e-4)
    assert np.isclose(high, 2 + 0.196, atol=1e-4)
    perfect = o.discrimination_interval(np.ones(20))
    assert perfect["high"] == 1
    assert perfect["low"] < 1


def test_tests_of_multiple_genes():
    """BH as in scipy, Poisson-binomial as binomial, recurrence p valid on a null screen, excess interval."""
    rng = np.random.default_rng(14)
    p = rng.uniform(size=50)
    assert np.allclose(o.benjamini_hochberg(p), stats.false_discovery_control(p))
    assert np.isclose(o.poisson_binomial_tail([0.3] * 12, 5), stats.binom.sf(4, 12, 0.3))
    base, hits = np.exp(rng.uniform(0, 1, 100)) + 6, []
    root = mixing(rng, 100, 0.2)
    for _ in range(15):
        m = screen(rng, np.zeros((15, 100)), 15, 60, root, base=base)
        result = o.recurrence(m, 10, "centered")
        hits.append(np.nanmin(result["q"]) <= 0.05)
        assert result["count"].sum() == 150
        assert 1 <= result["n_effective_genes"] <= 100
    assert np.mean(hits) < 0.2
    assert o.recurrence_excess(8, 2, 20)["low"] > 0


def test_discrimination_and_specific_words():
    """Truth discriminates, a constant averages 1/2 and has specific skill 0; four times the truth has slope 1/4."""
    rng = np.random.default_rng(15)
    effects = 0.8 * rng.standard_normal((24, 30))
    m = screen(rng, effects, 40, 120, mixing(rng, 30, 0.2))
    shape, held_out = o.noise_shape(m), np.arange(12, 24)
    observed = m.mean_star[held_out]
    own = np.arange(12)
    assert np.all(o.discrimination(m.c + effects[held_out], observed, own, []) > 0.9)
    constant = np.tile(m.c, (12, 1))
    assert np.isclose(o.discrimination(constant, observed, own, []).mean(), 0.5)
    mean, omega, _ = o.training_reference(m, np.arange(12))
    means, weights = np.tile(mean, (12, 1)), np.tile(omega, (12, 1))
    assert o.specific_skill(m, shape, held_out, means, means, weights)["skill"] == 0
    right = o.specific_skill(m, shape, held_out, m.c + effects[held_out], means, weights)
    larger = o.specific_skill(m, shape, held_out, m.c + 4 * effects[held_out], means, weights)
    assert o.specific_words(right) == "perturbation-specific"
    assert o.specific_words(larger) == "right direction, wrong size"
    assert abs(larger["slope"] - 0.25) < 0.05
    wrong = o.specific_skill(m, shape, held_out, m.c + np.roll(effects[held_out], 1, axis=0), means, weights)
    assert o.specific_words(wrong) == "not specific"


def test_kinds_and_floor():
    """Categories in their order; genes that too few cells carry have no z."""
    kinds = o.categories(
        q=np.array([0.5, 0.5, 0.01, 0.01, 0.01, 0.01]),
        own_gene_q=np.array([0.5, 0.01, 0.5, np.nan, 0.5, 0.5]),
        targets_confounder=np.array([False, False, True, False, False, False]),
        z_energy=np.array([0, 0, 9, 9, 9, 1.0]),
        own_share=np.array([0, 0, 0.9, 0.9, 0.2, 0.9]),
        technical_share=np.full(6, np.nan),
    )
    assert list(kinds) == ["not detected", "target gene only", "targets a confounder gene", "mostly shared",
                           "specific", "weak"]  # fmt: skip
    rng = np.random.default_rng(16)
    x = rng.poisson(3.0, (60, 4)).astype(float)
    x[:, 3] = 0
    x[0, 3] = 1
    labels, batch = np.array(["control"] * 40 + ["a"] * 20), np.zeros(60, int)
    m = o.compute_moments(x, labels, "control", batch, *deal(rng, labels, batch))
    z = o.z_scores(m)
    assert np.isnan(z[0, 3])
    assert not np.isnan(z[0, :3]).any()
    assert np.isclose(m.m_0[3], 1)
    assert 3 not in o.top_genes(z[0], 4)
    assert np.isclose(m.m_p[0, 0], x[40:, 0].sum() ** 2 / np.sum(x[40:, 0] ** 2))


def test_other_tables():
    """Direction shares, target scan, attribution agreement, mismatch, folds run and are sane."""
    rng = np.random.default_rng(17)
    axis = rng.standard_normal(30)
    effects = np.outer(rng.uniform(0.5, 1, 10), axis)
    m = screen(rng, effects, 40, 120, mixing(rng, 30, 0.1))
    assert abs(o.direction_share(m, axis, axis) - 1) < 0.05
    assert o.leading_shares(m, np.arange(10) % 5).shape == (5,)
    gains = o.direction_shapley(m, {"a": (axis, axis), "b": (rng.standard_normal(30),) * 2})
    assert abs(sum(gains.values()) - 1) < 0.1
    assert np.isclose(o.on_systematic(m, np.arange(30)), 1)
    scan = o.target_scan(o.z_scores(m), np.arange(10), 2, [rng.permutation(10) for _ in range(20)])
    assert np.all((scan["p"] > 0) & (scan["p"] <= 1))
    same = o.attribution_agreement(axis, axis, 5, np.arange(30) % 3)
    checks = [np.zeros((2, 3)), np.ones((2, 3)), np.eye(3), np.outer([1, 2], [1, 2, 3]), rng.standard_normal((2, 3))]
    assert [o.attribution_check(a) for a in checks] == ["zero", "constant", "one_hot", "shared", "ok"]
    assert np.isclose(same["spearman"], 1)
    assert same["overlap"] == 1
    assert same["p"] < 0.01
    folds = o.cut_folds(rng.permutation(10), 5)
    gain = o.mismatch_gain(np.eye(10), np.zeros(10), [rng.permutation(10) for _ in range(50)])
    assert np.all(np.bincount(folds) == 2)
    assert gain["mean"] == 1
    assert gain["p"] < 0.05
