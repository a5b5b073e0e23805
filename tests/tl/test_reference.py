import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias.tl._reference import reference, score_genes


@pytest.fixture(scope="module")
def profiles():
    adata = spb.ds.simulate(1500, 50, 12, rng=4)
    spb.pp.split(adata)
    return spb.pp.profiles(adata, batch_key="gem_group")


@pytest.fixture(scope="module")
def screen(profiles):
    return _moments.of(profiles)


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
