"""Which columns are genes, and one name for each."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scpertbias import _genes, ds


def adata(names, **var):
    return ad.AnnData(np.ones((2, len(names))), var=pd.DataFrame(var, index=list(names)))


NAMES = ["STAT1", "STAT1_sg1", "CD3", "ERCC-00002", "JAK2"]


@pytest.mark.parametrize(
    ("column", "guide", "protein"),
    [
        ("feature_types", "CRISPR Guide Capture", "Antibody Capture"),
        ("feature_types", "Custom", "Multiplexing Capture"),
        ("feature_type", "Hashtag", "HTO"),
        ("modality", "guides", "ADT"),
        ("feature_biotype", "spike-in", "spike-in"),
    ],
)
def test_what_is_not_a_gene(column, guide, protein):
    kinds = ["Gene Expression", guide, protein, "Gene Expression", None]
    genes, others = _genes.are_genes(adata(NAMES, **{column: pd.Categorical(kinds)}))
    assert genes.tolist() == [True, False, False, False, True]
    assert sum(others.values()) == 3
    assert others[_genes.SPIKE_INS] == 1


@pytest.mark.parametrize("kinds", [["Gene Expression"] * 4, ["protein_coding", "lncRNA", "Gene", "gene"]])
def test_all_are_genes(kinds):
    assert _genes.are_genes(adata("ABCD", feature_types=kinds)) == (pytest.approx(np.ones(4, dtype=bool)), {})


def test_a_screen_read_out_by_antibodies_is_read_as_it_is():
    genes, others = _genes.are_genes(adata("AB", feature_types=["Antibody Capture"] * 2))
    assert genes.all()
    assert others == {}


def test_the_refusal_gives_the_line_that_leaves_them_out():
    data = adata(NAMES, feature_types=["Gene Expression", "CRISPR Guide Capture", "Antibody Capture", "x", "x"])
    with pytest.raises(ValueError, match="1 CRISPR Guide Capture") as error:
        _genes.refuse_others(data)
    line = str(error.value).split("Leave these columns out with ")[1].split(", or use")[0]
    scope = {"adata": data}
    exec(line, scope)
    assert scope["adata"].var_names.tolist() == ["STAT1", "JAK2"]
    _genes.refuse_others(scope["adata"])


def test_columns_named_like_guides_of_the_targets():
    names = ["STAT1", "STAT1_sg1", "STAT1-2", "JAK2.g3", "HLA-A", "NKX2-1", "MYC_sg1"]
    assert _genes.named_like_guides(names, ["STAT1", "JAK2", "NKX2"]) == ["STAT1_sg1", "JAK2.g3"]
    assert _genes.named_like_guides(names, ["NKX2-1"]) == []


@given(
    st.sampled_from(["ND1", "ND4L", "CO2", "CYB", "ATP8", "RNR2", "TL1"]),
    st.sampled_from(["", "GRCh38_", "GRCh38---", "hg19.", "mm10_", "GRCm39-"]),
    st.sampled_from(["MT-", "mt-", "Mt-", "MT.", "mt_", "MT_"]),
    st.booleans(),
)
def test_every_spelling_of_a_mitochondrial_gene_is_one(gene, genome, prefix, capital):
    gene = gene if capital else gene.capitalize()
    (name,) = _genes.spelled(np.array([genome + prefix + gene])).tolist()
    assert name.startswith(("MT-", "mt-"))
    assert name[3:].upper() == gene.upper()


@pytest.mark.parametrize("name", ["MT-X", "MTOR", "MT1X", "MT.FAKE", "mt2", "HG38", "MMP10", "GRCh38", "HLA-A", ""])
def test_other_names_stay(name):
    assert _genes.spelled(np.array([name])).tolist() == [name]


def test_a_genome_goes_from_every_name():
    assert _genes.spelled(np.array(["GRCh38_STAT1", "mm10___Actb"])).tolist() == ["STAT1", "Actb"]


def test_the_bundled_ids_are_those_of_the_confounder_sets():
    known = set(_genes._bundled().values())
    sets = ds.confounder_sets()
    mt = {gene for gene in sets.loc[sets["source"] == "mt", "target"] if not gene.startswith("MT-RNR")}
    assert mt < known <= set(sets["target"])
    assert len(known & set(sets.loc[sets["source"] == "ribo", "target"])) >= 80
    assert all(_genes.ENSEMBL_ID.fullmatch(i) for i in _genes._bundled())


def test_symbols_of_ids():
    ids = ["ENSG00000198804", "ENSG00000198804.2", "ENSG00000000001", "ENSMUSG00000064351"]
    assert _genes.symbols_of_ids(ids) == ["MT-CO1", "MT-CO1", *ids[2:]]


@pytest.mark.parametrize("level", [[3.0, 0, 1, 2], [0.0, 3, 1, 2]])
def test_one_column_for_each_symbol(level):
    names = pd.Index(["a", "b", "c", "d"])
    symbols = _genes.one_each(np.array(["X", "X", "Y", "Z"]), names, np.array(level))
    assert symbols.tolist() == (["X", "b", "Y", "Z"] if level[0] else ["a", "X", "Y", "Z"])


@given(st.lists(st.tuples(st.sampled_from("XYZ"), st.floats(0, 5)), min_size=1, max_size=12))
def test_each_symbol_stays_with_its_most_expressed_column(genes):
    symbols, level = np.array([g[0] for g in genes]), np.array([g[1] for g in genes])
    names = pd.Index([f"id{i}" for i in range(len(genes))])
    result = _genes.one_each(symbols, names, level)
    assert len(set(result.tolist())) == len(genes)
    for symbol in set(symbols.tolist()):
        (column,) = np.flatnonzero(result == symbol)
        assert level[column] == level[symbols == symbol].max()
