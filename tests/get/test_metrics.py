import numpy as np
import pytest

import scpertbias as spb
from scpertbias.get._metrics import metric


def error(predicted, observed, control):
    return np.abs(predicted - observed).mean(axis=1)


def test_table_comes_back(tmp_path):
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    spb.tl.fit_mean(profiles)
    spb.tl.fit_no_change(profiles)
    with pytest.raises(KeyError, match=r"Run spb\.tl\.metric first"):
        metric(profiles)
    for name in ("first", "second"):
        spb.tl.metric(profiles, error, name=name, best="lower", uses_control=False, n_perm=5, n_boot=10)
    assert metric(profiles, models="mean", metric="second").shape[0] == 1
    with pytest.raises(KeyError, match="'third'"):
        metric(profiles, metric="third")
