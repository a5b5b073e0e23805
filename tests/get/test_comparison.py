import pytest

import scpertbias as spb


def test_pairs_of_an_audit(small_audit):
    table = spb.get.comparison(small_audit)
    assert set(table["regime"]) == {"full", "no_mt"}
    pair = spb.get.comparison(small_audit, models=["ridge", "mean"], regime="full", metric="l2_ratio")
    assert pair[["model_a", "model_b", "n"]].values.tolist() == [["mean", "ridge", 12]]
    every = spb.get.comparison(small_audit, models="ridge", regime="full", metric="l2_ratio")
    assert every[["model_a", "model_b"]].values.tolist() == [["no_change", "ridge"], ["mean", "ridge"]]
    with pytest.raises(KeyError, match=r"'gears' not available"):
        spb.get.comparison(small_audit, models="gears")


def test_nothing_scored():
    with pytest.raises(KeyError, match=r"spb\.tl\.score"):
        spb.get.comparison(spb.ds.simulate(200, 20, 2))
