from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._core.correlations import NoiseWeights
from scpertbias.tl._reference import reference, score_genes
from scpertbias.tl._score import score_table


@pytest.fixture(scope="module")
def profiles():
    adata = spb.ds.simulate(1500, 50, 12, rng=4)
    spb.pp.split(adata)
    return spb.pp.profiles(adata, batch_key="gem_group")


@pytest.fixture(scope="module")
def screen(profiles):
    return _moments.of(profiles)


DESIGNS = {
    "no batch": [60],
    "nested": [25, 40],
    "uneven": [80, 15, 30],
    "few controls": [12, 10],
}


def cells_of(design, seed=0, n_genes=30):
    """Cells of 14 perturbations with few and many cells, in batches that differ, with heavy tails."""
    rng, n_control = np.random.default_rng(seed), DESIGNS[design]
    n_batches = len(n_control)
    labels, batch = np.repeat("control", sum(n_control)), np.repeat(np.arange(n_batches), n_control)
    for p in range(14):
        n = int(rng.integers(20, 60))
        own = (
            np.full(n, p % n_batches)
            if design == "nested"
            else rng.choice(n_batches, n, p=rng.dirichlet(np.ones(n_batches)))
        )
        labels, batch = np.append(labels, np.repeat(f"p{p:02d}", n)), np.append(batch, own)
    codes = np.unique(labels, return_inverse=True)[1]
    means = rng.gamma(1, 1, n_genes) * np.exp(0.4 * rng.normal(size=(n_batches, 1, n_genes))) + 0.3 * rng.gamma(
        1, 1, (1, 15, n_genes)
    )
    x = 0.01 + means[batch, codes] * rng.lognormal(0, 1.2, (len(labels), n_genes)) / 60
    obs = pd.DataFrame(
        {"perturbation": labels, "batch": batch.astype(str)}, index=[f"c{i}" for i in range(len(labels))]
    )
    obs["split"] = np.where((codes > 0) & (codes % 3 == 0), "test", "train")
    return ad.AnnData(x, obs=obs, var=pd.DataFrame(index=[f"g{i:02d}" for i in range(n_genes)]))


def brute_force(adata, genes, w_hat, phi):
    """l2 and the two Pearson ceilings of every perturbation, from the cells, as if the squared effect were known.

    ``w_hat`` are the control weights by batch, ``phi`` is what centering leaves of noise.
    """
    x, labels, batch = adata.X[:, genes], adata.obs["perturbation"].to_numpy(), adata.obs["batch"].to_numpy()
    batches, is_control = sorted(set(batch)), labels == "control"
    n_0b = np.array([np.sum(is_control & (batch == b)) for b in batches])
    c_b = np.array([x[is_control & (batch == b)].mean(axis=0) for b in batches])
    s2_0b = np.array([x[is_control & (batch == b)].var(axis=0, ddof=1) for b in batches])
    c, tau = n_0b @ c_b / n_0b.sum(), s2_0b.sum(axis=1) / n_0b
    names = sorted(set(labels) - {"control"})
    n, w, s2, star = {}, {}, {}, {}
    for name in names:
        cells = labels == name
        n[name] = cells.sum()
        n_pb = np.array([np.sum(cells & (batch == b)) for b in batches])
        w[name] = n_pb / n[name]
        between = n_pb @ (c_b - w[name] @ c_b) ** 2 - (n_pb * (1 - w[name]) / n_0b) @ s2_0b
        s2[name] = x[cells].var(axis=0, ddof=1) - between / (n[name] - 1)
        star[name] = c + x[cells].mean(axis=0) - w[name] @ c_b
    train = [name for name in names if (adata.obs["split"][labels == name] == "train").all()]
    mean = np.mean([star[q] for q in train], axis=0)
    omega, t_r = np.mean([w[q] for q in train], axis=0), sum(s2[q].sum() / n[q] for q in train) / len(train) ** 2
    rows = {}
    for name in names:
        f = s2[name].sum() / n[name] + (w[name] - w_hat(n_0b)) ** 2 @ tau
        row = {"l2_ceiling": np.sqrt(f)}
        abouts = {"pearson_delta": (c, 0 * omega, 0.0), "pearson_delta_perturbed": (mean, omega, t_r)}
        for metric, (reference_, o, t) in abouts.items():
            a = len(genes) * np.var(star[name] - reference_)
            t, tau_c = phi * t, phi * tau
            e = a - phi * s2[name].sum() / n[name] - (w[name] - o) ** 2 @ tau_c - t
            y = w_hat(n_0b) - o
            root = (max(e, 0) + t + y**2 @ tau_c) * a
            row[f"{metric}_ceiling"] = (
                np.clip((e + t + ((w[name] - o) * y) @ tau_c) / np.sqrt(root), 0, 1) if root > 0 else 0.0
            )
        rows[name] = row
    return pd.DataFrame(rows).T


