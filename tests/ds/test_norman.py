import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import scpertbias as spb
from scpertbias.ds import _norman


def test_labels_are_those_of_this_package(tmp_path):
    labels = np.repeat(["control", "KLF1", "CEBPA+KLF1"], [40, 30, 30])
    obs = pd.DataFrame({"perturbation_name": labels, "gemgroup": 1}, index=[f"c{i}" for i in range(100)])
    x = np.random.default_rng(0).gamma(1.0, size=(100, 3)).astype(np.float32)
    sc.settings.datasetdir = tmp_path
    ad.AnnData(x, obs=obs, var=pd.DataFrame(index=["KLF1", "CEBPA", "X"])).write_h5ad(tmp_path / _norman.FILE.name)
    adata = spb.ds.norman_2019()
    assert adata.obs["perturbation"].tolist() == labels.tolist()
    assert adata.obs["gem_group"].tolist() == ["1"] * 100
    assert set(spb.pp.profiles(adata).obs["n_targets"]) == {0, 1, 2}


def test_another_file_is_refused():
    with pytest.raises(ValueError, match="not the published file"):
        _norman.name_columns(pd.DataFrame({"perturbation": ["A"]}))


@pytest.mark.internet
def test_the_published_file():
    assert spb.ds.norman_2019().shape == (111_255, 19_018)
