"""What files of cells say of their cells and genes."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias.pp._regime_tables import add_split, cell_table, perturbations_table, random_regimes
from scpertbias.pp._regimes import plan_regimes

DATA = {
    "groupby": "perturbation",
    "reference": None,
    "combination_sep": None,
    "label_map": None,
    "batch_key": None,
    "min_cells": 20,
    "layer": None,
    "split_key": "split",
    "gene_symbols": None,
}


@pytest.fixture
def cells():
    return spb.ds.simulate(600, 60, 5, rng=1)


def test_the_split_is_that_of_pp_split(cells):
    expected = spb.pp.split(cells, copy=True).obs["split"]
    add_split(cells, DATA, 0)
    pd.testing.assert_series_equal(cells.obs["split"], expected)


def test_a_control_of_any_name_is_known_again(cells):
    cells.obs["perturbation"] = cells.obs["perturbation"].cat.rename_categories({"non-targeting": "wild one"})
    add_split(cells, {**DATA, "reference": "wild one"}, 0)
    table = cell_table(cells, {**DATA, "reference": "wild one"})
    control = cells.obs["perturbation"] == "wild one"
    assert set(table.loc[control, "perturbation"]) == {"non-targeting"}
    assert set(table.loc[control, "perturbation_original"]) == {"wild one"}
    assert "condition_original" not in table


def test_a_perturbation_with_training_cells_is_no_test():
    cells = pd.DataFrame(
        {
            "perturbation": ["A", "A", "B", "", "NT"],
            "condition": ["A+ctrl", "A+ctrl", "B+ctrl", "", "ctrl"],
            "target_gene": ["A", "A", "B", "", "non-targeting"],
            "split": ["test", "train", "test", "test", "train"],
        }
    )
    table = perturbations_table(cells).set_index("perturbation")
    assert table["split"].to_dict() == {"A": "train", "B": "test"}
    assert table["n_cells"].to_dict() == {"A": 2, "B": 1}


def test_random_regimes_need_one_without_genes(cells):
    profiles = spb.pp.profiles(cells)
    plan = plan_regimes(profiles, ["full"], fit_on="control")
    assert random_regimes(profiles, plan, 0, 0) == {}
    with pytest.raises(ValueError, match="need the regime 'no_mt' or 'no_mt_ribo'"):
        random_regimes(profiles, plan, 1, 0)
    plan = plan_regimes(profiles, ["no_mt_ribo"], fit_on="control")
    first, again = (random_regimes(profiles, plan, n, 0) for n in (2, 3))
    for name, keep in first.items():
        np.testing.assert_array_equal(keep, again[name])
