import inspect
from dataclasses import FrozenInstanceError, fields

import pytest

import scpertbias as spb
from scpertbias import _results
from scpertbias.tl._audit.settings import AuditSettings, check_arguments


def test_the_defaults_are_those_of_the_audit():
    arguments = inspect.signature(spb.tl.audit).parameters
    settings = AuditSettings()
    assert {f.name: getattr(settings, f.name) for f in fields(settings)} == {
        f.name: arguments[f.name].default for f in fields(settings)
    }
    beside = {"adata", "net", "models", "predictions", "model_params"}
    assert {f.name for f in fields(settings)} == set(arguments) - beside


def test_how_the_screen_is_read():
    settings = AuditSettings(groupby="guide", min_cells=3)
    assert tuple(settings.data) == _results.DATA
    assert (settings.data["groupby"], settings.data["min_cells"]) == ("guide", 3)
    with pytest.raises(FrozenInstanceError):
        settings.min_cells = 4


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        ({"n_random": -1}, ValueError, "`n_random` is -1"),
        ({"fit_on": "all"}, ValueError, "would fit the regression also on test cells"),
        ({"fit_on": "some"}, ValueError, "`fit_on`"),
        ({"models": "ridge"}, TypeError, "sequence of names"),
    ],
)
def test_arguments_that_no_audit_can_take(wrong, error, match):
    with pytest.raises(error, match=match):
        check_arguments(**{"fit_on": "control", "models": ("ridge",), "n_random": 0, **wrong})
