"""A small audit, made once."""

import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _compat, _store
from scpertbias._report._tables import COLUMNS


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


@pytest.fixture
def tables():
    """The tables of an audit by name, without a row."""
    return {name: pd.DataFrame(columns=columns) for name, columns in COLUMNS.items()}
