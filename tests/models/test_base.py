import numpy as np
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._models import _base
from scpertbias._models._base import problem


def test_every_fit_is_public_and_registered():
    fits = {getattr(spb.tl, name) for name in spb.tl.__all__ if name.startswith("fit_") or name == "add_predictions"}
    assert {spec.fit for spec in _base.specs().values()} == fits


def test_a_model_is_registered_by_its_decorator(monkeypatch):
    monkeypatch.setattr(_base, "_REGISTRY", {})

    @_base.model("mine", unseen="nothing", citation="me", needs=("net",))
    def fit_mine():
        return 1

    spec = _base.specs()["mine"]
    assert fit_mine() == 1
    assert (spec.name, spec.fit, spec.needs, spec.attribution, spec.solve) == ("mine", fit_mine, ("net",), "", None)
    assert _base.closed_forms() == []
    with pytest.raises(ValueError, match="no model 'mine' with a closed form"):
        _base.closed_form("mine")
    spec.check(anything=1)
    assert not spec.fits_genes_separately(anything=1)
    assert dict(spec.unseen_by_axis) == {}


def test_the_list_given_out_is_a_copy():
    _base.specs().clear()
    assert "ridge" in _base.specs()


SYMBOLS = np.array(["a", "b", "c", "d"])
TARGETS = ((), ("a",), ("b",), ("x",), ("a", "b"))


@pytest.fixture(scope="module")
def screen():
    adata = spb.ds.simulate(900, 30, 7, rng=0)
    spb.pp.split(adata, unit="cell", fractions=(0.5, 0.3, 0.2))
    return adata, _moments.of(adata)


def test_means_over_rows_are_those_of_the_cells(screen):
    adata, s = screen
    made = problem(s, s.split != "test", val=s.split == "test")
    x, label = adata.X.toarray().astype(float), adata.obs["perturbation"].astype(str).to_numpy()
    test = (adata.obs["split"] == "test").to_numpy()
    for p, name in enumerate(made.names):
        np.testing.assert_allclose(made.means[p], x[(label == name) & ~test].mean(axis=0), atol=1e-10)
        assert made.n[p] == ((label == name) & ~test).sum()
        assert made.val_n[p] == ((label == name) & test).sum()
        if p:
            np.testing.assert_allclose(made.val_means[p], x[(label == name) & test].mean(axis=0), atol=1e-10)
    assert made.trained.all()
    assert not made.perturbed[0]


def test_what_is_not_trained_is_nan(screen):
    s = screen[1]
    made = problem(s, s.perturbation < 3)
    assert (made.n[3:] == 0).all()
    assert np.isnan(made.means[3:]).all()
    assert (made.val_n == 0).all()


def test_target_columns(screen):
    s = screen[1]
    made = problem(s, s.split == "train")
    for p, column in enumerate(made.target_columns()):
        known = len(made.targets[p]) == 1 and made.targets[p][0] in s.symbols
        assert (column >= 0) == known
        if known:
            assert s.symbols[column] == made.targets[p][0]
