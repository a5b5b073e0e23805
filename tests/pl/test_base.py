import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import scpertbias as spb
from scpertbias import _store
from scpertbias.pl._base import alike, axes, chosen_models, finish, held_out_scores, names_of, one_regime


@pytest.fixture
def shown(monkeypatch):
    calls = []
    monkeypatch.setattr(plt, "show", lambda *_, **__: calls.append(1))
    return calls


def make(given):
    ax = plt.subplots()[1]
    return axes(ax if given else None, None, (3, 3))


def test_show_false_gives_axes(shown):
    assert isinstance(finish(make(False), new=True, show=False, return_fig=False), Axes)
    assert not shown


def test_show_true_shows_and_gives_nothing(shown):
    assert finish(make(False), new=True, show=True, return_fig=False) is None
    assert shown == [1]


@pytest.mark.parametrize("auto", [True, False])
def test_by_default_as_scanpy_says(shown, auto):
    sc.settings.autoshow = auto
    result = finish(make(False), new=True, show=None, return_fig=False)
    assert (result is None) == auto
    assert bool(shown) == auto


@pytest.mark.parametrize("show", [None, True])
def test_given_axes_are_never_shown(shown, show):
    sc.settings.autoshow = True
    finish(make(True), new=False, show=show, return_fig=False)
    assert not shown


def test_return_fig(shown):
    sc.settings.autoshow = True
    assert isinstance(finish(make(False), new=True, show=None, return_fig=True), Figure)
    assert not shown


def test_given_axes_and_sizes():
    ax = plt.subplots()[1]
    assert axes(ax, (9, 9), (1, 1)) is ax
    assert axes(None, (5, 2), (1, 1)).figure.get_size_inches().tolist() == [5, 2]
    assert axes(None, None, (4, 3)).figure.get_size_inches().tolist() == [4, 3]


@pytest.fixture(scope="module")
def mdata():
    return spb.tl.audit(spb.ds.simulate(1500, 40, 8, rng=0), models=("no_change", "mean"))


def test_scores_of_a_regime_are_those_trained_in_it(mdata):
    frame, names = held_out_scores(mdata, ["mean"], "no_mt")
    assert set(frame["trained_on"]) == {"no_mt"}
    assert names == ["mean"]
    assert set(held_out_scores(mdata, None, None)[0]["regime"]) == {"full"}


def test_what_is_not_there(mdata):
    with pytest.raises(KeyError, match="'x' not available"):
        held_out_scores(mdata, None, "x")
    with pytest.raises(KeyError, match="'ridge' not available; choose from .'no_change', 'mean'"):
        held_out_scores(mdata, "ridge", None)
    profiles = mdata["full"].copy()
    with pytest.raises(KeyError, match=r"tl\.score"):
        held_out_scores(profiles, None, None)
    spb.tl.score(profiles)
    with pytest.raises(ValueError, match="not from an audit"):
        held_out_scores(profiles, None, "full")


def test_table_of_a_regime():
    adata = AnnData(np.zeros((1, 1)))
    table = pd.DataFrame({"model": ["observed", "mean", "mean"], "x": [1, 2, 3]})
    _store.put(adata, recurrence=table)
    assert one_regime(adata, "recurrence", None)["x"].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="`regime` was given, but this table is not from an audit"):
        one_regime(adata, "recurrence", "full")
    _store.put(adata, recurrence=table.assign(regime=["full", "full", "no_mt"]))
    assert one_regime(adata, "recurrence", None)["x"].tolist() == [1, 2]
    assert one_regime(adata, "recurrence", "no_mt")["x"].tolist() == [3]
    with pytest.raises(KeyError, match=r"'x' not available; choose from \['full', 'no_mt'\]"):
        one_regime(adata, "recurrence", "x")
    assert chosen_models(table, None) == ["mean"]
    assert chosen_models(table, ["observed", "mean"]) == ["mean"]
    with pytest.raises(KeyError, match=r"'gears' not available; choose from \['mean'\]"):
        chosen_models(table, "gears")


def test_models_of_the_same_values_are_one_group():
    values = {
        "a": np.array([1.0, np.nan]),
        "b": np.array([1.05, np.nan]),
        "c": np.array([1.0, 2.0]),
        "mean": np.ones(2),
    }
    assert alike(values, 0.1) == [["a", "b"], ["c"], ["mean"]]
    assert alike({**values, "mean": values["a"]}, 0.01) == [["mean", "a"], ["b"], ["c"]]
    assert names_of(["grn_linear", "mean"], 10) == "grn\nlinear,\nmean"
