"""What every function of pp that changes its input keeps to: copies, views, cells and profiles."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb

CHANGES = {
    "annotate_confounders": {},
    "check": {"batch_key": "run"},
    "exclude_confounders": {},
    "regress_mt_ribo": {"covariates": ["stress"], "batch_key": "run"},
    "select_genes": {"n_top_genes": 3},
    "split": {"n_folds": 2},
    "standardize": {"batch_key": "run"},
}
MAKES = {"profiles": {"batch_key": "run"}, "coexpression_net": {"threshold": 0.1}}
every = pytest.mark.parametrize("name", CHANGES)


def state(adata):
    return {
        "obs": adata.obs.copy(),
        "var": adata.var.copy(),
        "X": np.asarray(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X).copy(),
        "layers": sorted(filter(None, adata.layers)),
        "varm": sorted(adata.varm),
        "uns": sorted(adata.uns),
        "ours": sorted(adata.uns.get("scpertbias", {})),
    }


def same(one, other) -> bool:
    frames = all(one[key].equals(other[key]) for key in ("obs", "var"))
    return frames and np.array_equal(one["X"], other["X"]) and all(one[k] == other[k] for k in list(one)[3:])


def input_of(cells, kind):
    return cells if kind == "cells" else spb.pp.profiles(cells, batch_key="run", covariates=["stress"])


def arguments(name, kind):
    return {key: value for key, value in CHANGES[name].items() if key != "batch_key" or kind == "cells"}


@every
@pytest.mark.parametrize("kind", ["cells", "profiles"])
def test_copy_leaves_the_input_alone(cells, name, kind):
    data = input_of(cells, kind)
    before = state(data)
    changed = getattr(spb.pp, name)(data, **arguments(name, kind), copy=True)
    assert same(state(data), before)
    assert not same(state(changed), before)
    assert getattr(spb.pp, name)(data, **arguments(name, kind)) is None
    assert same(state(data), state(changed))


@every
@pytest.mark.parametrize("kind", ["cells", "profiles"])
def test_views_are_accepted(cells, name, kind):
    data = input_of(cells, kind)
    before = state(data)
    view = data[:, 1:]
    actual = view.copy()
    for adata in (view, actual):
        getattr(spb.pp, name)(adata, **arguments(name, kind))
    assert same(state(view), state(actual))
    assert same(state(data), before), "what the view was taken of stays"


@pytest.mark.parametrize("name", MAKES)
def test_makers_leave_the_input_alone(cells, name):
    before = state(cells)
    made = getattr(spb.pp, name)(cells, **MAKES[name])
    assert same(state(cells), before)
    of_view = getattr(spb.pp, name)(cells[:], **MAKES[name])
    if isinstance(made, pd.DataFrame):
        pd.testing.assert_frame_equal(made, of_view)
    else:
        assert same(state(made), state(of_view))


@pytest.mark.parametrize("name", [*CHANGES, *MAKES, "regimes"])
def test_wrong_objects_are_refused(cells, name):
    given = {"n_top_genes": 3} if name == "select_genes" else {}
    mdata = spb.pp.regimes(spb.pp.profiles(cells))
    with pytest.raises(TypeError, match=r"MuData.*mdata\['full'\]"):
        getattr(spb.pp, name)(mdata, **given)
    with pytest.raises(TypeError, match="AnnData is expected"):
        getattr(spb.pp, name)(cells.to_df(), **given)
    cells.var_names = ["MT-CO1", *cells.var_names[:-1]]
    with pytest.raises(ValueError, match="Gene names repeat"):
        getattr(spb.pp, name)(cells, **given)


@pytest.mark.parametrize("name", [name for name in CHANGES if name != "annotate_confounders"])
def test_rows_that_lost_how_they_were_made_are_refused(cells, name):
    profiles = spb.pp.profiles(cells, covariates=["stress"])
    del profiles.uns["scpertbias"]
    with pytest.raises(ValueError, match="does not contain the settings of the profiles"):
        getattr(spb.pp, name)(profiles, **arguments(name, "profiles"))
