"""A small audit, made once."""

import warnings

import pytest

import scpertbias as spb
from scpertbias import _compat, _store
from scpertbias._report import report
from scpertbias._report.charts.drawing import Drawing
from scpertbias._report.content import constant_models, content
from scpertbias._report.tables import NAMES, read
from scpertbias._tables import empty
from scpertbias.tl._effects import effects

from .browser import FLAGS, executable


@pytest.fixture
def audit(small_audit):
    """A copy that a test may change."""
    copied = _compat.mudata({name: profiles.copy() for name, profiles in small_audit.mod.items()})
    _store.put(copied, **_store.root(small_audit))
    return copied


@pytest.fixture
def tables():
    """The tables of an audit by name, without a row."""
    return {name: empty(name, audit=True) for name in NAMES}


@pytest.fixture(scope="session")
def other_models_audit():
    """The screen of ``small_audit`` with another model, which predicts each perturbation by its neighbors."""
    cells = spb.ds.simulate(1_500, 200, 12, rng=1)
    net = spb.ds.simulate_net(cells, degree=4)
    return spb.tl.audit(cells, net, models=("mean", "two_stage"), regimes=("full",), n_random=0)


@pytest.fixture(scope="session")
def drawing(small_audit):
    """What the figures of the small audit are drawn from; nothing changes it."""
    tables = read(small_audit)
    contents = content(small_audit)
    constant = frozenset(constant_models(small_audit))
    return Drawing(tables, contents["scorecard"], constant, {"ridge": "#123456"}, effects(small_audit["full"]))


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests."""
    path = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        launched = p.chromium.launch(executable_path=path, args=FLAGS.split())
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def page_audit():
    """Audit of a simulated screen of 30 perturbations with all default models."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return spb.tl.audit(spb.ds.simulate(2_400, 250, 30, keep_counts=False, rng=1), n_random=0)


@pytest.fixture(scope="session")
def audit_page(page_audit, tmp_path_factory):
    """Its page, built once."""
    path = tmp_path_factory.mktemp("page") / "audit.html"
    report(page_audit, path)
    return path
