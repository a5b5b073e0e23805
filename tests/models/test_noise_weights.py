"""How much noise the predictions of closed forms hold, against fits on cells that are moved a little."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._models import _base
from scpertbias._models._base import problem
from scpertbias._models._net import graphs_of
from scpertbias._models._noise_weights import closed_form

NET = {"alpha": 0.5, "gamma": 20.0, "laplacian": "normalized"}
SEPARATE = {
    "mean": ("mean", {}),
    "no_change": ("no_change", {}),
    "additive": ("additive", {}),
    "ridge": ("ridge", {"alpha": 40.0, "coding": "one_hot", "weights": "cells"}),
    "ridge about the control": ("ridge", {"alpha": 40.0, "coding": "reference", "weights": "perturbations"}),
    "grn_linear over perturbations": ("grn_linear", {"axis": "perturbations", **NET}),
}
TOGETHER = {
    "grn_linear over genes": ("grn_linear", {"axis": "genes", **NET}),
    "two_stage": ("two_stage", {"n_components": 3, "axis": "perturbations", **NET}),
    "bilinear": ("bilinear", {"n_components": 4, "alpha": 0.1}),
}
GENES = [f"G{i:02d}" for i in range(30)]
PERTURBED = [*GENES[:9], "G00+G01", "G02+G03"]
TRAINED = ["control", *GENES[:5], *GENES[6:8]]


@pytest.fixture(scope="module")
def cells():
    """Cells of three batches, in which controls and perturbations have unequal parts."""
    rng, n_control = np.random.default_rng(0), [70, 20, 40]
    labels, batch = ["control"] * sum(n_control), np.repeat(np.arange(3), n_control)
    for name in PERTURBED:
        n = int(rng.integers(20, 60))
        labels += [name] * n
        batch = np.append(batch, rng.choice(3, n, p=rng.dirichlet(np.ones(3))))
    codes = np.unique(labels, return_inverse=True)[1]
    means = 1 + rng.gamma(1, 0.5, (3, 1, 30)) + 0.3 * rng.gamma(1, 1, (1, 12, 30))
    x = means[batch, codes] * rng.lognormal(0, 0.4, (len(labels), 30)) / 3
    index = [f"c{i}" for i in range(len(labels))]
    obs = pd.DataFrame({"perturbation": labels, "batch": batch.astype(str)}, index=index)
    return ad.AnnData(x, obs=obs, var=pd.DataFrame(index=GENES))


def problem_of(cells):
    screen = _moments.of(cells, batch_key="batch", combination_sep="+")
    net = pd.DataFrame({"source": GENES[:-1], "target": GENES[1:], "weight": 1.0})
    trained = np.isin(np.array(screen.names)[screen.perturbation], TRAINED)
    return problem(screen, trained, graphs=graphs_of(screen, net, quiet=True))


@pytest.fixture(scope="module")
def training(cells):
    return problem_of(cells)


def response(cells, training, rows, shift, kind, params, step=1e-3):
    """How predictions move with some cells."""
    moved = cells.copy()
    moved.X[rows] += step * shift
    solve = _base.closed_form(kind)
    before, after = (solve(p, **params).predictions for p in (training, problem_of(moved)))
    return (after - before) / step


@pytest.mark.parametrize("model", SEPARATE)
def test_predictions_move_as_the_noise_that_they_hold(cells, training, model):
    kind, params = SEPARATE[model]
    shift = np.random.default_rng(1).normal(size=30)
    held = closed_form(kind)(training, **params).noise_weights
    predicted = np.isfinite(held).all(axis=1)
    assert predicted[1:].any()
    labels, batch = cells.obs["perturbation"].to_numpy(), cells.obs["batch"].to_numpy()
    for b, share in enumerate(np.array([70, 20, 40]) / 130):
        moves = response(cells, training, (labels == "control") & (batch == str(b)), shift, kind, params)
        expected = (share - held[:, [b]]) * shift
        np.testing.assert_allclose(moves[predicted], expected[predicted], atol=1e-8)
    own = training.noise.own
    total = np.zeros(len(held))
    for q in np.flatnonzero(training.perturbed):
        moves = response(cells, training, labels == training.names[q], shift, kind, params)
        total += own[q] * (moves @ shift) / (shift @ shift)
    expected = total / own[training.perturbed].mean()
    unseen = predicted & ~training.trained
    np.testing.assert_allclose(held[unseen, -1], expected[unseen], atol=1e-8)


@pytest.mark.parametrize("model", TOGETHER)
def test_models_of_all_genes_follow_noise_of_the_control(cells, training, model):
    kind, params = TOGETHER[model]
    held = closed_form(kind)(training, **params).noise_weights
    unseen = np.isfinite(held).all(axis=1) & ~training.trained
    direction = training.noise.of_control
    control = (cells.obs["perturbation"] == "control").to_numpy()
    moves = response(cells, training, control, direction, kind, params, step=1.0)
    of_control = moves @ direction / (direction @ direction)
    np.testing.assert_allclose(1 - held[unseen, :-1].sum(axis=1), of_control[unseen], atol=1e-8)
    np.testing.assert_allclose(held[unseen, -1], 1 - of_control[unseen], atol=1e-8)
    assert (np.abs(of_control[unseen]) < 1).all()


def test_where_the_noise_of_training_means_comes_from(cells, training):
    noise = training.noise
    labels, batch = cells.obs["perturbation"].to_numpy(), cells.obs["batch"].to_numpy()
    names = ["control", *sorted(PERTURBED)]
    for p, name in enumerate(names):
        of_name = labels == name
        is_trained = name in TRAINED and name != "control"
        shares = [np.mean(batch[of_name] == b) for b in "012"]
        np.testing.assert_allclose(noise.weights[p], shares if is_trained else 0)
        assert (noise.own[p] > 0) == is_trained
    assert noise.own[1] == pytest.approx(
        cells.X[labels == "G00"].var(axis=0, ddof=1).sum() / (labels == "G00").sum(), rel=0.3
    )


def test_stored_models_say_how_much_noise_they_hold(cells):
    adata = cells.copy()
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(TRAINED), "train", "test")
    profiles = spb.pp.profiles(adata, batch_key="batch")
    spb.tl.fit_ridge(profiles)
    held = np.asarray(profiles.uns["scpertbias"]["models"]["ridge"]["noise_weights"])
    assert held.shape == (len(PERTURBED) + 1, 4)
    assert 0.7 < held[-1, -1] < 1
