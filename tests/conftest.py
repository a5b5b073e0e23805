"""What several rooms are tested with."""

import pytest

import scpertbias as spb


@pytest.fixture(scope="session")
def small_audit():
    """Audit of a simulated screen: 12 perturbations, three models, tables and predictions."""
    adata = spb.ds.simulate(1_500, 200, 12, rng=1)
    return spb.tl.audit(adata, models=("no_change", "mean", "ridge"), regimes=("full", "no_mt"))
