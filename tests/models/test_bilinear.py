from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._models.bilinear import aligned, check_table

GOLD = Path(__file__).parent.parent / "data" / "gold"
CONTROL = "non-targeting"


@pytest.fixture(scope="module")
def papalexi():
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, test=["NFKBIA", "STAT1"])
    adata.obs = adata.obs.drop(columns="bio_rep")
    return adata


def gold(name):
    return pd.read_csv(GOLD / f"{name}.csv", index_col=0).rename(index={"ctrl": CONTROL})


def test_means_are_those_that_the_r_original_was_given(papalexi):
    profiles = spb.pp.profiles(papalexi)
    expected = gold("papalexi_profiles")
    found = profiles.to_df().set_axis(profiles.obs["perturbation"].astype(str), axis=0)
    np.testing.assert_allclose(found.loc[expected.index, expected.columns], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("k", [4, 10])
@pytest.mark.parametrize("on", ["cells", "profiles"])
def test_equals_the_r_original_through_layers(papalexi, k, on):
    adata = papalexi.copy() if on == "cells" else spb.pp.profiles(papalexi)
    spb.tl.fit_bilinear(adata, n_components=k)
    found, expected = spb.get.predictions(adata, "bilinear"), gold(f"papalexi_ae_K{k}")
    rows = expected.index.drop(CONTROL)  # its row of ours is the observed control
    np.testing.assert_allclose(found.loc[rows, expected.columns], expected.loc[rows], rtol=0, atol=1e-5)
    cannot = set(found.index) - set(expected.index)
    assert set(adata.uns["scpertbias"]["models"]["bilinear"]["unpredicted"]) == cannot
    assert len(cannot) == 16


def small():
    rng = np.random.default_rng(0)
    label = np.repeat(["control", "g0", "g1", "g2", "g3", "other", "g0+g1"], 30)
    x = rng.uniform(0.5, 1.5, 9) + np.abs(rng.normal(0, 0.3, (len(label), 9)))
    obs = pd.DataFrame({"perturbation": label}, index=[f"c{i}" for i in range(len(label))])
    obs["split"] = np.where(np.isin(label, ["g3", "other", "g0+g1"]), "test", "train")
    return spb.pp.profiles(ad.AnnData(x, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(9)])))


def algebra(x, trained, genes, levels, alpha):
    """W by explicit inverses, as in the R original; control is row 0."""
    matched = trained & np.isfinite(levels).all(axis=1)
    change = (x[matched] - x[0]).T
    center = change.mean(axis=1, keepdims=True)
    p = levels[matched].T
    core = np.linalg.inv(genes.T @ genes + alpha * np.eye(genes.shape[1])) @ genes.T @ (change - center) @ p.T
    core = core @ np.linalg.inv(p @ p.T + alpha * np.eye(len(p)))
    return (genes @ core @ levels.T + center).T + x[0]


def test_brought_embeddings():
    profiles = small()
    names = ["control", "g0", "g0+g1", "g1", "g2", "g3", "other"]
    rng = np.random.default_rng(1)
    genes = pd.DataFrame(rng.normal(size=(9, 4)), index=[f"g{i}" for i in range(9)])
    levels = pd.DataFrame(rng.normal(size=(5, 3)), index=["g0", "g1", "g2", "other", "nowhere"])
    # neither the order of an embedding nor genes that are not here matter
    spb.tl.fit_bilinear(
        profiles,
        gene_embedding=genes.iloc[::-1],
        perturbation_embedding=levels.sample(frac=1, random_state=0),
        alpha=0.3,
    )
    found = spb.get.predictions(profiles, "bilinear").loc[names]
    placed = np.vstack([np.zeros(3), levels.reindex(names[1:]).to_numpy()])
    x = profiles.to_df().set_axis(profiles.obs["perturbation"].astype(str), axis=0).loc[names].to_numpy()
    trained = np.isin(names, ["control", "g0", "g1", "g2"])
    expected = algebra(x, trained, genes.to_numpy(), placed, 0.3)
    assert np.isfinite(expected[names.index("other")]).all()
    np.testing.assert_allclose(found.to_numpy()[1:], expected[1:], atol=1e-10)
    np.testing.assert_allclose(found.to_numpy()[0], x[0])
    record = profiles.uns["scpertbias"]["models"]["bilinear"]
    assert record["params"]["gene_embedding"] == "9 × 4 table"
    assert set(record["unpredicted"]) == {"g3", "g0+g1"}


FRAME = pd.DataFrame({"a": [1.0, 2.0]}, index=["g0", "g1"])


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        ({"gene_embedding": FRAME.to_numpy()}, TypeError, "gene_embedding"),
        ({"perturbation_embedding": FRAME.assign(a=["x", "y"])}, TypeError, "numeric columns"),
        ({"perturbation_embedding": FRAME.set_axis(["g0", "g0"])}, ValueError, "repeated"),
        ({"gene_embedding": FRAME * np.nan}, ValueError, "NaN or infinite"),
        ({"gene_embedding": FRAME.set_axis(["x", "y"])}, ValueError, "none of its 2 genes"),
        ({"n_components": 0}, ValueError, "n_components"),
        ({"alpha": 0.0}, ValueError, "alpha"),
    ],
)
def test_wrong_arguments(wrong, error, match):
    profiles = small()
    with pytest.raises(error, match=match):
        spb.tl.fit_bilinear(profiles, **wrong)
    assert "bilinear" not in profiles.layers


def test_no_target_is_measured():
    profiles = small()[:, 4:].copy()
    with pytest.raises(ValueError, match="embedding"):
        spb.tl.fit_bilinear(profiles, n_components=2)


FRAME_embedding = pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=["x", "y"])


def test_rows_are_matched_by_name():
    rows = aligned(FRAME_embedding, np.array(["y", "z", "x", "y"]), argument="e")
    np.testing.assert_array_equal(rows, [[2, 4], [np.nan, np.nan], [1, 3], [2, 4]])


def test_none_stays_none():
    assert aligned(None, ["x"], argument="e") is None
    assert check_table(None, argument="e") is None


def test_a_good_table_passes():
    assert check_table(FRAME_embedding, argument="e") is None


@pytest.mark.parametrize("frame", [FRAME_embedding[[]], FRAME_embedding.astype(str)])
def test_no_numbers(frame):
    with pytest.raises(TypeError, match="`e`"):
        check_table(frame, argument="e")
