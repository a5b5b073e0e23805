import numpy as np
import pytest

import scpertbias as spb
from scpertbias import _moments, _results


@pytest.fixture
def profiles():
    adata = spb.ds.simulate(900, 30, 7, rng=0)
    spb.pp.split(adata)
    made = spb.pp.pseudobulk(adata)
    spb.tl.fit_mean(made)
    spb.tl.fit_ridge(made)
    return made


def test_chosen(profiles):
    assert list(_results.chosen(profiles, None)) == ["mean", "ridge"]
    assert list(_results.chosen(profiles, "ridge")) == ["ridge"]
    with pytest.raises(KeyError, match="nobody"):
        _results.chosen(profiles, ["ridge", "nobody"])
    del profiles.layers["ridge"]
    with pytest.raises(KeyError, match="fit them again"):
        _results.chosen(profiles, None)


def test_agreed_data(profiles):
    records = _results.chosen(profiles, None)
    assert _results.agreed_data(records)["min_cells"] == 20
    records["ridge"]["data"] = {**records["ridge"]["data"], "strata": np.array(["batch"])}
    with pytest.raises(ValueError, match="'mean' and 'ridge'.*strata: None and .'batch'."):
        _results.agreed_data(records)


def test_held_out(profiles):
    screen = _moments.of(profiles)
    test = profiles.obs["perturbation"][profiles.obs["split"] == "test"].astype(str).tolist()
    assert _results.held_out({}, screen) == test
    assert _results.held_out({"test": np.array(["x"])}, screen) == ["x"]


def test_held_out_needs_all_rows_in_test():
    adata = spb.ds.simulate(900, 30, 7, rng=0)
    spb.pp.split(adata, unit="cell")
    assert _results.held_out({}, _moments.of(adata)) == []


def test_folds(profiles):
    assert _results.folds(profiles, {"a": {}}) is None
    profiles.obs["fold"] = np.arange(-1, profiles.n_obs - 1)
    assert _results.folds(profiles, {"a": {}}) is None
    found = _results.folds(profiles, {"a": {"cross_fitted": True}, "b": {}})
    assert list(found.values()) == list(range(7))


def test_predictions_are_read_by_label(profiles):
    table = _results.predictions(profiles, "ridge")
    rows = profiles[::-1].copy()
    again = _results.predictions(rows, "ridge")
    np.testing.assert_array_equal(table, again.loc[table.index])
    with_screen = _results.predictions(profiles, "ridge", _moments.of(profiles))
    np.testing.assert_array_equal(table, with_screen)
    assert table.index.name == "perturbation"
