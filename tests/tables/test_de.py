import pandas as pd

import scpertbias as spb
from scpertbias._tables.de import DE


def test_computed_as_declared():
    """It is stored nowhere: what is computed has the declared columns, dtypes and names."""
    profiles = spb.pp.profiles(spb.ds.simulate(1_000, 40, 5, rng=0))
    for table in (spb.get.de(profiles, q_below=None), spb.get.de(profiles, q_below=0)):
        assert list(table.columns) == [column.name for column in DE.columns]
        for column in DE.columns:
            if column.dtype == "str":
                assert pd.api.types.infer_dtype(table[column.name]) in ("string", "empty")
            else:
                assert str(table[column.name].dtype) == column.dtype, column.name
