import numpy as np
import pytest
from sklearn.linear_model import Ridge

import scpertbias as spb

ALPHA = 0.7


@pytest.fixture(scope="module")
def cells():
    adata = spb.ds.simulate(1500, 60, 8, rng=3)
    spb.pp.split(adata, fractions=(0.6, 0.2, 0.2))
    return adata


def sklearn_rows(adata, coding):
    """Predictions of sklearn's Ridge on the dense one-hot of the training cells, for every label."""
    train = (adata.obs["split"] == "train").to_numpy()
    labels = adata.obs["perturbation"].astype(str).to_numpy()
    control = "non-targeting"
    levels = sorted(set(labels[train]) - ({control} if coding == "reference" else set()))

    def one_hot(names):
        return (np.asarray(names)[:, None] == np.array(levels)).astype(float)

    model = Ridge(alpha=ALPHA, solver="cholesky").fit(one_hot(labels[train]), adata.X.toarray()[train].astype(float))
    names = sorted(set(labels))
    return dict(zip(names, model.predict(one_hot(names)), strict=True)), dict(zip(levels, model.coef_.T, strict=True))


@pytest.mark.parametrize("coding", ["one_hot", "reference"])
@pytest.mark.parametrize("on", ["cells", "profiles"])
def test_equals_sklearn_on_cells(cells, coding, on):
    adata = cells.copy() if on == "cells" else spb.pp.profiles(cells)
    spb.tl.fit_ridge(adata, alpha=ALPHA, coding=coding)
    expected, coef = sklearn_rows(cells, coding)
    found = spb.get.predictions(adata, "ridge")
    for name, row in expected.items():
        np.testing.assert_allclose(found.loc[name], row, rtol=0, atol=1e-5)
    attributions = spb.get.attributions(adata, "ridge")
    for name, column in coef.items():
        np.testing.assert_allclose(attributions[name], np.abs(column), rtol=0, atol=1e-5)
    held_out = set(cells.obs["perturbation"].astype(str)[cells.obs["split"] != "train"])
    assert len(held_out) >= 2
    assert attributions[sorted(held_out)].isna().all().all()


def test_weights_of_perturbations_count_each_once(cells):
    profiles = spb.pp.profiles(cells)
    spb.tl.fit_ridge(profiles, alpha=1e-9, weights="perturbations", coding="one_hot")
    train = profiles[profiles.obs["split"] == "train"]
    unseen = spb.get.predictions(profiles, "ridge").loc[profiles.obs["perturbation"][profiles.obs["split"] == "test"]]
    np.testing.assert_allclose(unseen, np.tile(train.X.mean(axis=0), (len(unseen), 1)), atol=1e-8)


@pytest.mark.parametrize("wrong", [{"coding": "onehot"}, {"weights": "cell"}, {"alpha": -1.0}, {"alpha": float("nan")}])
def test_wrong_parameters(cells, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        spb.tl.fit_ridge(cells, **wrong)
    assert "ridge" not in cells.layers


def test_says_that_it_is_constant(cells):
    adata = spb.tl.fit_ridge(cells, copy=True)
    assert spb.get.models(adata).loc[0, "note"] == "same prediction for every unseen perturbation"
