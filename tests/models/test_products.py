import gc
import weakref

import numpy as np
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._models._base import problem
from scpertbias._models._net import graphs_of
from scpertbias._models._noise_weights import closed_form
from scpertbias._models._products import EFFECTS, PROFILES, ScreenProducts, means_by_perturbation, products_of


@pytest.fixture(scope="module")
def screen():
    cells = spb.ds.simulate(800, 30, 6, measured_targets=True, rng=0)
    cells.obs["split"] = np.random.default_rng(0).choice(["train", "test"], cells.n_obs)
    return _moments.of(cells)


def test_means_are_weighted_by_cells(screen):
    m, rows = screen.moments, np.ones(len(screen.split), dtype=bool)
    means, n = means_by_perturbation(screen, rows)
    for p in range(1, len(screen.names)):
        of_one = np.flatnonzero(screen.perturbation == p)
        assert len(of_one) == 2
        np.testing.assert_allclose(means[p], m.n[of_one] @ m.mean[of_one] / m.n[of_one].sum(), rtol=1e-12)
        assert n[p] == m.n[of_one].sum()
    genes = np.arange(30) % 3 > 0
    np.testing.assert_array_equal(means_by_perturbation(screen, rows, genes)[0], means[:, genes])
    means, n = means_by_perturbation(screen, screen.perturbation != 2)
    assert np.isnan(means[2]).all()
    assert n[2] == 0


def test_products_of_effects_and_of_profiles(screen):
    means = means_by_perturbation(screen, np.ones(len(screen.split), dtype=bool))[0]
    trained = np.arange(len(means)) != 3
    effects = (means - screen.moments.control)[trained]
    profiles = (means - means.mean(axis=1, keepdims=True))[trained]
    products = products_of(screen)
    np.testing.assert_allclose(products.of(EFFECTS, trained), effects @ effects.T, atol=1e-12)
    np.testing.assert_allclose(products.of(PROFILES, trained), profiles @ profiles.T, atol=1e-12)


@pytest.mark.parametrize("kind", [EFFECTS, PROFILES])
def test_products_follow_the_control(screen, kind):
    means = means_by_perturbation(screen, np.ones(len(screen.split), dtype=bool))[0]
    move, every = np.random.default_rng(1).normal(size=30), np.ones(len(means), dtype=bool)
    moved = means.copy()
    moved[0] += move
    expected = ScreenProducts(lambda genes: moved[:, genes], screen.moments.control).of(kind, every)
    np.testing.assert_allclose(products_of(screen).moved(move).of(kind, every), expected, atol=1e-11)


@pytest.mark.parametrize("kind", [EFFECTS, PROFILES])
def test_products_on_fewer_genes(screen, kind):
    removed, every = np.array([2, 3, 11, 29]), np.ones(len(screen.names), dtype=bool)
    means = means_by_perturbation(screen, np.ones(len(screen.split), dtype=bool), ~np.isin(np.arange(30), removed))[0]
    control = np.delete(screen.moments.control, removed)
    rows = means - (control if kind == EFFECTS else means.mean(axis=1, keepdims=True))
    np.testing.assert_allclose(products_of(screen).without(removed).of(kind, every), rows @ rows.T, atol=1e-11)


@pytest.mark.parametrize("name", ["bilinear", "two_stage"])
def test_models_predict_the_same_from_shared_products(screen, name):
    net = spb.ds.simulate_net(spb.ds.simulate(800, 30, 6, measured_targets=True, rng=0))
    train, rows = screen.perturbation != 3, np.array([3])
    params = {"n_components": 2, "alpha": 0.1}
    params |= {"axis": "perturbations", "gamma": 1.0, "laplacian": "normalized"} if name == "two_stage" else {}
    graphs = graphs_of(screen, net, quiet=True)
    plain = closed_form(name)(problem(screen, train, graphs=graphs), **params)
    shared = closed_form(name)(problem(screen, train, graphs=graphs, rows=rows, products=products_of(screen)), **params)
    np.testing.assert_allclose(shared.predictions, plain.predictions[rows], atol=1e-10)
    np.testing.assert_allclose(shared.noise_weights, plain.noise_weights[rows], atol=1e-8)


def test_means_are_freed_without_the_garbage_collector():
    # A circle of references kept the moments of every regime of an audit.
    held = np.arange(6.0).reshape(3, 2)
    watch = weakref.ref(held)
    products = ScreenProducts(lambda genes, held=held: held[:, genes].copy(), held[0].copy())
    products.moved(np.ones(2)).of(EFFECTS, np.ones(3, dtype=bool))
    gc.disable()
    try:
        del held, products
        assert watch() is None
    finally:
        gc.enable()
