import pytest

import scpertbias as spb


@pytest.fixture(scope="module")
def profiles():
    adata = spb.pp.profiles(spb.ds.simulate(2_000, 60, 8, rng=3))
    spb.tl.power(adata, n_cells=(40, 400))
    return adata


def test_rows_are_chosen(profiles):
    power, needed = spb.get.power(profiles), spb.get.cells_needed(profiles)
    name = power["perturbation"].iloc[-1]
    assert spb.get.power(profiles, level="screen")["perturbation"].tolist() == ["", ""]
    assert spb.get.power(profiles, perturbation=name)["n_cells"].tolist() == [40, 400]
    status = needed["status"].iloc[0]
    chosen = spb.get.cells_needed(profiles, status=status, level="screen")
    assert set(chosen["status"]) == {status}
    with pytest.raises(KeyError, match="'nowhere' not available"):
        spb.get.cells_needed(profiles, perturbation="nowhere")


def test_what_to_run_first(profiles):
    profiles = profiles.copy()
    profiles.uns["scpertbias"] = {
        k: v for k, v in profiles.uns["scpertbias"].items() if k not in ("power", "cells_needed")
    }
    for read in (spb.get.power, spb.get.cells_needed):
        with pytest.raises(KeyError, match=r"spb\.tl\.power"):
            read(profiles)
