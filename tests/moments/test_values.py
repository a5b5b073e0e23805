"""Which columns of the cells are read, on which scale they are, and what counts are divided by."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scpertbias import _moments

FORMS = {"dense": np.asarray, "csr": sparse.csr_matrix, "csc": sparse.csc_array}


def make(n_genes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(["ctrl", "A", "B"], [60, 30, 25])
    obs = pd.DataFrame({"perturbation": labels}, index=[f"cell{i}" for i in range(len(labels))])
    var = pd.DataFrame(index=[f"G{i}" for i in range(n_genes)])
    return ad.AnnData(rng.gamma(1.0, size=(len(labels), n_genes)), obs=obs, var=var)


def frozen(adata):
    return (adata.obs.to_csv(), adata.var.to_csv(), np.asarray(adata.X).tobytes(), repr(adata.uns), list(adata.layers))


KINDS = pd.Categorical(["Gene Expression", "CRISPR Guide Capture", "Gene Expression", "Antibody Capture"])


@pytest.mark.parametrize("form", ["dense", "csr", "csc"])
@pytest.mark.parametrize("normalize", [False, True])
def test_columns_that_are_not_genes_are_left_out_and_so_are_their_counts(form, normalize):
    adata = make()
    adata.X = np.random.default_rng(0).poisson(5.0, adata.shape) if normalize else adata.X / 4
    plain = _moments.of(adata[:, [0, 2]].copy(), normalize=normalize)
    adata.X[:, [1, 3]] *= 1000
    adata.X = FORMS[form](adata.X)
    adata.var["feature_types"] = KINDS
    before = frozen(adata) if form == "dense" else None
    screen = _moments.of(adata, normalize=normalize)
    assert screen.genes.tolist() == screen.symbols.tolist() == ["G0", "G2"]
    np.testing.assert_allclose(screen.moments.mean, plain.moments.mean, rtol=1e-12)
    np.testing.assert_allclose(screen.moments.control_var, plain.moments.control_var, rtol=1e-12)
    assert sorted(screen.record["left_out_feature"]) == ["Antibody Capture", "CRISPR Guide Capture"]
    assert screen.record["left_out_feature_n"].tolist() == [1, 1]
    assert form != "dense" or frozen(adata) == before


def test_they_are_left_out_of_files_too(tmp_path):
    adata = make()
    adata.X = sparse.csr_matrix(adata.X / 4)
    adata.var["feature_types"] = KINDS
    expected = _moments.of(adata)
    for name, x in {"csr": adata.X, "csc": adata.X.tocsc(), "dense": adata.X.toarray()}.items():
        ad.AnnData(x, obs=adata.obs, var=adata.var).write_h5ad(tmp_path / f"{name}.h5ad")
        backed = ad.read_h5ad(tmp_path / f"{name}.h5ad", backed="r")
        screen = _moments.of(backed, chunk_memory=1e-6)
        np.testing.assert_allclose(screen.moments.mean, expected.moments.mean, rtol=1e-12)
        backed.file.close()


def test_size_factors_that_are_no_totals():
    adata = make()
    adata.X = np.random.default_rng(0).poisson(50.0, adata.shape).astype(float)
    total = adata.X.sum(axis=1)
    adata.obs["scran"], adata.obs["total"] = total / total.mean(), total * 30
    expected = _moments.of(adata, normalize=True, size_factors="total").moments.mean
    message = r"obs\[.scran.\] \(median .* is far below the total counts .*pass target_sum=1"
    with pytest.raises(ValueError, match=message):
        _moments.of(adata, normalize=True, size_factors="scran")
    # Both ways that the message states are taken.
    unit = _moments.of(adata, normalize=True, size_factors="scran", target_sum=1).moments.mean
    adata.obs["scran"] *= total.mean()
    same = _moments.of(adata, normalize=True, size_factors="scran").moments.mean
    own = _moments.of(adata, normalize=True).moments.mean
    np.testing.assert_allclose(same, own)
    assert not np.allclose(own, expected)
    assert np.corrcoef(unit.ravel(), own.ravel())[0, 1] > 0.9
    adata.obs["n_genes"] = (adata.X > 0).sum(axis=1)
    with pytest.raises(ValueError, match=r"obs\['n_genes'\] .* are not totals"):
        _moments.of(adata, normalize=True, size_factors="n_genes")


def test_the_base_of_the_logarithms():
    adata = make(n_genes=40)
    counts = np.random.default_rng(0).poisson(4.0, adata.shape)
    normalized = counts / counts.sum(axis=1, keepdims=True) * 1e3
    for base, values in {np.e: np.log1p(normalized), 2.0: np.log2(1 + normalized)}.items():
        adata.X = values
        assert _moments.of(adata).record["log_base"] == pytest.approx(base)
    adata.X = np.random.default_rng(0).gamma(1.0, size=adata.shape)
    assert _moments.of(adata).record["log_base"] == pytest.approx(np.e)
    adata.uns["log1p"] = {"base": 2}
    assert _moments.of(adata).record["log_base"] == 2
