import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _compat, _moments, _results, _store


@pytest.fixture
def profiles():
    adata = spb.ds.simulate(900, 30, 7, rng=0)
    spb.pp.split(adata)
    made = spb.pp.profiles(adata)
    spb.tl.fit_mean(made)
    spb.tl.fit_ridge(made)
    return made


def test_model_records(profiles):
    assert list(_results.model_records(profiles, None)) == ["mean", "ridge"]
    assert list(_results.model_records(profiles, "ridge")) == ["ridge"]
    with pytest.raises(KeyError, match="nobody"):
        _results.model_records(profiles, ["ridge", "nobody"])
    del profiles.layers["ridge"]
    with pytest.raises(KeyError, match="Fit these models again"):
        _results.model_records(profiles, None)


def test_names_are_those_of_stored_models_and_of_tables(profiles):
    assert _results.model_names(profiles) == ["mean", "ridge"]
    spb.tl.recurrence(profiles, models=["ridge"])
    _store.drop_model(profiles, "ridge")
    _store.put(profiles, pairs=pd.DataFrame({"model_a": ["a", ""], "model_b": ["b", "observed"]}))
    assert _results.model_names(profiles) == ["mean", "ridge", "a", "b"]


def test_names_of_an_audit_are_also_those_of_its_regimes(small_audit):
    mdata = _compat.copy_mudata(small_audit)
    _store.put(mdata, **dict.fromkeys(_store.root(mdata)))
    assert set(_results.model_names(mdata)) == {"no_change", "mean", "ridge"}


@pytest.fixture(scope="module")
def cells():
    return spb.ds.simulate(900, 30, 7, rng=0)


OF_MODELS = {
    "attribution_agreement": (spb.get.attribution_agreement, spb.pl.attribution_agreement),
    "attribution_check": (spb.get.attribution_check,),
    "coupling": (spb.get.coupling,),
}


@pytest.mark.parametrize("brought", [False, True])
def test_an_audit_that_kept_only_tables_says_how_to_have_those_of_models(cells, brought):
    cells = cells.copy()
    spb.pp.split(cells)
    control = spb.pp.profiles(cells)
    spb.tl.fit_no_change(control)
    predictions = {"mine": spb.get.predictions(control, "no_change")} if brought else None
    mdata = spb.tl.audit(
        cells,
        models=("mean", "ridge"),
        predictions=predictions,
        n_random=0,
        n_folds=2,
        keep_predictions=False,
    )
    for name, readers in OF_MODELS.items():
        for read in readers:
            with pytest.raises(KeyError, match=rf"no table '{name}'.* contains only tables.*keep_predictions=True"):
                read(mdata)


def test_an_audit_that_kept_its_models_is_not_said_to_have_none(cells):
    mdata = spb.tl.audit(cells, models=("mean", "no_change"), n_random=0, n_folds=2)
    assert spb.get.coupling(mdata)["model"].nunique() == 2
    with pytest.raises(KeyError, match=r"Run spb\.tl\.attribution_agreement first"):
        spb.pl.attribution_agreement(mdata)


def test_agreed_data(profiles):
    records = _results.model_records(profiles, None)
    assert _results.agreed_data(records)["min_cells"] == 20
    records["ridge"]["data"] = {**records["ridge"]["data"], "batch_key": np.array(["batch"])}
    with pytest.raises(ValueError, match="'mean' and 'ridge'.*batch_key: None and .'batch'."):
        _results.agreed_data(records)


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