@pytest.mark.parametrize("kind", ["expression", "delta"])
@pytest.mark.parametrize("design", DESIGNS)
def test_ceilings_equal_brute_force_from_the_cells(design, kind):
    adata = cells_of(design)
    screen = _moments.of(adata, batch_key="batch")
    made = reference(screen, n_top_genes=25, folds=None)
    made = replace(made, truth=replace(made.truth, centered_a2=0.0))
    table = np.tile(screen.moments.control, (len(screen.names), 1))
    of_batches = (len(screen.names), len(screen.moments.n_control))
    weights = {"m": np.zeros(of_batches)} if kind == "delta" else None
    scores = score_table(screen, made, [("m", "full", table)], weights=weights).table
    w_hat, phi = (lambda n: n / n.sum()) if kind == "expression" else np.zeros_like, made.truth.centered_share
    expected = brute_force(adata, made.genes, w_hat, phi)
    for column in expected:
        np.testing.assert_allclose(
            scores.set_index("perturbation")[column], expected[column], rtol=1e-6, err_msg=column
        )
    baseline = brute_force(adata, made.genes, lambda n: n / n.sum(), phi)["l2_ceiling"]
    np.testing.assert_allclose(scores.set_index("perturbation")["l2_baseline_ceiling"], baseline, rtol=1e-6)


def test_own_noise_of_a_mean_counts_perturbations_once():
    """With folds, or splits of cells, one perturbation lies in several rows."""
    adata = cells_of("uneven")
    names = sorted(set(adata.obs["perturbation"]) - {"control"})
    folds = {name: i % 2 for i, name in enumerate(names)}
    whole = reference(_moments.of(adata, batch_key="batch"), n_top_genes=30, folds=folds).truth
    adata.obs["split"] = np.random.default_rng(0).choice(["train", "test"], adata.n_obs)
    cut = reference(_moments.of(adata, batch_key="batch", min_cells=1), n_top_genes=30, folds=folds).truth
    np.testing.assert_allclose(cut.centroid_weights, whole.centroid_weights, rtol=1e-9)
    np.testing.assert_allclose(cut.centroid_noise, whole.centroid_noise, rtol=0.1)


def row(profiles, name):
    return profiles.X[(profiles.obs["perturbation"] == name).to_numpy()][0]


def test_score_genes_are_the_highest_in_control_ties_by_name(screen, profiles):
    chosen = score_genes(screen, 10)
    control = row(profiles, "non-targeting")
    assert set(chosen) == set(np.argsort(-control)[:10])
    assert (np.diff(chosen) > 0).all()


def test_ties_are_broken_by_name():
    obs = pd.DataFrame({"perturbation": np.repeat(["control", "a"], 30)}, index=[f"c{i}" for i in range(60)])
    adata = ad.AnnData(np.tile([1.5, 0.5, 0.5, 0.5], (60, 1)), obs=obs, var=pd.DataFrame(index=["z", "q", "b", "m"]))
    assert score_genes(_moments.of(adata), 2).tolist() == [0, 2]


def test_baseline_of_a_fold_never_holds_the_fold(screen, profiles):
    names = [n for n in screen.names if n != "non-targeting"]
    folds = {name: i % 3 for i, name in enumerate(names)}
    made = reference(screen, n_top_genes=20, folds=folds)
    assert sorted(screen.names[p] for p in made.perturbation) == sorted(names)
    assert (made.split == "test").all()
    for i, p in enumerate(made.perturbation):
        others = [row(profiles, n) for n in names if folds[n] != folds[screen.names[p]]]
        np.testing.assert_allclose(made.baseline[i], np.mean(others, axis=0)[made.genes], atol=1e-12)
        np.testing.assert_allclose(made.truth.centroid[i], made.baseline[i])
        np.testing.assert_allclose(made.truth.observed[i], row(profiles, screen.names[p])[made.genes], atol=1e-12)
    np.testing.assert_array_equal(made.truth.groups, made.fold)


def test_without_folds_the_baseline_is_that_of_the_training_split(screen, profiles):
    made = reference(screen, n_top_genes=20, folds=None)
    train = profiles[(profiles.obs["split"] == "train") & ~profiles.obs["is_reference"]]
    np.testing.assert_allclose(made.baseline, np.tile(train.X.mean(axis=0)[made.genes], (12, 1)), atol=1e-12)
    assert set(made.split) == {"train", "val", "test"}
    assert len(set(made.truth.groups[made.split == "val"])) == 1


def test_given_genes_are_kept_in_order(screen):
    genes = np.array([5, 3, 40])
    np.testing.assert_array_equal(reference(screen, n_top_genes=7, folds=None, genes=genes).genes, genes)


