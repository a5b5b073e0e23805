"""What pp.check says of the values and of the genes."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb

TARGETS = ("JAK2", "MYC", "STAT1")


def screen(n_genes=520, seed=0, depth=3000):
    """Raw counts with an effect of every target, over enough genes for a transcriptome."""
    rng = np.random.default_rng(seed)
    genes = ["MT-CO1", "MT-ND1", "RPL3", "RPS6", *TARGETS, *(f"GENE{i}" for i in range(n_genes - 7))]
    label = np.repeat(["control", *TARGETS], [120, 60, 60, 60])
    base = rng.gamma(0.7, 1, n_genes) + 0.05
    shift = {name: rng.normal(0, 0.4, n_genes) * (name != "control") for name in ("control", *TARGETS)}
    rate = np.array([base * np.exp(shift[name]) for name in label]) / base.sum()
    counts = rng.poisson(rate * rng.lognormal(np.log(depth), 0.3, len(label))[:, None]).astype(np.float32)
    obs = pd.DataFrame({"perturbation": label}, index=[f"c{i}" for i in range(len(label))])
    return ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=genes))


def logged(adata, target_sum=1e4):
    x = np.asarray(adata.X, dtype=np.float64)
    return ad.AnnData(np.log1p(x / x.sum(axis=1, keepdims=True) * target_sum), obs=adata.obs, var=adata.var)


def findings(adata, check, **data):
    profiles = spb.pp.profiles(adata, **data)
    spb.pp.check(profiles)
    table = spb.get.check(profiles)
    table = table[table["check"] == check]
    return list(zip(table["status"], table["detail"], strict=True))


def warnings_of(adata, check, **data):
    return [detail for status, detail in findings(adata, check, **data) if status != "ok"]


def test_a_plain_screen_has_none():
    assert warnings_of(logged(screen()), "scale") == warnings_of(logged(screen()), "genes") == []
    assert warnings_of(screen(), "scale", normalize=True) == []


def test_the_scale_is_named():
    ((status, detail),) = findings(logged(screen()), "scale")
    assert status == "ok"
    assert detail.startswith(
        "natural logarithms of counts; every cell sums to 10000; gene means in control cells range from 0"
    )


def test_logs_of_counts_as_they_are():
    adata = screen()
    adata.X = np.log1p(adata.X)
    (detail,) = warnings_of(adata, "scale")
    assert detail.startswith("values are logarithms of counts that were not normalized")


def test_sources_that_were_normalized_to_different_sums():
    adata = logged(screen())
    adata.X[::3] = logged(screen(), 1e6).X[::3]
    (detail,) = warnings_of(adata, "scale")
    assert detail.startswith("cells were normalized to different sums (10000, 1e+06)")


def test_cells_of_next_to_no_counts():
    adata = screen()
    adata.X[:3] = 0
    adata.X[:3, :2] = 1
    (detail,) = warnings_of(adata, "scale", normalize=True)
    assert detail.startswith("3 cells have fewer than 10 counts")


@pytest.mark.parametrize("column", ["n_counts", "ncounts", "total_counts"])
def test_a_total_that_is_not_that_of_the_counts(column):
    adata = screen()
    adata.obs[column] = adata.X.sum(axis=1) * 25
    (detail,) = warnings_of(adata, "scale", normalize=True)
    assert (
        f"the mean of obs['{column}'] is 8.341e+04 per cell, but the counts of a cell in this matrix sum to 3337"
        in detail
    )
    assert f"size_factors='{column}'" in detail
    assert warnings_of(adata, "scale", normalize=True, size_factors=column) == []
    adata.obs[column] /= 25
    assert warnings_of(adata, "scale", normalize=True) == []


@pytest.mark.parametrize("as_counts", [True, False])
def test_a_panel_that_is_normalized_by_itself(as_counts):
    adata = screen(300)
    adata.obs["depth"] = adata.X.sum(axis=1) * 20
    given = {"normalize": True} if as_counts else {}
    (detail,) = warnings_of(adata if as_counts else logged(adata), "genes", **given)
    assert detail.startswith("cells are normalized to the total of only 300 measured genes")
    assert warnings_of(adata, "genes", normalize=True, size_factors="depth") == []


@pytest.mark.parametrize("as_counts", [True, False])
def test_a_gene_that_holds_much_of_the_counts_is_named(as_counts):
    adata = screen()
    adata.X[:, 9] = np.round(adata.X.sum(axis=1) * 0.5)
    given = {"normalize": True} if as_counts else {}
    (detail,) = warnings_of(adata if as_counts else logged(adata), "genes", **given)
    assert detail.startswith("GENE2 has 33% of the counts of control cells")


def test_features_that_are_not_genes():
    adata = screen()
    adata.var["feature_types"] = ["Gene Expression"] * 515 + ["CRISPR Guide Capture"] * 5
    assert warnings_of(adata, "genes", normalize=True) == [
        "columns that are not genes were left out: 5 CRISPR Guide Capture"
    ]


def test_columns_named_like_guides():
    adata = screen()
    adata.var_names = [*adata.var_names[:-2], "STAT1_sg1", "JAK2_sg2"]
    (detail,) = warnings_of(logged(adata), "genes")
    assert detail.startswith("2 columns of the matrix have names of guides")


def test_names_in_another_spelling():
    adata = screen()
    adata.var_names = [f"GRCh38_{name}".replace("MT-", "MT.") for name in adata.var_names]
    (detail,) = warnings_of(logged(adata), "genes")
    assert detail.endswith("start with the name of a genome; for example, GRCh38_MT.CO1 is interpreted as MT-CO1")
    assert ("ok", "3 of 3 perturbed genes are measured") in findings(logged(adata), "genes")


def test_symbols_of_several_columns():
    adata = logged(screen())
    adata.var["gene_symbols"] = [*adata.var_names[:-1], "STAT1"]
    adata.var_names = [f"ENSG{i:011d}" for i in range(adata.n_vars)]
    (detail,) = warnings_of(adata, "genes")
    assert detail == "1 symbols have several columns; of these, the column with the highest expression is used: STAT1"


def test_ids_without_symbols():
    adata = logged(screen())
    ids = {"MT-CO1": "ENSG00000198804", "MT-ND1": "ENSG00000198888"}
    adata.var_names = [ids.get(name, f"ENSG9{i:010d}") for i, name in enumerate(adata.var_names)]
    adata.obs["perturbation"] = adata.obs["perturbation"].to_numpy(object)
    with pytest.warns(UserWarning, match="var has no column of gene symbols. Therefore 2 confounder genes"):
        details = warnings_of(adata, "genes")
    assert any("2 confounder genes are recognized by their ids" in detail for detail in details)
    adata.var_names = adata.var_names.str.replace("ENSG", "ENSMUSG")
    with pytest.warns(UserWarning, match="no confounder gene is recognized"):
        warnings_of(adata, "genes")
