"""Held-out perturbations: whole targets, cells, combinations, lists, folds."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias.pp._split import first_of_targets, folds

COMBOS = ("JAK2", "MYC", "STAT1", "JAK2+MYC", "MYC+STAT1", "JAK2+STAT1")


def parts(adata, key="split") -> dict[str, set[str]]:
    """Perturbations of each part, without control."""
    obs = adata.obs[adata.obs["perturbation"].astype(str) != "control"]
    return {part: set(group["perturbation"].astype(str)) for part, group in obs.groupby(key, observed=True)}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.1), (0.4, 0.3, 0.3), (0.1, 0.45, 0.45), (0.98, 0.01, 0.01)])
def test_whole_targets_and_each_part_gets_one(cells, seed, fractions):
    spb.pp.split(cells, rng=seed, fractions=fractions)
    found = parts(cells)
    assert set(found) == {"train", "val", "test"}
    assert sum(map(len, found.values())) == len(set.union(*found.values())) == 6
    assert len(found["test"]) == max(round(6 * fractions[2]), 1) or fractions[0] == 0.1
    assert (cells.obs.loc[cells.obs["perturbation"] == "control", "split"] == "train").all()
    assert cells.obs["split"].cat.categories.tolist() == ["train", "val", "test"]


def test_a_share_of_zero_gets_none(cells):
    spb.pp.split(cells, fractions=(0.5, 0.0, 0.5))
    assert {part: len(names) for part, names in parts(cells).items()} == {"train": 3, "test": 3}


def test_seeds_differ_and_repeat(make_cells):
    adata = make_cells(targets=[f"G{i}" for i in range(12)], n_cells=20)
    drawn = [parts(spb.pp.split(adata, rng=seed, copy=True)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    spb.pp.split(adata, rng=np.random.default_rng(0))
    assert parts(adata) == drawn[0]


@pytest.mark.parametrize("unit", ["perturbation", "cell"])
def test_order_of_cells_does_not_matter(cells, unit):
    other = cells[np.random.default_rng(0).permutation(cells.n_obs)].copy()
    for adata in (cells, other):
        spb.pp.split(adata, unit=unit, n_folds=3)
    both = ["split", "split_fold"]
    pd.testing.assert_frame_equal(other.obs.loc[cells.obs_names, both], cells.obs[both])


@pytest.mark.parametrize("seed", range(3))
def test_cells_and_profiles_get_the_same(make_cells, seed):
    cells = make_cells(targets=COMBOS)
    few = np.flatnonzero(cells.obs["perturbation"] == "MYC")[:25]
    cells = cells[np.setdiff1d(np.arange(cells.n_obs), few)].copy()
    profiles = spb.pp.profiles(cells)
    for adata in (cells, profiles):
        spb.pp.split(adata, rng=seed, n_folds=2)
    per_cell = cells.obs.drop_duplicates("perturbation").set_index("perturbation")
    for column in ("split", "split_fold"):
        expected = per_cell[column].astype(str).to_dict()
        assert (
            dict(zip(profiles.obs["perturbation"].astype(str), profiles.obs[column].astype(str), strict=True))
            == expected
        )
    assert "MYC" in parts(cells)["train"], "15 cells"
    assert (cells.obs.loc[cells.obs["perturbation"] == "MYC", "split_fold"] == -1).all()


def test_profiles_remember_min_cells(make_cells):
    profiles = spb.pp.profiles(make_cells(n_cells=12), min_cells=10)
    spb.pp.split(profiles)
    assert set(parts(profiles)) == {"train", "val", "test"}
    with pytest.raises(ValueError, match="`min_cells=11`, but these profiles were made with min_cells=10"):
        spb.pp.split(profiles, min_cells=11)
    with pytest.raises(ValueError, match="`groupby='guide'`, but these profiles"):
        spb.pp.split(profiles, groupby="guide")


@pytest.mark.parametrize("n_folds", [2, 3, 6])
def test_each_is_held_out_in_one_fold(cells, n_folds):
    spb.pp.split(cells, n_folds=n_folds, key_added="mine")
    fold = cells.obs.groupby("perturbation", observed=True)["mine_fold"].unique()
    assert (fold.map(len) == 1).all()
    fold = fold.map(lambda values: int(values[0]))
    assert fold.pop("control") == -1
    sizes = fold.value_counts()
    assert sorted(sizes.index) == list(range(n_folds))
    assert sizes.max() - sizes.min() <= 1
    assert fold.dtype.kind == cells.obs["mine_fold"].dtype.kind == "i"


def test_cells_of_each_perturbation_are_dealt(make_cells):
    adata = make_cells(n_cells=200)
    few = np.flatnonzero(adata.obs["perturbation"] == "MYC")[:185]
    adata = adata[np.setdiff1d(np.arange(adata.n_obs), few)].copy()
    spb.pp.split(adata, unit="cell", fractions=(0.7, 0.1, 0.2))
    table = pd.crosstab(adata.obs["perturbation"].astype(str), adata.obs["split"])
    assert table.loc["control"].tolist() == [90, 0, 0]
    assert table.loc["MYC"].tolist() == [15, 0, 0], "under min_cells"
    assert (table.drop(["control", "MYC"]) == [140, 20, 40]).all(axis=None)


def test_combinations_are_dealt_and_singles_train(make_cells):
    adata = make_cells(targets=COMBOS)
    adata.obs["perturbation"] = adata.obs["perturbation"].astype(str).replace({"JAK2+MYC": "MYC+JAK2"})
    swap = np.flatnonzero(adata.obs["perturbation"] == "MYC+JAK2")[:20]
    adata.obs.iloc[swap, adata.obs.columns.get_loc("perturbation")] = "JAK2+MYC"
    spb.pp.split(adata, unit="combination", fractions=(0.34, 0.33, 0.33))
    found = parts(adata)
    assert {"JAK2", "MYC", "STAT1"} <= found["train"]
    combos = {part: {"+".join(sorted(n.split("+"))) for n in names if "+" in n} for part, names in found.items()}
    assert {part: len(names) for part, names in combos.items()} == {"train": 1, "val": 1, "test": 1}
    assert set.union(*combos.values()) == {"JAK2+MYC", "MYC+STAT1", "JAK2+STAT1"}, "A+B and B+A are one"


def test_given_lists(make_cells):
    adata = make_cells(targets=("JAK2", "MYC", "STAT1+control", "STAT1_JAK2"))
    spb.pp.split(adata, test=["STAT1+control", "STAT1_JAK2"], val=["JAK2"])
    assert parts(adata) == {"train": {"MYC"}, "val": {"JAK2"}, "test": {"STAT1+control", "STAT1_JAK2"}}
    spb.pp.split(adata, test="JAK2+STAT1", key_added="other")
    assert parts(adata, "other") == {"train": {"JAK2", "MYC", "STAT1+control"}, "test": {"STAT1_JAK2"}}


def test_given_combinations_in_either_order(make_cells):
    adata = make_cells(targets=COMBOS)
    spb.pp.split(adata, test=["MYC+JAK2"])
    assert parts(adata)["test"] == {"JAK2+MYC"}


def test_cells_without_a_label_have_no_split(cells):
    cells.obs["perturbation"] = cells.obs["perturbation"].astype(object)
    cells.obs.iloc[:3, 0] = [np.nan, "unassigned", ""]
    spb.pp.split(cells, n_folds=2)
    assert cells.obs["split"].isna().tolist() == [True] * 3 + [False] * (cells.n_obs - 3)
    assert (cells.obs["split_fold"].iloc[:3] == -1).all()


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"unit": "guide"}, "`unit` is 'guide'"),
        ({"fractions": (0.8, 0.1)}, "three shares"),
        ({"fractions": (0.8, 0.3, 0.1)}, "add up to 1"),
        ({"fractions": (0.0, 0.5, 0.5)}, "add up to 1"),
        ({"fractions": (1.1, -0.1, 0.0)}, "add up to 1"),
        ({"n_folds": 1}, "`n_folds` is 1; with 6 perturbations"),
        ({"n_folds": 7}, "between 2 and 6"),
        ({"test": ["TP53"]}, r"`test`: \['TP53'\] are not perturbations"),
        ({"val": ["control"]}, r"`val`: \['control'\] are not perturbations"),
        ({"test": ["MYC"], "val": ["MYC", "STAT1"]}, r"\['MYC'\] are in both"),
        ({"test": ["MYC"], "unit": "cell"}, "not 'cell'"),
        ({"unit": "combination"}, "combinations with min_cells cells is 0, but 3 are needed"),
        ({"min_cells": 41}, "perturbations with min_cells cells is 0"),
        ({"key_added": "perturbation"}, "not a split"),
        ({"key_added": "run"}, "not a split"),
    ],
)
def test_wrong_input_changes_nothing(cells, kwargs, words):
    before = cells.obs.copy()
    with pytest.raises(ValueError, match=words):
        spb.pp.split(cells, **kwargs)
    pd.testing.assert_frame_equal(cells.obs, before)


def test_profiles_have_no_cells_to_deal(cells):
    with pytest.raises(ValueError, match="`unit='cell'` needs cells"):
        spb.pp.split(spb.pp.profiles(cells), unit="cell")


def test_labels_that_look_like_guides_warn(make_cells):
    adata = make_cells(targets=[f"{gene}_g{i}" for gene in ("JAK2", "MYC", "STAT1") for i in (1, 2)])
    with pytest.warns(UserWarning, match="seems to contain guides"):
        spb.pp.split(adata)


@pytest.mark.parametrize("unit", ["perturbation", "cell"])
def test_cells_that_are_not_in_memory(cells, tmp_path, unit):
    """A split and the genes' sets need no values."""
    cells.write_h5ad(tmp_path / "x.h5ad")
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    for data in (cells, backed):
        spb.pp.split(data, unit=unit)
        spb.pp.annotate_confounders(data)
    assert backed.obs["split"].tolist() == cells.obs["split"].tolist()
    assert backed.var["mt"].tolist() == cells.var["mt"].tolist()
    assert backed.isbacked
    backed.file.close()


def test_folds_are_of_targets():
    names = ["A_1", "A_2", "B_1", "B_2", "C"]
    first = first_of_targets(["NT", *names], [(), ("A",), ("A",), ("B",), ("B",), ("C",)])
    assert first == {"NT": "NT", "A_1": "A_1", "A_2": "A_1", "B_1": "B_1", "B_2": "B_1", "C": "C"}
    fold = folds(names, first, 3)
    assert set(fold.values()) == {0, 1, 2}
    assert fold["A_1"] == fold["A_2"]
    assert fold["B_1"] == fold["B_2"]
    with pytest.raises(ValueError, match="with 3 perturbations it must be between 2 and 3"):
        folds(names, first, 4)