def test_splits_of_one_perturbation_are_one_row_with_folds():
    adata = spb.ds.simulate(1500, 30, 6, rng=4)
    spb.pp.split(adata, unit="cell")
    screen = _moments.of(adata)
    names = screen.names[1:]
    made = reference(screen, n_top_genes=30, folds={n: i % 2 for i, n in enumerate(names)})
    assert len(made.perturbation) == 6
    cells = adata[adata.obs["perturbation"] == names[0]].X.toarray().astype(float)
    np.testing.assert_allclose(made.truth.observed[0], cells.mean(axis=0), atol=1e-8)
    np.testing.assert_allclose(made.truth.var[0], cells.var(axis=0, ddof=1), atol=1e-8)


def test_combinations_are_held_against_the_sum_of_their_parts():
    rng = np.random.default_rng(0)
    label = np.repeat(["control", "a", "b", "c", "a+b", "a+new"], 30)
    obs = pd.DataFrame({"perturbation": label}, index=[f"c{i}" for i in range(len(label))])
    obs["split"] = np.where(np.char.find(label.astype(str), "+") >= 0, "test", "train")
    profiles = spb.pp.profiles(ad.AnnData(rng.uniform(0, 2, (180, 4)), obs=obs, var=pd.DataFrame(index=list("abcd"))))
    screen = _moments.of(profiles)
    made = reference(screen, n_top_genes=4, folds=None)
    by_name = {screen.names[p]: base for p, base in zip(made.perturbation, made.baseline, strict=True)}
    control = row(profiles, "control")
    np.testing.assert_allclose(by_name["a+b"], row(profiles, "a") + row(profiles, "b") - control, atol=1e-12)
    mean = np.mean([row(profiles, n) for n in "abc"], axis=0)
    np.testing.assert_allclose(by_name["a+new"], mean, atol=1e-12)  # one part was never seen
    np.testing.assert_allclose(made.truth.centroid, np.tile(mean, (len(made.perturbation), 1)), atol=1e-12)
    targets = set(screen.symbols[made.genes][made.truth.target_columns])
    assert targets == {"a", "b", "c"}


@pytest.mark.parametrize("design", ["nested", "uneven"])
def test_the_baseline_moves_with_the_control_of_its_batches(design):
    """Batches of the control are shifted in the cells; what is fitted, and what the truth is, is made anew."""
    adata, step = cells_of(design), 1e-4
    combined = adata.obs["perturbation"].isin(["p02", "p05"])
    adata.obs["perturbation"] = adata.obs["perturbation"].where(~combined, "p00+p01")
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(["p00+p01", "p03", "p06"]), "test", "train")
    made = reference(_moments.of(adata, batch_key="batch"), n_top_genes=30, folds=None)
    shift = np.random.default_rng(1).normal(size=30)
    for b, name in enumerate(sorted(set(adata.obs["batch"]))):
        moved = adata.copy()
        cells = ((moved.obs["perturbation"] == "control") & (moved.obs["batch"] == name)).to_numpy()
        moved.X[cells] += step * shift
        again = reference(_moments.of(moved, batch_key="batch"), n_top_genes=30, folds=None, genes=made.genes)
        for after, before, weights in (
            (again.baseline, made.baseline, made.held_by_baseline.control),
            (again.truth.centroid, made.truth.centroid, made.truth.centroid_weights),
            (again.truth.observed, made.truth.observed, made.truth.weights),
        ):
            expected = (made.truth.of_means[b] - weights[:, [b]]) * shift[made.genes]
            np.testing.assert_allclose((after - before) / step, expected, atol=1e-6)


def test_control_noise_of_models_that_are_given_and_fitted(screen):
    made = reference(screen, n_top_genes=40, folds=None)
    rows = len(made.rows)
    noise = made.control_noise(made.baseline, made.held_by_baseline, made.truth.of_means)
    of_baseline = {n: noise.variance({n: np.ones(rows)}) for n in ("l2", "l2_baseline", "pearson_delta")}
    assert of_baseline["l2"] == pytest.approx(of_baseline["l2_baseline"])
    as_control = NoiseWeights(np.zeros_like(made.truth.weights), np.zeros(rows))
    moved = made.control_noise(made.baseline, as_control, made.truth.of_means)
    assert moved.variance({"l2": np.ones(rows)}) > of_baseline["l2"] + 1e-6
    assert moved.variance({"l2_baseline": np.ones(rows)}) == of_baseline["l2_baseline"]
    assert made.shape.a2_raised == screen.noise_shape.a2_raised
    np.testing.assert_array_equal(made.vectors, screen.noise_shape.some(made.genes))
    np.testing.assert_array_equal(made.detected, screen.detection.detected[made.perturbation])
