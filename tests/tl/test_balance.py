"""Balance over columns of obs: what is planted is named, and nothing else."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from benchmarks import screens
from tests.core.test_balance import composition_share

import scpertbias as spb
from scpertbias import _moments
from scpertbias.get._screen import balance as stored
from scpertbias.tl._balance import balance, balance_table, to_adopt

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*`batch_key` was not given"
)  # where the batch is not tested, or cannot be


def table_of(adata, **kwargs):
    balance(adata, min_cells=10, n_random=200, **kwargs)
    return stored(adata).set_index("column")


def drawn(seed, shape, plant="none", **changes):
    return screens.normalize(screens.draw(seed, shape=shape, plant=plant, truth_cells=0, **changes))


@pytest.fixture(scope="module")
def nested():
    return drawn(1, "nested")


def test_nested_batches_explain_all_there_is(nested):
    row = table_of(nested.copy()).loc["batch"]
    assert row["status"] == "confounded"
    assert row["share"] == pytest.approx(1, abs=0.1)
    assert row["p"] < 0.01
    assert row["null_ci_high"] < 0.1
    assert row["note"] == "labels are confounded with batch"
    assert (row["n_levels"], row["untested"], row["within"]) == (4, 0, "")


def test_is_that_of_single_cells():
    adata, rng = drawn(1, "nested", "own", n_perturbations=10), np.random.default_rng(0)
    adata.obs["lot"] = rng.choice(list("abc"), adata.n_obs, p=[0.48, 0.49, 0.03])
    names = adata.obs["perturbation"].astype(str)
    label = pd.factorize(names.where(names != "control", ""), sort=True)[0]
    level, batch = (adata.obs[c].astype("category").cat.codes.to_numpy() for c in ("lot", "batch"))
    x = adata.X.toarray().astype(float)
    for key, strata in ((None, np.zeros_like(batch)), ("batch", batch)):
        table = table_of(adata, batch_key=key)
        energy, by_chance, untested = composition_share(x, label, level, strata, 30)
        response = _moments.of(adata, batch_key=key, min_cells=10).detection.squared_effect[1:].sum()
        row = table.loc["lot"]
        assert (row["share"] + row["null"]) * response == pytest.approx(energy, rel=1e-6)
        assert row["null"] * response == pytest.approx(by_chance.mean(), abs=5 * by_chance.std() / np.sqrt(30))
        assert row["untested"] == pytest.approx(untested)
        assert row["within"] == (key or "")


def test_without_batches_as_within_a_column(nested):
    """The row of ``batch_key`` is that of the column before it was one."""
    apart, within = table_of(nested.copy()), table_of(nested.copy(), batch_key="batch")
    assert within.loc["batch", "status"] == "adopted"
    assert within.loc["batch", "share"] == pytest.approx(apart.loc["batch", "share"], abs=1e-6)


def test_random_composition_is_balanced():
    row = table_of(drawn(2, "random", "own")).loc["batch"]
    assert row["status"] in ("balanced", "noted")
    assert abs(row["share"]) < 0.02


def test_a_control_of_another_lot():
    row = table_of(drawn(3, "control_of_another_lot")).loc["batch"]
    assert row["status"] == "confounded"
    assert row["share"] > 0.5
    few = table_of(drawn(3, "control_of_another_lot", lot_leak=0.02, fewest_controls=5)).loc["batch"]
    assert few["status"] == "cannot be separated", "nearly all perturbed cells are of a lot with 8 controls"
    assert few["untested"] > 0.8


@pytest.mark.parametrize("name", ["leiden_0.5", "seurat_clusters", "phase", "S.Phase", "predicted_doublet", "louvain"])
def test_outcomes_are_only_named(nested, name):
    adata = nested.copy()
    adata.obs = adata.obs.rename(columns={"batch": name})
    row = table_of(adata).loc[name]
    assert (row["status"], row["outcome"]) == ("outcome", True)
    assert row["share"] > 0.5
    assert to_adopt(stored(adata)) is None


@pytest.mark.parametrize("name", ["cell_type", "celltype"])
def test_types_warn_but_are_not_adopted(nested, name):
    adata = nested.copy()
    adata.obs = adata.obs.rename(columns={"batch": name})
    row = table_of(adata).loc[name]
    assert row["status"] == "confounded"
    assert f"pass batch_key={name!r}" in row["note"]
    assert to_adopt(stored(adata)) is None


def test_the_largest_share_is_adopted(nested):
    adata, rng = nested.copy(), np.random.default_rng(0)
    coarse = adata.obs["batch"].isin(["batch1", "batch2"]).to_numpy()
    adata.obs["lane"] = np.where(rng.random(adata.n_obs) < 0.02, ~coarse, coarse)
    table = table_of(adata)
    assert table.loc["lane", "status"] == table.loc["batch", "status"] == "confounded"
    assert to_adopt(stored(adata)) == "batch"
    assert "lane" not in table_of(adata, batch_key="batch").index, "within batches nothing of it is left to test"


def test_columns_that_labels_determine(nested):
    adata = nested.copy()
    adata.obs["guide"] = adata.obs["perturbation"].astype(str) + np.where(np.arange(adata.n_obs) % 2, "_1", "_2")
    row = table_of(adata).loc["guide"]
    assert row["status"] == "determined by the labels"
    assert row[["share", "p", "untested"]].isna().all()


def test_nobody_is_warned_of_a_column_that_is_tested(nested, recwarn):
    balance(nested.copy(), n_random=10)
    assert not [w for w in recwarn if "look like batches" in str(w.message)]


def test_a_known_response_is_needed():
    table = table_of(drawn(4, "balanced", batch_strength=0.0))
    assert set(table["status"]) <= {"balanced", "noted"}


def test_depth():
    adata = screens.draw(5, shape="one_batch", plant="depth_only", truth_cells=0)
    depth = adata.obs["total"].to_numpy()
    adata = screens.normalize(adata)
    adata.obs["total_counts"] = depth
    row = table_of(adata).loc["depth"]
    assert row["p"] < 1e-6
    assert (row["status"], row["kind"]) == ("noted", "depth")
    assert row["share"] > 0.5
    assert row["note"].startswith("differs between perturbations and accounts for")
    even = screens.draw(5, shape="one_batch", plant="own", truth_cells=0)
    depth, even = even.obs["total"].to_numpy(), screens.normalize(even)
    even.obs["total_counts"] = depth
    assert table_of(even).loc["depth", "status"] == "balanced"


def test_profiles_answer_as_cells_do(nested, tmp_path):
    adata = nested.copy()
    adata.obs["total_counts"] = np.random.default_rng(0).lognormal(8, 0.3, adata.n_obs)
    expected = table_of(adata)
    profiles = spb.pp.profiles(adata, min_cells=10)
    profiles.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    pd.testing.assert_frame_equal(table_of(back), expected)
    spb.pp.standardize(back)
    with pytest.raises(ValueError, match="`layer` is 'standardized'"):
        balance(back, layer="standardized")


def test_splits_are_taken_together_and_order_does_not_matter(nested):
    adata = nested.copy()
    expected = balance_table(_moments.of(adata), n_random=50)
    adata.obs["split"] = np.where(np.arange(adata.n_obs) % 3, "train", "test")
    mixed = adata[np.random.default_rng(0).permutation(adata.n_obs)].copy()
    pd.testing.assert_frame_equal(balance_table(_moments.of(mixed), n_random=50), expected, rtol=1e-6)


def test_copy_and_the_seed(nested):
    adata = nested.copy()
    one, two, other = (stored(balance(adata, n_random=20, rng=seed, copy=True)) for seed in (0, 0, 1))
    assert "scpertbias" not in adata.uns
    pd.testing.assert_frame_equal(one, two)
    assert one["null"].iloc[0] != other["null"].iloc[0]
