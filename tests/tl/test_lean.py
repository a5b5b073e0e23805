import gc

import numpy as np
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias.pp._regimes import plan
from scpertbias.tl._lean import OnDemand, Shelf, Tables, complete, on_demand


def test_values_are_made_when_asked_for_and_only_the_last_is_held():
    made = []

    def maker(name):
        return lambda: made.append(name) or name.upper()

    values = OnDemand({"a": maker("a"), "b": maker("b")}, {"a": "at hand"})
    assert list(values) == ["a", "b"]
    assert [values["a"], values["b"], values["b"], values["a"], values["b"]] == ["at hand", "B", "B", "at hand", "B"]
    assert made == ["b"]
    with pytest.raises(KeyError):
        values["c"]
    others = OnDemand({"x": maker("x"), "y": maker("y")})
    assert others["x"] + others["y"] + others["x"] == "XYX"
    assert made == ["b", "x", "y", "x"]


def test_tables_are_made_each_time():
    tables = Tables({"a": lambda: np.zeros(2)})
    tables["a"][0] = 1
    assert tables["a"].tolist() == [0, 0]
    assert len(tables) == 1


def test_a_shelf_holds_what_was_put_there_and_leaves_nothing():
    shelf = Shelf()
    rows = np.array([False, True, True])
    shelf.fill(("full", "a/b"), lambda: np.full((3, 2), np.nan), rows, np.ones((2, 2)))
    shelf.fill(("full", "a/b"), pytest.fail, ~rows, np.zeros((1, 2)))
    solution = shelf.solution(("full", "a/b"), "note", {"k": 1})
    assert solution.predictions.tolist() == [[0, 0], [1, 1], [1, 1]]
    assert (solution.note, solution.chosen, solution.coef) == ("note", {"k": 1}, None)
    folder = solution.path.parent
    del shelf
    gc.collect()
    assert not folder.exists()


def test_screens_on_demand_are_those_of_the_profiles():
    cells = spb.ds.simulate(1500, 80, 8, rng=1)
    profiles = spb.pp.pseudobulk(cells, covariates=["pct_counts_mt", "pct_counts_ribo"])
    mdata, planned = spb.pp.regimes(profiles), plan(profiles, None, fit_on="control")
    only, screens = on_demand(profiles, planned, fit_on="control")
    assert list(only.mod) == ["full"]
    assert list(screens) == list(mdata.mod)
    for regime in mdata.mod:
        expected = _moments.of(mdata[regime])
        found = screens[regime]
        assert found.genes.equals(expected.genes)
        assert found.symbols.tolist() == expected.symbols.tolist()
        assert found.names == expected.names
        for name in ("mean", "var", "half", "n_half", "blocks", "n_blocks", "n"):
            np.testing.assert_array_equal(getattr(found.moments, name), getattr(expected.moments, name), err_msg=name)
        assert found.digest() == expected.digest()
    again = complete(only, planned, fit_on="control")
    for regime in mdata.mod:
        for key in mdata[regime].layers:
            np.testing.assert_array_equal(again[regime].layers[key], mdata[regime].layers[key])
