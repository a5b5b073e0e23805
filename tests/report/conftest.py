"""A small audit, made once."""

import pandas as pd
import pytest

from scpertbias import _compat, _store
from scpertbias._report.tables import COLUMNS


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
