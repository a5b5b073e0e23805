import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _store
from scpertbias.get._coupling import coupling


def test_reads_its_table():
    mdata = spb.pp.regimes(spb.pp.pseudobulk(spb.ds.simulate(1500, 30, 8)), ["no_mt_ribo"])
    with pytest.raises(KeyError, match=r"spb\.tl\.coupling first"):
        coupling(mdata)
    _store.put(mdata, coupling=pd.DataFrame({"model": ["ridge"], "kappa": [0.0]}))
    assert coupling(mdata).to_numpy().tolist() == [["ridge", 0.0]]
