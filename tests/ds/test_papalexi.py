import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scpertbias import ds


@pytest.fixture(scope="module")
def screen():
    return ds.papalexi_2021()


def test_is_the_screen_that_was_published(screen):
    assert screen.shape == (20729, 303)
    cells = screen.obs["perturbation"].value_counts()
    assert len(cells) == 26
    assert cells["non-targeting"] == 2386
    assert cells["IFNGR1"] == 1341
    assert list(screen.obs.columns) == [
        "perturbation", "guide", "guide_umi", "guide_fraction", "bio_rep", "n_umis", "n_genes", "p_mito",
    ]  # fmt: skip
    assert screen.obs_names.is_unique
    assert screen.var_names.is_unique
    assert screen.obs["bio_rep"].nunique() == 3


def test_values_are_normalized_by_the_whole_transcriptome(screen):
    counts = screen.layers["counts"]
    for matrix in (screen.X, counts):
        assert sparse.issparse(matrix)
        assert matrix.format == "csr"
        assert matrix.dtype == np.float32
    assert (counts.data == np.round(counts.data)).all()
    some = slice(100, 140)
    expected = np.log1p(1e4 * counts[some].toarray() / screen.obs["n_umis"].to_numpy()[some, None])
    np.testing.assert_allclose(screen.X[some].toarray(), expected, rtol=1e-5)
    share = counts.sum() / screen.obs["n_umis"].sum()
    assert 0.025 < share < 0.04


def test_losing_the_receptor_of_interferon_lowers_its_targets(screen):
    control = screen.X[(screen.obs["perturbation"] == "non-targeting").to_numpy()].mean(axis=0)
    knockout = screen.X[(screen.obs["perturbation"] == "IFNGR1").to_numpy()].mean(axis=0)
    effect = pd.Series(np.asarray(knockout - control).ravel(), index=screen.var_names)
    assert (effect[["PSMB9", "STAT1", "UBE2L6", "JAK2"]] < -0.05).all()
    assert set(effect.nsmallest(5).index) & {"PSMB9", "STAT1", "UBE2L6"}


def test_each_call_returns_an_object_of_its_own(screen):
    other = ds.papalexi_2021()
    other.X.data[:] = 0
    other.obs["perturbation"] = "x"
    again = ds.papalexi_2021()
    np.testing.assert_array_equal(again.X.data, screen.X.data)
    assert again.obs["perturbation"].nunique() == 26
    # The two matrices of one screen share no memory either.
    assert other.layers["counts"].data.min() > 0
