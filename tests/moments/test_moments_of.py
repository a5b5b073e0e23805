"""One door to the moments, of cells or of profiles."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from scpertbias import _moments
from scpertbias._moments import profiles as stored_profiles


@pytest.fixture
def adata():
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(["ctrl", "A", "B+A"], [60, 40, 30]))
    obs = pd.DataFrame({"perturbation": labels, "x": rng.normal(size=130)}, index=[f"c{i}" for i in range(130)])
    var = pd.DataFrame({"gene_name": ["A", "B", "C"]}, index=["ENSG1", "ENSG2", "ENSG3"])
    return AnnData(sparse.csr_matrix(rng.gamma(1.0, size=(130, 3)).astype(np.float32)), obs=obs, var=var)


def test_cells_and_profiles_give_the_same(adata):
    cells = _moments.of(adata, covariates=["x"])
    profiles = _moments.of(stored_profiles.write(cells, adata.var))
    assert profiles.names == cells.names == ("ctrl", "A", "A+B")
    assert profiles.targets == cells.targets
    for name in ("n", "mean", "var", "half", "n_half", "blocks", "n_blocks"):
        np.testing.assert_array_equal(getattr(profiles.moments, name), getattr(cells.moments, name), err_msg=name)


def test_other_things_are_refused():
    with pytest.raises(TypeError, match="AnnData is expected"):
        _moments.of(pd.DataFrame())


@pytest.mark.parametrize("kind", ["dense", "csr", "csc", "profiles"])
def test_control_mean(adata, kind):
    expected = adata.X.toarray()[(adata.obs["perturbation"] == "ctrl").to_numpy()].astype(np.float64).mean(axis=0)
    if kind == "profiles":
        adata = stored_profiles.write(_moments.of(adata), adata.var)
    elif kind != "csr":
        adata.X = adata.X.toarray() if kind == "dense" else sparse.csc_matrix(adata.X)
    data = {"groupby": "perturbation", "reference": None, "combination_sep": None, "label_map": None}
    mean, targets, symbols = _moments.control_mean(adata, {**data, "split_key": "split", "gene_symbols": None}, None)
    np.testing.assert_allclose(mean, expected, rtol=1e-12)
    assert targets == ((), ("A",), ("A", "B"))
    assert symbols.tolist() == ["A", "B", "C"]
