import pytest

import scpertbias as spb


def test_groups_of_a_perturbation(small_audit):
    table = spb.get.composition(small_audit)
    name = table["perturbation"].iloc[0]
    assert set(spb.get.composition(small_audit, perturbation=name)["group"]) == set(table["group"])
    assert set(spb.get.composition(small_audit, group="mt")["group"]) == {"mt"}
    with pytest.raises(KeyError, match=r"'x' not available"):
        spb.get.composition(small_audit, group="x")


def test_not_run():
    with pytest.raises(KeyError, match=r"spb\.tl\.confounding"):
        spb.get.composition(spb.ds.simulate(200, 20, 2))
