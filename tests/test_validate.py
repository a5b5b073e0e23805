"""Each check says what was found and what to do, and changes nothing."""

import re

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from anndata import AnnData, read_h5ad

from scpertbias import _compat, _validate


@pytest.fixture
def adata():
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "gene": pd.Categorical(["STAT1", "non-targeting", "JAK2", "STAT1"] * 10),
            "guide": ["STAT1_g1", "NT_1", "JAK2_g1", "STAT1_g2"] * 10,
            "batch": ["b1", "b2"] * 20,
            "donor": pd.Categorical(["x", "x", "y", "y"] * 10),
            "depth": rng.normal(size=40),
            "good": [True, False] * 20,
        },
        index=[f"cell{i}" for i in range(40)],
    )
    return AnnData(rng.gamma(1.0, size=(40, 3)), obs=obs, var=pd.DataFrame(index=["A", "B", "C"]))


# --- the object ---


def test_cells_pass(adata):
    assert _validate.cells_or_profiles(adata) is None


def test_mudata_is_refused(adata):
    with pytest.raises(TypeError, match=r"`adata` is a MuData; pass one of its modalities, such as mdata\['no_mt'\]"):
        _validate.cells_or_profiles(_compat.mudata({"no_mt": adata}))


@pytest.mark.parametrize("thing", [pd.DataFrame(), np.eye(2), None, "screen.h5ad"])
def test_other_things_are_refused(thing):
    with pytest.raises(TypeError, match=rf"`adata` is a {type(thing).__name__}; an AnnData is expected"):
        _validate.cells_or_profiles(thing)


def test_backed_is_refused(adata, tmp_path):
    adata.write_h5ad(tmp_path / "x.h5ad")
    backed = read_h5ad(tmp_path / "x.h5ad", backed="r")
    with pytest.raises(ValueError, match=r"not in memory.*profiles.*adata.to_memory\(\)"):
        _validate.cells_or_profiles(backed)
    backed.file.close()


def test_repeated_genes_are_refused(adata):
    adata.var.index = ["A", "B", "A"]
    with pytest.raises(
        ValueError, match=r"Gene names repeat \(for example, \['A'\]\). Call adata.var_names_make_unique"
    ):
        _validate.cells_or_profiles(adata)


# --- columns ---


def test_column(adata):
    assert _validate.column(adata, "batch", argument="groupby") is not None


def test_missing_groupby_names_the_columns_with_a_control(adata):
    message = "`groupby`: obs has no column 'perturbation'. Columns with a control-like label: ['gene', 'guide']."
    with pytest.raises(KeyError, match=re.escape(message)):
        _validate.column(adata, "perturbation", argument="groupby")


def test_missing_groupby_without_any_control_names_all(adata):
    del adata.obs["gene"], adata.obs["guide"]
    with pytest.raises(KeyError, match=r"Its columns are \['batch', 'donor', 'depth', 'good'\]"):
        _validate.column(adata, "perturbation", argument="groupby")


def test_other_missing_columns_name_their_argument(adata):
    with pytest.raises(KeyError, match=r"`guide_key`: obs has no column 'g'. Its columns are \['gene'"):
        _validate.column(adata, "g", argument="guide_key")


def test_numeric_columns(adata):
    adata.obs["n"] = pd.array([1] * 40, dtype="Int64")
    adata.obs["f"] = np.arange(40, dtype=np.float32)
    found = _validate.numeric_columns(adata, ["n", "f"], argument="covariates")
    np.testing.assert_array_equal(found, np.column_stack([np.ones(40), np.arange(40)]))
    assert found.dtype == np.float64


def test_missing_percentages_name_the_scanpy_call(adata):
    message = r"`covariates`: obs has no column 'pct_counts_mt'.*raw counts.*calculate_qc_metrics\(adata, qc_vars=\['mt', 'ribo'\]"
    with pytest.raises(KeyError, match=message):
        _validate.numeric_columns(adata, ["pct_counts_mt", "pct_counts_ribo"], argument="covariates")


def test_the_scanpy_call_makes_them(adata):
    adata.layers["counts"] = np.ones(adata.shape)
    adata.var["mt"] = [True, False, False]
    with pytest.raises(KeyError) as error:
        _validate.numeric_columns(adata, ["pct_counts_mt"], argument="covariates")
    call = re.search(r"sc\.pp\.calculate_qc_metrics\(.*?\)", str(error.value)).group()
    eval(call, {"sc": sc, "adata": adata})
    assert _validate.numeric_columns(adata, ["pct_counts_mt"], argument="covariates").shape == (40, 1)


def test_other_missing_covariates(adata):
    with pytest.raises(KeyError, match=r"obs has no column 'phase'. Its columns are \["):
        _validate.numeric_columns(adata, ["phase"], argument="covariates")


