import numpy as np

import scpertbias as spb
from scpertbias import _moments
from scpertbias.pp._regimes import plan
from scpertbias.tl._audit.regimes import complete, on_demand


def test_screens_on_demand_are_those_of_the_profiles():
    cells = spb.ds.simulate(1500, 80, 8, rng=1)
    profiles = spb.pp.profiles(cells, covariates=["pct_counts_mt", "pct_counts_ribo"])
    mdata, planned = spb.pp.regimes(profiles), plan(profiles, None, fit_on="control")
    only, screens = on_demand(profiles, planned, fit_on="control")
    assert list(only.mod) == ["full"]
    assert list(screens) == list(mdata.mod)
    for regime in mdata.mod:
        expected = _moments.of(mdata[regime])
        found = screens[regime]
        assert found.genes.equals(expected.genes)
        assert found.symbols.tolist() == expected.symbols.tolist()
        assert found.names == expected.names
        for name in ("mean", "var", "half", "n_half", "blocks", "n_blocks", "n"):
            np.testing.assert_array_equal(getattr(found.moments, name), getattr(expected.moments, name), err_msg=name)
        assert found.digest() == expected.digest()
    again = complete(only, planned, fit_on="control")
    for regime in mdata.mod:
        for key in mdata[regime].layers:
            np.testing.assert_array_equal(again[regime].layers[key], mdata[regime].layers[key])
