"""The stored table comes back, with text as text."""

import anndata
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias.get._recurrence import recurrence
from scpertbias.tl._recurrence import recurrence as ask


def test_table_comes_back(tmp_path):
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.pseudobulk(adata, strata="bio_rep")
    with pytest.raises(KeyError, match=r"Run spb.tl.recurrence first"):
        recurrence(profiles)
    spb.tl.fit_mean(profiles)
    ask(profiles)
    table = recurrence(profiles)
    assert "mean" in set(table["model"])
    assert not any(isinstance(kind, pd.CategoricalDtype) for kind in table.dtypes)
    profiles.write_h5ad(tmp_path / "profiles.h5ad")
    pd.testing.assert_frame_equal(recurrence(anndata.read_h5ad(tmp_path / "profiles.h5ad")), table)
