import pytest

import scpertbias as spb
from scpertbias._models import _registry


def test_every_fit_is_public_and_registered():
    fits = {getattr(spb.tl, name) for name in spb.tl.__all__ if name.startswith("fit_") or name == "add_predictions"}
    assert {spec.fit for spec in _registry.specs().values()} == fits


def test_a_model_is_registered_by_its_decorator(monkeypatch):
    monkeypatch.setattr(_registry, "_REGISTRY", {})

    @_registry.model("mine", unseen="nothing", reference="me", needs=("net",))
    def fit_mine():
        return 1

    spec = _registry.specs()["mine"]
    assert fit_mine() == 1
    assert (spec.name, spec.fit, spec.needs, spec.attribution, spec.solve) == ("mine", fit_mine, ("net",), "", None)
    assert _registry.closed_forms() == []
    with pytest.raises(ValueError, match="no model 'mine' with a closed form"):
        _registry.closed_form("mine")
    spec.check(anything=1)


def test_the_list_given_out_is_a_copy():
    _registry.specs().clear()
    assert "ridge" in _registry.specs()
