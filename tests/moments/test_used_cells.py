"""Which cells count, by their labels, splits and batches."""

import logging

import numpy as np
import pandas as pd
import pytest

from scpertbias import _moments
from scpertbias._moments.used_cells import cell_codes

from .labeled_cells import make


def test_cells_left_out_are_counted_by_reason():
    adata = make(sizes=(("ctrl", 100), ("A", 60), ("B", 60), ("multiplet", 7), ("", 3)))
    rng = np.random.default_rng(0)
    adata.obs["batch"] = pd.Series(rng.choice(["b1", "b2"], adata.n_obs), index=adata.obs_names, dtype=object)
    a = np.flatnonzero(adata.obs["perturbation"] == "A")
    adata.obs.iloc[a[:4], adata.obs.columns.get_loc("batch")] = None
    adata.obs.iloc[a[4:9], adata.obs.columns.get_loc("batch")] = "b3"  # no control there
    adata.obs["split"] = "train"
    adata.obs.iloc[a[9:15], adata.obs.columns.get_loc("split")] = None
    with pytest.warns(
        UserWarning,
        match="5 cells are left out, because their batch has fewer than 10 control cells: batch 'b3' with 0 control",
    ):
        screen = _moments.of(adata, batch_key="batch")
    record = screen.record
    assert dict(zip(record["left_out_reason"], record["left_out_cells"].tolist(), strict=True)) == {
        "no label": 3,
        "multiplet": 7,
        "no batch": 4,
        "no split": 6,
        "batch 'b3' with 0 control cells": 5,
    }
    assert record["n_cells"] == adata.n_obs
    assert (screen.codes < 0).sum() == 25
    assert screen.moments.n.sum() == adata.n_obs - 25


def test_a_perturbation_without_a_cell_that_counts_is_named():
    adata = make(sizes=(("ctrl", 40), ("A", 30), ("B", 30), ("C", 30)))
    adata.obs["batch"] = np.where(adata.obs["perturbation"] == "B", "b2", "b1")
    with pytest.warns(UserWarning, match="30 cells are left out"):
        screen = _moments.of(adata, batch_key="batch")
    assert screen.names == ("ctrl", "A", "C")
    assert screen.targets == ((), ("A",), ("C",))
    assert screen.record["left_out_perturbations"] == ["B"]
    assert set(screen.codes[adata.obs["perturbation"] == "C"]) == {2}
    assert set(screen.codes[adata.obs["perturbation"] == "B"]) == {-1}
    assert screen.merged.moments.n.tolist() == [40, 30, 30]


def test_splits():
    adata = make(sizes=(("ctrl", 60), ("A", 30), ("B", 40)))
    adata.obs["fold"] = np.where(adata.obs["perturbation"] == "A", "test", "train")
    b = np.flatnonzero(adata.obs["perturbation"] == "B")[:10]
    adata.obs.iloc[b, adata.obs.columns.get_loc("fold")] = "val"
    adata.obs.loc[adata.obs["perturbation"] == "ctrl", "fold"] = "test"  # control is train whatever the column says
    screen = _moments.of(adata, split_key="fold")
    assert screen.perturbation.tolist() == [0, 1, 2, 2]
    assert screen.split.tolist() == ["train", "test", "train", "val"]
    assert screen.moments.n.tolist() == [60, 30, 30, 10]
    assert screen.used.all(), "min_cells counts a perturbation's cells over its splits"


def test_without_splits_all_is_train(caplog):
    with caplog.at_level(logging.INFO, logger="scpertbias"):
        screen = _moments.of(make())
    assert "obs has no column 'split', so all perturbations are used for training" in caplog.messages
    assert set(screen.split) == {"train"}


def test_cell_codes():
    adata = make(split=np.r_[["test"] * 60, ["train"] * 30, ["test"] * 30])
    data = {"groupby": "perturbation", "reference": None, "combination_sep": None, "label_map": None}
    codes, targets, symbols = cell_codes(adata, {**data, "gene_symbols": None, "split_key": "split"})
    expected = adata.obs["perturbation"].map({"ctrl": 0, "A": 1, "B": -1, "C": -1})
    assert codes.tolist() == expected.tolist()
    assert targets == ((), ("A",), ("B",), ("C",))
    assert symbols.tolist() == ["G0", "G1", "G2", "G3"]


def test_few_control_cells():
    adata = make(sizes=(("ctrl", 19), ("A", 30)))
    with pytest.raises(ValueError, match=r"The control 'ctrl' has 19 cells; at least 20 are needed. Pass reference="):
        _moments.of(adata)


def test_few_control_cells_after_batches():
    adata = make(sizes=(("ctrl", 20), ("A", 60)))
    control = adata.obs["perturbation"] == "ctrl"
    adata.obs["batch"] = np.where(control, np.where(control.cumsum() > 12, "y", "x"), "x")
    with (
        pytest.warns(UserWarning, match="8 cells are left out"),
        pytest.raises(ValueError, match=r"has 12 cells; at least 20 are needed.*or use fewer batches"),
    ):
        _moments.of(adata, batch_key="batch")


def test_only_control():
    with pytest.raises(
        ValueError, match=r"No perturbation has the minimum number of cells, min_cells=20 \(the largest has 0\)"
    ):
        _moments.of(make(sizes=(("ctrl", 60),)))
