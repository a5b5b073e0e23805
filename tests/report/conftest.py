"""A small audit, made once."""

import pytest

from scpertbias import _compat, _store
from scpertbias._report.tables import NAMES
from scpertbias._tables import empty


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
