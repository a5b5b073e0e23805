"""A small audit, made once."""

import pytest

import scpertbias as spb
from scpertbias import _compat, _store


@pytest.fixture(scope="session")
def small_audit():
    """Audit of a simulated screen: 12 perturbations, three models, tables and predictions."""
    adata = spb.ds.simulate(1_500, 200, 12, rng=1)
    return spb.tl.audit(adata, models=("control", "mean", "ridge"), regimes=("full", "no_mt"), n_boot=100)


@pytest.fixture
def audit(small_audit):
    """A copy that a test may change."""
    copied = _compat.mudata({name: profiles.copy() for name, profiles in small_audit.mod.items()})
    _store.put(copied, **_store.root(small_audit))
    return copied
