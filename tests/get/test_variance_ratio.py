"""The stored table comes back, with text as text."""

import anndata
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias.get._variance_ratio import variance_ratio
from scpertbias.tl._variance_ratio import variance_ratio as ask


def test_table_comes_back(tmp_path):
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.pseudobulk(adata, strata="bio_rep")
    with pytest.raises(KeyError, match=r"Run spb.tl.variance_ratio first"):
        variance_ratio(profiles)
    spb.tl.fit_mean(profiles)
    ask(profiles)
    table = variance_ratio(profiles)
    assert "mean" in set(table["model"])
    assert not any(isinstance(kind, pd.CategoricalDtype) for kind in table.dtypes)
    profiles.write_h5ad(tmp_path / "profiles.h5ad")
    pd.testing.assert_frame_equal(variance_ratio(anndata.read_h5ad(tmp_path / "profiles.h5ad")), table)
