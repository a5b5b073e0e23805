"""Which genes are mitochondrial or ribosomal, by their names."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import scpertbias as spb

HUMAN_RIBO = [
    "RPSA",
    "RPSA2",
    "RPLP0",
    "RPLP1",
    "RPLP2",
    "RPS2",
    "RPS3",
    "RPS3A",
    "RPS4X",
    "RPS4Y1",
    "RPS4Y2",
    "RPS6",
    "RPS10",
    "RPS15A",
    "RPS27",
    "RPS27A",
    "RPS27L",
    "RPS29",
    "RPL3",
    "RPL3L",
    "RPL7",
    "RPL7A",
    "RPL7L1",
    "RPL10A",
    "RPL10L",
    "RPL13A",
    "RPL18A",
    "RPL22L1",
    "RPL23A",
    "RPL26L1",
    "RPL35A",
    "RPL36",
    "RPL36A",
    "RPL36AL",
    "RPL37A",
    "RPL39L",
    "RPL41",
]
PREFIX_ONLY = [
    "RPS6KA1",
    "RPS6KA6",
    "RPS6KB1",
    "RPS6KB2",
    "RPS6KC1",
    "RPS6KL1",
    "RPS19BP1",
    "RPL7P1",
    "RPL13AP20",
    "RPS2P5",
    "RPSAP58",
    "RPLP0P6",
    "RPL36AP5",
    "RPL41P1",
    "RPS10-NUDT3",
    "RPL17-C18orf32",
]
NEITHER = ["MRPL3", "MRPS6", "TRPS1", "RPN1", "RPA1", "GRPEL1", "RPRD1A", "rps6", "Rps6", "FAU"]
MOUSE_RIBO = [
    "Rpsa",
    "Rplp0",
    "Rps3a1",
    "Rps4x",
    "Rps6",
    "Rps27l",
    "Rpl3",
    "Rpl7l1",
    "Rpl10l",
    "Rpl13a",
    "Rpl22l1",
    "Rpl36al",
    "Rpl41",
]
MOUSE_PREFIX_ONLY = ["Rps6ka1", "Rps6kb2", "Rps19bp1", "Rpl9-ps1", "Rpl36a-ps1", "Rps15a-ps4"]


def genes(names) -> ad.AnnData:
    names = list(names)
    return ad.AnnData(X=np.ones((2, len(names)), dtype=np.float32), var=pd.DataFrame(index=names))


def marked(names, key, **kwargs) -> set[str]:
    adata = spb.pp.annotate_confounders(genes([*names, "MT-X", "mt-x"]), copy=True, **kwargs)
    assert adata.var[key].dtype == bool
    return set(adata.var_names[adata.var[key]]) - {"MT-X", "mt-x"}


def test_strict_names_of_human():
    assert marked([*HUMAN_RIBO, *PREFIX_ONLY, *NEITHER], "ribo", species="human") == set(HUMAN_RIBO)


def test_prefix_is_the_papers_rule():
    names = [*HUMAN_RIBO, *PREFIX_ONLY, *NEITHER]
    assert marked(names, "ribo", species="human", ribo="prefix") == {*HUMAN_RIBO, *PREFIX_ONLY}


def test_mouse():
    names = [*MOUSE_RIBO, *MOUSE_PREFIX_ONLY, "RPS6", "Mrpl3"]
    assert marked(names, "ribo", species="mouse") == set(MOUSE_RIBO)
    assert marked(names, "ribo", species="mouse", ribo="prefix") == {*MOUSE_RIBO, *MOUSE_PREFIX_ONLY}
    mixed = ["mt-Nd1", "mt-Co1", "MT-ND1", "Mt1", "Mtor"]
    assert marked(mixed, "mt", species="mouse") == {"mt-Nd1", "mt-Co1"}
    assert marked(mixed, "mt", species="human") == {"MT-ND1"}


def test_both_species_unless_one_is_named():
    assert marked(["MT-ND1", "mt-Nd1", "Mt1", "MTOR"], "mt") == {"MT-ND1", "mt-Nd1"}
    assert marked([*HUMAN_RIBO, *MOUSE_RIBO, *PREFIX_ONLY, "Mrpl3"], "ribo") == {*HUMAN_RIBO, *MOUSE_RIBO}


@pytest.mark.parametrize(
    "spelling",
    ["MT.CO1", "MT_CO1", "Mt-CO1", "Mt-co1", "GRCh38---MT-CO1", "hg38_MT-CO1", "mm10_mt-Co1", "GRCm39-mt-Co1"],
)
def test_spellings_of_mitochondrial_genes(spelling):
    assert marked([spelling, "MTOR", "MT1X", "Mt2", "MTRNR2L1", "MT.FAKE"], "mt") == {spelling}


def test_ensembl_ids_without_symbols():
    ids = ["ENSG00000198804", "ENSG00000198763.3", "ENSG00000142541", "ENSG00000111640"]
    adata = spb.pp.annotate_confounders(genes(ids), copy=True)
    assert adata.var["mt"].tolist() == [True, True, False, False]
    assert adata.var["ribo"].tolist() == [False, False, True, False]  # RPL13A


@pytest.mark.parametrize("species", ["human", "mouse"])
def test_strict_names_agree_with_the_curated_set(species):
    sets = spb.ds.confounder_sets(species)
    curated = {gene for gene in sets.loc[sets["source"] == "ribo", "target"] if gene.upper().startswith(("RPS", "RPL"))}
    assert len(curated) > 70
    assert curated - marked(sorted(curated), "ribo", species=species) == set()


def test_scanpy_computes_the_fractions(cells):
    adata = cells
    adata.X = adata.layers["counts"].copy()
    spb.pp.annotate_confounders(adata)
    sc.pp.calculate_qc_metrics(adata, qc_vars=["mt", "ribo"], percent_top=None, log1p=False, inplace=True)
    counts = adata.layers["counts"].toarray()
    for key, names in (("mt", ["MT-CO1", "MT-ND1"]), ("ribo", ["RPL3", "RPS6"])):
        share = 100 * counts[:, adata.var_names.isin(names)].sum(1) / counts.sum(1)
        np.testing.assert_allclose(adata.obs[f"pct_counts_{key}"], share, rtol=1e-5)


def test_ensembl_ids_have_their_symbols_in_a_column():
    adata = genes([f"ENSG{i:011d}" for i in range(4)])
    adata.var["gene_name"] = pd.Categorical(["MT-CO1", "RPL3", "STAT1", None], categories=["MT-CO1", "RPL3", "STAT1"])
    adata.var["mine"] = ["A", "B", "RPS6", "C"]
    spb.pp.annotate_confounders(adata)
    assert adata.var["mt"].tolist() == [True, False, False, False]
    assert adata.var["ribo"].tolist() == [False, True, False, False]
    spb.pp.annotate_confounders(adata, gene_symbols="mine")
    assert adata.var["ribo"].tolist() == [False, False, True, False]
    with pytest.raises(KeyError, match=r"var has no column 'nope'"):
        spb.pp.annotate_confounders(adata, gene_symbols="nope")


def test_further_sets():
    adata = genes(["MT-CO1", "A", "B", "C"])
    sets = pd.DataFrame({"source": ["stress", "stress", "cycle", "mt", "stress"], "target": ["A", "Z", "B", "C", None]})
    spb.pp.annotate_confounders(adata, sets)
    assert adata.var["stress"].tolist() == [False, True, False, False]
    assert adata.var["cycle"].tolist() == [False, False, True, False]
    assert adata.var["mt"].tolist() == [True, False, False, False], "the set mt of the table is ignored"
    spb.pp.annotate_confounders(adata, sets)  # a second time overwrites its own columns


def test_nothing_found_is_said():
    with pytest.warns(UserWarning, match="species='human'"):
        spb.pp.annotate_confounders(genes(["mt-Nd1", "Rps6"]), species="human")
    with pytest.warns(UserWarning, match=r"\(for example \['A', 'B'\]\). Pass gene_symbols="):
        spb.pp.annotate_confounders(genes(["A", "B"]))


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"species": "rat"}, "`species` is 'rat'.*human.*mouse"),
        ({"ribo": "loose"}, "`ribo` is 'loose'"),
        ({"sets": pd.DataFrame({"source": ["a"]})}, r"`sets` lacks the columns \['target'\]"),
        ({"sets": pd.DataFrame({"source": ["a/b"], "target": ["A"]})}, "named 'a/b'"),
        ({"sets": pd.DataFrame({"source": ["length"], "target": ["A"]})}, r"var\['length'\].*not boolean"),
    ],
)
def test_wrong_input_changes_nothing(kwargs, words):
    adata = genes(["MT-CO1", "A"])
    adata.var["length"] = [1.0, 2.0]
    before = adata.var.copy()
    with pytest.raises(ValueError, match=words):
        spb.pp.annotate_confounders(adata, **kwargs)
    pd.testing.assert_frame_equal(adata.var, before)
