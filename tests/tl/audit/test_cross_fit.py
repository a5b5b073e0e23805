import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._models._net import graphs_of
from scpertbias.tl._audit.cross_fit import cross_fit_all, make_folds, variants
from scpertbias.tl._audit.settings import AuditSettings

TABLES_ONLY = AuditSettings(keep_predictions=False)


@pytest.fixture(scope="module")
def profiles():
    return spb.pp.profiles(spb.ds.simulate(1500, 40, 9, rng=0))


@pytest.fixture(scope="module")
def screen(profiles):
    return _moments.of(profiles)


@pytest.fixture(scope="module")
def net(screen):
    names = screen.names[1:]
    return pd.DataFrame({"source": names, "target": np.roll(names, 1)})


def test_variants_add_the_perturbations_axis():
    found = {
        v.name: v for v in variants(["ridge", "grn_linear"], {"grn_linear": {"gamma": 3.0}, "ridge": {"alpha": 2.0}})
    }
    assert list(found) == ["ridge", "grn_linear", "grn_linear_perturbations"]
    assert found["ridge"].params == {"alpha": 2.0, "coding": "one_hot", "weights": "cells"}
    assert not found["ridge"].needs_net
    assert found["grn_linear"].params["axis"] == "genes"
    both = found["grn_linear_perturbations"]
    assert (both.kind, both.params["axis"], both.params["gamma"]) == ("grn_linear", "perturbations", 3.0)
    assert both.needs_net


def test_a_variant_has_parameters_of_its_own():
    params = {"grn_linear": {"axis": "both"}, "grn_linear_perturbations": {"gamma": 9.0}}
    found = {v.name: v.params for v in variants(["grn_linear"], params)}
    assert found["grn_linear"]["axis"] == "both"
    assert found["grn_linear_perturbations"] == {
        "axis": "perturbations",
        "alpha": 0.1,
        "gamma": 9.0,
        "laplacian": "normalized",
    }


@pytest.mark.parametrize(
    ("models", "params", "match"),
    [
        (["rigde"], {}, "'rigde'.*'ridge'"),
        (["external"], {}, "predictions="),
        (["ridge"], {"mean": {}}, "are not fitted; choose from"),
        (["ridge"], {"ridge": {"beta": 1}}, "no parameters .'beta'.; it has .'alpha'"),
        (["ridge"], {"ridge": {"coding": "x"}}, "`coding`"),
        (["ridge"], {"ridge": {"min_cells": 3}}, "no parameters"),
        (["grn_linear"], {"grn_linear": {"gamma": [0.1, 1.0]}}, "validation split"),
    ],
)
def test_wrong_models_and_parameters(models, params, match):
    with pytest.raises(ValueError, match=match):
        variants(models, params)


def test_folds(screen):
    assert sorted(make_folds(screen, None, 0).values()) == list(range(9))
    five = make_folds(screen, 5, 0)
    assert set(five) == set(screen.names[1:])
    assert sorted(np.bincount(list(five.values()))) == [1, 2, 2, 2, 2]
    assert five == make_folds(screen, 5, 0)
    with pytest.raises(ValueError, match="n_folds"):
        make_folds(screen, 10, 0)


def test_many_perturbations_get_five_folds():
    screen = _moments.of(spb.ds.simulate(1500, 12, 26, rng=0), min_cells=5)
    assert len(set(make_folds(screen, None, 0).values())) == 5


def test_predictions_are_those_of_fits_that_never_saw_the_row(profiles, screen, net):
    models = variants(["mean", "ridge", "grn_linear", "two_stage", "bilinear", "additive"], {})
    folds = make_folds(screen, 3, 0)
    fits = cross_fit_all({"full": screen}, models, folds, net, AuditSettings())["full"]
    assert "bilinear" in fits.left_out or "bilinear" in fits.solutions
    for r in range(3):
        alone = profiles.copy()
        held_out = [n for n, f in folds.items() if f == r]
        alone.obs["split"] = np.where(alone.obs["perturbation"].isin(held_out), "test", "train")
        for v in models:
            if v.name not in fits.solutions:
                continue
            fit = getattr(spb.tl, f"fit_{v.kind}")
            fit(alone, **({"net": net} if v.needs_net else {}), **v.params, key_added=v.name)
            table = spb.get.predictions(alone, v.name)
            rows = [table.index.get_loc(n) for n in held_out]
            np.testing.assert_allclose(
                fits.solutions[v.name].predictions[rows], table.iloc[rows], atol=1e-12, err_msg=v.name
            )
    for v in models:  # coefficients are those of one fit on all
        if v.name in fits.solutions and fits.solutions[v.name].coef is not None:
            fit = getattr(spb.tl, f"fit_{v.kind}")
            everything = fit(profiles, **({"net": net} if v.needs_net else {}), **v.params, key_added="m", copy=True)
            got = np.abs(fits.solutions[v.name].coef).T
            np.testing.assert_allclose(got, spb.get.attributions(everything, "m"), atol=1e-6)
    notes = {name: (s.constant, s.note) for name, s in fits.solutions.items()}
    assert notes["ridge"] == (True, "same prediction for every unseen perturbation")
    assert notes["grn_linear_perturbations"] == (False, "")


def test_only_predictions(screen, net):
    fits = cross_fit_all({"full": screen}, variants(["ridge"], {}), make_folds(screen, 3, 0), net, TABLES_ONLY)
    assert fits["full"].solutions["ridge"].coef is None


def test_without_a_net_graph_models_are_left_out(screen):
    fits = cross_fit_all(
        {"full": screen}, variants(["ridge", "grn_linear"], {}), make_folds(screen, 3, 0), None, TABLES_ONLY
    )["full"]
    assert set(fits.left_out) == {"grn_linear", "grn_linear_perturbations"}
    assert "no net was passed" in fits.left_out["grn_linear"]


def test_edges_that_a_regime_lacks_are_no_news(screen):
    net = pd.DataFrame({"source": [screen.names[1], "nobody"], "target": [screen.names[2], "knows"]})
    assert len(graphs_of(screen, net, quiet=True).net) == 1
    with pytest.warns(UserWarning, match="1 of 2 edges"):
        assert len(graphs_of(screen, net, quiet=False).net) == 1
    assert graphs_of(screen, None, quiet=False) is None
