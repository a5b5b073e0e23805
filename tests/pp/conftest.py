"""A small screen with everything that pp meets."""

from collections.abc import Callable, Sequence

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

TARGETS = ("JAK2", "MYC", "SPI1", "STAT1", "STAT2", "STAT3")
GENES = ("MT-CO1", "MT-ND1", "RPL3", "RPS6", "RPS6KA1", "JAK2", "MYC", "STAT1", *(f"GENE{i}" for i in range(12)))


def build(
    *,
    targets: Sequence[str] = TARGETS,
    n_cells: int = 40,
    n_control: int = 90,
    genes: Sequence[str] = GENES,
    kind: str = "csr",
    seed: int = 0,
) -> ad.AnnData:
    """Log-normalized cells: effects, a confounding covariate, two runs that differ; counts in a layer."""
    rng = np.random.default_rng(seed)
    label = np.repeat(["control", *targets], [n_control, *[n_cells] * len(targets)])
    n = len(label)
    run = rng.integers(2, size=n)
    stress, depth = rng.normal(size=n), rng.normal(5, 2, size=n)
    shift = {name: rng.normal(scale=0.4, size=len(genes)) for name in targets}
    log_mean = np.log(rng.uniform(0.5, 4.0, size=len(genes)))
    log_mean = log_mean + np.array([shift.get(name, np.zeros(len(genes))) for name in label])
    log_mean += np.outer(stress, rng.normal(scale=0.3, size=len(genes)))
    log_mean += np.outer(depth, rng.normal(scale=0.05, size=len(genes)))
    log_mean += np.outer(run, rng.normal(scale=0.5, size=len(genes)))
    counts = rng.poisson(np.exp(log_mean)).astype(np.float32)
    values = np.log1p(counts * rng.uniform(0.8, 1.2, size=(n, 1))).astype(np.float32)
    order = rng.permutation(n)
    obs = pd.DataFrame(
        {"perturbation": pd.Categorical(label), "run": np.array(["a", "b"])[run], "stress": stress, "depth": depth},
        index=[f"cell{i}" for i in range(n)],
    ).iloc[order]
    make = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": np.array}[kind]
    adata = ad.AnnData(X=make(values[order]), obs=obs, var=pd.DataFrame(index=list(genes)))
    adata.layers["counts"] = make(counts[order])
    return adata


def array(x) -> np.ndarray:
    """Dense float64."""
    return np.asarray(x.toarray() if sparse.issparse(x) else x, dtype=np.float64)


@pytest.fixture
def make_cells() -> Callable[..., ad.AnnData]:
    return build


@pytest.fixture
def cells() -> ad.AnnData:
    return build()


@pytest.fixture
def dense() -> Callable[..., np.ndarray]:
    return array


@pytest.fixture
def same_profiles() -> Callable[..., None]:
    """Check that what was made of profiles equals the profiles made of the cells' layer."""

    def check(
        profiles: ad.AnnData, key: str, expected: ad.AnnData, *, variance: bool = True, atol: float = 2e-6
    ) -> None:
        assert profiles.obs_names.tolist() == expected.obs_names.tolist()
        np.testing.assert_allclose(profiles.layers[key], expected.X, atol=atol)
        for half in ("half_1", "half_2"):
            np.testing.assert_allclose(profiles.layers[f"{key}_{half}"], expected.layers[half], atol=atol)
        np.testing.assert_allclose(profiles.varm[f"{key}_control_blocks"], expected.varm["control_blocks"], atol=atol)
        if variance:
            np.testing.assert_allclose(profiles.layers[f"{key}_var"], expected.layers["var"], atol=10 * atol)

    return check
