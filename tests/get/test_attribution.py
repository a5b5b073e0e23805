import pandas as pd
import pytest
from pandas.api.types import is_string_dtype

import scpertbias as spb
from scpertbias import _store
from scpertbias.get._attribution import attribution_agreement, attribution_check, enrich


@pytest.mark.parametrize("read", [attribution_agreement, attribution_check])
def test_reads_its_table(read):
    profiles = spb.pp.profiles(spb.ds.simulate(1500, 30, 8))
    with pytest.raises(KeyError, match=rf"spb\.tl\.{read.__name__} first"):
        read(profiles)
    _store.put(profiles, **{read.__name__: pd.DataFrame({"model": ["a", "b"], "n": [1, 2]})})
    found = read(profiles)
    assert found.to_numpy().tolist() == [["a", 1], ["b", 2]]
    assert is_string_dtype(found["model"])  # text, not categories
    mdata = spb.pp.regimes(profiles, ["no_mt_ribo"])
    _store.put(mdata, **{read.__name__: pd.DataFrame({"regime": ["full"], "model": ["a"]})})
    assert read(mdata)["regime"].tolist() == ["full"]


@pytest.mark.parametrize("read", [enrich])
def test_reads_its_table_enrich(read):
    profiles = spb.pp.profiles(spb.ds.simulate(1500, 30, 8))
    with pytest.raises(KeyError, match=rf"spb\.tl\.{read.__name__} first"):
        read(profiles)
    _store.put(profiles, **{read.__name__: pd.DataFrame({"model": ["a", "b"], "n": [1, 2]})})
    found = read(profiles)
    assert found.to_numpy().tolist() == [["a", 1], ["b", 2]]
    assert is_string_dtype(found["model"])  # text, not categories
    mdata = spb.pp.regimes(profiles, ["no_mt_ribo"])
    _store.put(mdata, **{read.__name__: pd.DataFrame({"regime": ["full"], "model": ["a"]})})
    assert read(mdata)["regime"].tolist() == ["full"]