@pytest.mark.parametrize("key", ["batch", "donor", "good"])
def test_columns_that_are_no_numbers(adata, key):
    with pytest.raises(TypeError, match=rf"obs\['{key}'\] is \w+; a numeric column is needed"):
        _validate.numeric_columns(adata, [key], argument="covariates")


@pytest.mark.parametrize("bad", [np.nan, np.inf, pd.NA])
def test_columns_with_gaps(adata, bad):
    values = pd.array(adata.obs["depth"].tolist(), dtype="Float64")
    values[[3, 7]] = bad
    adata.obs["depth"] = values
    with pytest.raises(ValueError, match=r"obs\['depth'\] is missing or infinite in 2 cells"):
        _validate.numeric_columns(adata, ["depth"], argument="covariates")


# --- batches, splits ---


@pytest.mark.parametrize("none", [None, [], ()])
def test_no_batches(adata, none):
    codes, names = _validate.batch_codes(adata, none)
    assert names == ["all"]
    assert not codes.any()


@pytest.mark.parametrize("batch_key", ["batch", ["batch"]])
def test_one_column_of_batches(adata, batch_key):
    codes, names = _validate.batch_codes(adata, batch_key)
    assert names == ["b1", "b2"]
    assert codes.tolist() == [0, 1] * 20


def test_batches_of_two_columns_with_gaps(adata):
    adata.obs["donor"] = adata.obs["donor"].where(np.arange(40) > 1)
    codes, names = _validate.batch_codes(adata, ["batch", "donor"])
    assert names == ["b1 · x", "b1 · y", "b2 · x", "b2 · y"]
    assert codes[:6].tolist() == [-1, -1, 1, 3, 0, 2]


def test_a_gap_is_no_batch(adata):
    adata.obs["batch"] = ["b1", None] * 20
    codes, names = _validate.batch_codes(adata, "batch")
    assert names == ["b1"]
    assert codes.tolist() == [0, -1] * 20


def test_numbers_as_batches(adata):
    adata.obs["lane"] = [1, 2] * 20
    assert _validate.batch_codes(adata, "lane")[1] == ["1", "2"]


def test_missing_batches(adata):
    with pytest.raises(KeyError, match=r"`batch_key`: obs has no column 'lane'"):
        _validate.batch_codes(adata, ["batch", "lane"])


def test_split_codes(adata):
    adata.obs["split"] = pd.Categorical(["train", "val", "test", None] * 10)
    adata.obs["text"] = ["test", "", "val", "train"] * 10
    assert _validate.split_codes(adata, "split")[:4].tolist() == [0, 1, 2, -1]
    assert _validate.split_codes(adata, "text")[:4].tolist() == [2, -1, 1, 0]


def test_unknown_splits(adata):
    adata.obs["split"] = "validation"
    with pytest.raises(
        ValueError, match=r"obs\['split'\] contains \['validation'\]; allowed are \['train', 'val', 'test'\]"
    ):
        _validate.split_codes(adata, "split")


# --- genes ---


def test_symbols_are_the_names_of_the_genes(adata):
    found, key = _validate.gene_symbols(adata, None)
    assert found.tolist() == ["A", "B", "C"]
    assert key is None


@pytest.mark.parametrize("column", _validate.SYMBOL_COLUMNS)
def test_symbols_of_ensembl_ids_are_found(adata, column):
    adata.var.index = ["ENSG01", "ENSG02", "ENSMUSG03"]
    assert _validate.gene_symbols(adata, None)[0].tolist() == adata.var_names.tolist()
    adata.var[column] = pd.Categorical(["A", None, ""], categories=["A", ""])
    found, key = _validate.gene_symbols(adata, None)
    assert found.tolist() == ["A", "ENSG02", "ENSMUSG03"]
    assert key == column


def test_missing_symbols(adata):
    with pytest.raises(KeyError, match=r"`gene_symbols`: var has no column 'symbol'; its columns are \[\]"):
        _validate.gene_symbols(adata, "symbol")


# --- the rest ---


def test_memory(adata):
    sc.settings.max_memory = 1
    _validate.memory(adata)
    sc.settings.max_memory = 1e-9
    with pytest.raises(ValueError, match=r"40 cells × 3 genes need 0.0 GB.*max_memory = 1e-09 GB.*spb.pp.profiles"):
        _validate.memory(adata)


def test_choice():
    _validate.choice("a", ("a", "b"), argument="axis")
    with pytest.raises(ValueError, match=r"`axis` is 'c'; it must be one of \['a', 'b'\]"):
        _validate.choice("c", ("a", "b"), argument="axis")
