import anndata
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias.get._scores import recurrence, specificity, variance_ratio
from scpertbias.tl._recurrence import recurrence as ask_recurrence
from scpertbias.tl._specificity import specificity as ask
from scpertbias.tl._variance_ratio import variance_ratio as ask_variance_ratio


def test_table():
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    spb.tl.fit_mean(profiles)
    with pytest.raises(KeyError, match=r"spb\.tl\.specificity"):
        specificity(profiles)
    ask(profiles, n_perm=10)
    table = specificity(profiles)
    assert table["model"].unique().tolist() == ["observed", "mean"]
    assert table["note"].map(type).eq(str).all()


def test_table_comes_back(tmp_path):
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    with pytest.raises(KeyError, match=r"Run spb.tl.recurrence first"):
        recurrence(profiles)
    spb.tl.fit_mean(profiles)
    ask_recurrence(profiles)
    table = recurrence(profiles)
    assert "mean" in set(table["model"])
    assert not any(isinstance(kind, pd.CategoricalDtype) for kind in table.dtypes)
    profiles.write_h5ad(tmp_path / "profiles.h5ad")
    pd.testing.assert_frame_equal(recurrence(anndata.read_h5ad(tmp_path / "profiles.h5ad")), table)


def test_table_comes_back_variance_ratio(tmp_path):
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    with pytest.raises(KeyError, match=r"Run spb.tl.variance_ratio first"):
        variance_ratio(profiles)
    spb.tl.fit_mean(profiles)
    ask_variance_ratio(profiles)
    table = variance_ratio(profiles)
    assert "mean" in set(table["model"])
    assert not any(isinstance(kind, pd.CategoricalDtype) for kind in table.dtypes)
    profiles.write_h5ad(tmp_path / "profiles.h5ad")
    pd.testing.assert_frame_equal(variance_ratio(anndata.read_h5ad(tmp_path / "profiles.h5ad")), table)
