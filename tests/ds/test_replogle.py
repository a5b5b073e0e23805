import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import scpertbias as spb
from scpertbias.ds import _replogle
from scpertbias.ds._files import read_table


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file as the authors publish it, with few cells."""
    rng = np.random.default_rng(0)
    symbols = ["MT-ND1", "RPL13", "NOT_CHOSEN", "TBCE", "GAPDH", "GAPDH"]
    panel = read_table("k562_genes.csv.gz")
    chosen = panel.loc[panel["panel"] == 1, "gene"].tolist()
    symbols[1], symbols[4], symbols[5] = chosen[100], chosen[7], chosen[7]
    target = read_table("replogle_targets.csv")["target"].iloc[0]
    labels = np.repeat(["non-targeting", target, "NOBODY"], [60, 40, 30])
    obs = pd.DataFrame(
        {
            "gene": pd.Categorical(labels),
            "sgID_AB": [f"{label}_g" for label in labels],
            "gem_group": rng.integers(1, 3, len(labels)),
            "mitopercent": np.full(len(labels), 0.05),
            "UMI_count": 100.0,
        },
        index=[f"cell{i}" for i in range(len(labels))],
    )
    var = pd.DataFrame({"gene_name": symbols}, index=[f"ENSG{i:011d}" for i in range(len(symbols))])
    x = rng.poisson(2, (len(labels), len(symbols))).astype(np.float32)
    path = tmp_path / _replogle.FILE.name
    ad.AnnData(x, obs=obs, var=var).write_h5ad(path)
    sc.settings.datasetdir = tmp_path
    monkeypatch.setattr(
        _replogle, "FILE", _replogle.Remote(path.name, "http://127.0.0.1:9/", path.stat().st_size, None)
    )
    return x


def test_the_whole_screen_stays_in_the_file(file):
    adata = spb.ds.replogle_2022_k562_essential()
    assert adata.isbacked
    assert adata.shape == (130, 6)
    assert {"perturbation", "guide", "gem_group", "total_counts"} <= set(adata.obs)
    assert adata.obs["pct_counts_mt"].tolist() == [5.0] * 130
    profiles = spb.pp.profiles(adata, normalize=True, batch_key="gem_group")
    assert profiles.obs["perturbation"].tolist()[0] == "non-targeting"
    adata.file.close()


def test_the_chosen_targets_and_genes(file):
    adata = spb.ds.replogle_2022_k562_essential(filtered=True)
    assert adata.var["gene_name"].tolist()[0] == "MT-ND1"
    assert adata.shape == (100, 3)
    assert not adata.isbacked
    assert sparse.issparse(adata.X)
    np.testing.assert_array_equal(adata.X.toarray(), file[:100][:, [0, 1, 4]])
    assert "NOBODY" not in adata.obs["perturbation"].cat.categories
    spb.pp.profiles(adata, normalize=True, batch_key="gem_group")


def test_there_are_as_many_as_published():
    panel, targets = read_table("k562_genes.csv.gz"), read_table("replogle_targets.csv")
    assert (panel["panel"] == 1).sum() == 1186
    assert len(targets) == 681


def test_another_file_is_refused():
    with pytest.raises(ValueError, match="not the published file"):
        _replogle.name_columns(pd.DataFrame({"gene": ["A"]}))


@pytest.mark.internet
def test_the_published_file():
    adata = spb.ds.replogle_2022_k562_essential()
    assert adata.shape == (310_385, 8_563)
