"""The genes an audit needs: highest in control, targets, confounders."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb


def flat(make_cells, **means):
    """Cells whose control means are known: 1 but for those given."""
    adata = make_cells(kind="dense")
    adata.X = np.tile([means.get(g, 1.0) for g in adata.var_names], (adata.n_obs, 1)) + 0.01
    adata.X[(adata.obs["perturbation"] != "control").to_numpy()] = 0.5
    return adata


ALWAYS = ["MT-CO1", "MT-ND1", "RPL3", "RPS6", "JAK2", "MYC", "STAT1"]


def test_highest_in_control_targets_and_confounders(make_cells):
    adata = flat(make_cells, GENE7=3.0, GENE2=2.0, GENE9=1.5, JAK2=0.0, RPL3=0.0)
    adata.X[(adata.obs["perturbation"] == "MYC").to_numpy(), list(adata.var_names).index("GENE4")] = 99.0
    spb.pp.select_genes(adata, n_top_genes=2)
    assert adata.var_names.tolist() == [*ALWAYS, "GENE2", "GENE7"], "in their own order; GENE4 is high in MYC only"


def test_ties_by_name(make_cells):
    adata = flat(make_cells, GENE7=3.0)
    spb.pp.select_genes(adata, n_top_genes=4)
    assert set(adata.var_names) - set(ALWAYS) == {"GENE7", "GENE0", "GENE1", "GENE10"}


def test_genes_of_sets_are_kept_and_annotation_wins(make_cells):
    adata = flat(make_cells, GENE7=3.0)
    adata.var["ribo"] = adata.var_names == "GENE3"
    sets = pd.DataFrame({"source": ["stress", "stress"], "target": ["GENE5", "ABSENT"]})
    spb.pp.select_genes(adata, n_top_genes=1, sets=sets)
    assert set(adata.var_names) == {"MT-CO1", "MT-ND1", "JAK2", "MYC", "STAT1", "GENE3", "GENE5", "GENE7"}


def test_targets_are_found_by_symbol(make_cells):
    adata = flat(make_cells, GENE7=3.0)
    adata.var["gene_name"] = list(adata.var_names)
    adata.var_names = [f"ENSG{i:011d}" for i in range(adata.n_vars)]
    spb.pp.select_genes(adata, n_top_genes=1)
    assert adata.var["gene_name"].tolist() == [*ALWAYS, "GENE7"]


@pytest.mark.parametrize("n", [3, 8, 10_000])
def test_cells_and_profiles_agree(cells, n):
    profiles = spb.pp.profiles(cells)
    for adata in (cells, profiles):
        spb.pp.select_genes(adata, n_top_genes=n)
    assert cells.var_names.tolist() == profiles.var_names.tolist()
    np.testing.assert_allclose(profiles.X, spb.pp.profiles(cells).X)


def test_wrong_input(cells):
    with pytest.raises(ValueError, match="`n_top_genes` is 0"):
        spb.pp.select_genes(cells, n_top_genes=0)
    assert cells.n_vars == 20
