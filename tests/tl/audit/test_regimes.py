import gc
import weakref

import numpy as np

import scpertbias as spb
from scpertbias import _moments
from scpertbias.pp._regimes import plan_regimes
from scpertbias.tl._audit import regimes
from scpertbias.tl._audit.regimes import add_regimes, regimes_on_demand


def test_screens_on_demand_are_those_of_the_profiles():
    cells = spb.ds.simulate(1500, 80, 8, rng=1)
    profiles = spb.pp.profiles(cells, covariates=["pct_counts_mt", "pct_counts_ribo"])
    mdata, plan = spb.pp.regimes(profiles), plan_regimes(profiles, None, fit_on="control")
    full_only, screens = regimes_on_demand(profiles, plan, fit_on="control")
    assert list(full_only.mod) == ["full"]
    assert list(screens) == list(mdata.mod)
    for regime in mdata.mod:
        expected = _moments.of(mdata[regime])
        screen = screens[regime]
        assert screen.genes.equals(expected.genes)
        assert screen.symbols.tolist() == expected.symbols.tolist()
        assert screen.names == expected.names
        for name in ("mean", "var", "half", "n_half", "blocks", "n_blocks", "n"):
            np.testing.assert_array_equal(getattr(screen.moments, name), getattr(expected.moments, name), err_msg=name)
        assert screen.digest() == expected.digest()
    again = add_regimes(full_only, plan, fit_on="control")
    for regime in mdata.mod:
        for key in mdata[regime].layers:
            np.testing.assert_array_equal(again[regime].layers[key], mdata[regime].layers[key])


def test_an_audit_of_tables_holds_one_regime_beside_the_full_one(monkeypatch):
    cells = spb.ds.simulate(1500, 80, 8, rng=1)
    alive, in_memory = [], weakref.WeakValueDictionary()
    for maker in ("_without", "_regressed"):

        def make(*arguments, maker=getattr(regimes, maker)):
            alive.append(len(in_memory))
            screen = maker(*arguments)
            in_memory[id(screen)] = screen
            return screen

        monkeypatch.setattr(regimes, maker, make)
    gc.disable()  # nothing may wait for it: it runs rarely where arrays are few and large
    try:
        spb.tl.audit(cells, models=("no_change", "mean", "ridge"), n_random=2, n_folds=2, keep_predictions=False)
    finally:
        gc.enable()
    assert len(alive) > 3
    assert max(alive) == 0
