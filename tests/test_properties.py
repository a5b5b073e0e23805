"""Invariances that hold for any screen: random screens from hypothesis, the same in every run.

`pytest tests/test_properties.py -n 0 --hypothesis-show-statistics` reports the number of examples of each;
`--hypothesis-profile=search` looks at many more, and at others every time.
"""

import tempfile
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

import scpertbias as spb
from scpertbias import _moments
from scpertbias._core import attribution, mismatch
from scpertbias._core import target_response as target_response

DATA = {"min_cells": 2}
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@st.composite
def screens(draw, *, min_genes: int = 2, min_perturbations: int = 2, ties: bool = True) -> ad.AnnData:
    """Log-normalized cells of any shape, sparsity, offset and layout, with batches and a split.

    Without ``ties`` no two genes have the same effect: which of equal ones is on top depends on their order.
    """
    n_genes = draw(st.integers(min_genes, 14))
    n_perturbations = draw(st.integers(min_perturbations, 6))
    sizes = draw(st.lists(st.integers(2, 9), min_size=n_perturbations, max_size=n_perturbations))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    genes = [f"G{i:02d}" for i in range(n_genes)]
    targets = [*genes[: max(2, n_perturbations // 2)], *(f"T{i}" for i in range(n_perturbations))][:n_perturbations]
    labels = np.repeat(["control", *targets], [draw(st.integers(24, 44)), *sizes])
    x = np.log1p(rng.gamma(2.0, size=(len(labels), n_genes)) * np.exp(rng.normal(0, 2, n_genes)))
    x[rng.random(x.shape) < draw(st.sampled_from([0.0, 0.5, 0.95] if ties else [0.0]))] = 0
    x += draw(st.sampled_from([0.0, 0.0, 3.3] if ties else [0.0]))
    x = x.astype(draw(st.sampled_from([np.float32, np.float64])))
    x[0, 0] += 0.125  # never whole numbers only, which would be counts
    part = dict(zip(sorted(targets), rng.permutation(["train", "train", "val", "test", "train", "test"]), strict=False))
    part[targets[0]] = part[targets[1]] = "train"
    obs = pd.DataFrame(
        {
            "perturbation": labels,
            "run": np.where(np.arange(len(labels)) % 2, "a", "b"),
            "guide": [f"{label}_{i % 3}" for i, label in enumerate(labels)],
            "stress": rng.normal(size=len(labels)),
            "split": [part.get(label, "train") for label in labels],
        },
        index=[f"cell{i}" for i in range(len(labels))],
    )
    order = rng.permutation(len(labels))
    make = {"dense": np.array, "csr": sparse.csr_matrix, "csc": sparse.csc_matrix}[
        draw(st.sampled_from(["dense", "csr", "csc"]))
    ]
    return ad.AnnData(make(x[order]), obs=obs.iloc[order], var=pd.DataFrame(index=genes))


ways = st.fixed_dictionaries(
    {
        "batch_key": st.sampled_from([None, "run"]),
        "guide_key": st.sampled_from([None, "guide"]),
        "rng": st.integers(0, 9),
    }
)


def profiles(adata: ad.AnnData, **given) -> dict[str, pd.DataFrame | np.ndarray]:
    """Profiles in a fixed order of rows, as everything that they hold."""
    made = spb.pp.profiles(adata, covariates=["stress"], **DATA, **given)
    made = made[made.obs_names.sort_values()]
    held = {name: made.to_df(name) for name in [None, *made.layers]}
    held |= {f"blocks_{i}": b for i, b in enumerate(made.varm["control_blocks"].T)}
    return held | {"obs": made.obs[["perturbation", "split", "n_cells", "used"]], "stress": made.obsm["covariates"]}


def assert_same(one: dict, two: dict, genes: np.ndarray | None = None) -> None:
    assert one.keys() == two.keys()
    for name, value in one.items():
        other = two[name]
        if name == "obs":
            pd.testing.assert_frame_equal(value, other, check_categorical=False)
            continue
        value, other = np.asarray(value, dtype=float), np.asarray(other, dtype=float)
        if genes is not None and name != "stress":
            value = value[..., genes]
        scale = max(1.0, float(np.nanmax(np.abs(value), initial=0)))
        np.testing.assert_allclose(other, value, rtol=1e-7, atol=1e-10 * scale**2, err_msg=str(name))


def net_of(adata: ad.AnnData) -> pd.DataFrame:
    names = [*adata.var_names[:4], *sorted(set(adata.obs["perturbation"]) - {"control"})]
    return pd.DataFrame({"source": names[:-1], "target": names[1:], "weight": 0.5}).query("source != target")


# --- permutations ---


@given(adata=screens(), way=ways, seed=st.integers(0, 99))
def test_cells_in_another_order(adata, way, seed):
    mixed = adata[np.random.default_rng(seed).permutation(adata.n_obs)].copy()
    assert_same(profiles(adata, **way), profiles(mixed, **way))


@given(adata=screens(min_genes=6, min_perturbations=3), way=ways, seed=st.integers(0, 99))
def test_genes_in_another_order(adata, way, seed):
    genes = np.random.default_rng(seed).permutation(adata.n_vars)
    mixed = adata[:, genes].copy()
    assert_same(profiles(adata, **way), profiles(mixed, **way), genes)
    net = net_of(adata)
    for fit, key, given_ in (
        (spb.tl.fit_ridge, "ridge", {}),
        (spb.tl.fit_grn_linear, "grn_linear", {"net": net}),
        (spb.tl.fit_two_stage, "two_stage", {"net": net, "axis": "both", "n_components": 2}),
    ):
        fit(adata, **given_, **DATA)
        fit(mixed, **given_, **DATA)
        predictions = spb.get.predictions(adata, key).iloc[:, genes]
        scale = float(predictions.abs().max().max())
        pd.testing.assert_frame_equal(
            spb.get.predictions(mixed, key), predictions, rtol=1e-4, atol=1e-6 * scale, check_exact=False
        )


@given(adata=screens(min_genes=6, min_perturbations=3, ties=False), seed=st.integers(0, 99))
@settings(max_examples=10)  # a second each: every bundled set is looked at
def test_questions_about_the_data_with_genes_in_another_order(adata, seed):
    mixed = adata[:, np.random.default_rng(seed).permutation(adata.n_vars)].copy()
    sets = pd.DataFrame({"source": "some", "target": adata.var_names[:3]})
    for data in (adata, mixed):
        spb.tl.recurrence(data, k=2, **DATA)
        spb.tl.confounding(data, sets, n_random=0, **DATA)
    by = ["model", "by", "gene"]
    one, two = (spb.get.recurrence(d).set_index(by)[["count", "p"]].sort_index() for d in (adata, mixed))
    pd.testing.assert_frame_equal(one, two, rtol=1e-6)
    columns = ["axis", "share", "shapley", "on_systematic"]
    one, two = (spb.get.confounding(d).query("level == 'screen'")[columns] for d in (adata, mixed))
    pd.testing.assert_frame_equal(
        one[~one["axis"].str.startswith("leading")].reset_index(drop=True),
        two[~two["axis"].str.startswith("leading")].reset_index(drop=True),
        rtol=1e-4,
        atol=1e-6,
    )


@given(adata=screens(), way=ways, seed=st.integers(0, 99))
def test_perturbations_with_other_names(adata, way, seed):
    targets = sorted(set(adata.obs["perturbation"]) - {"control"})
    other = np.random.default_rng(seed).permutation([f"X{i}" for i in range(len(targets))])
    names = dict(zip(targets, map(str, other), strict=True))
    renamed = adata.copy()
    renamed.obs["perturbation"] = [names.get(label, label) for label in renamed.obs["perturbation"]]
    one, two = (spb.pp.profiles(d, **DATA, **way) for d in (adata, renamed))
    rows = [names.get(name, name) for name in one.obs["perturbation"].astype(str)]
    place = {(p, s): i for i, (p, s) in enumerate(zip(two.obs["perturbation"], two.obs["split"], strict=True))}
    order = [place[p, s] for p, s in zip(rows, one.obs["split"], strict=True)]
    for layer in [None, "half_1", "half_2", "var"]:
        np.testing.assert_allclose(two.to_df(layer).to_numpy()[order], one.to_df(layer).to_numpy(), **CLOSE)
    for data in (adata, renamed):
        spb.tl.fit_ridge(data, **DATA)
    predicted = spb.get.predictions(adata, "ridge").rename(index=names)
    pd.testing.assert_frame_equal(spb.get.predictions(renamed, "ridge").loc[predicted.index], predicted, rtol=1e-6)


# --- representation ---


@given(adata=screens(), way=ways)
def test_csr_csc_and_dense(adata, way):
    x = adata.X.toarray() if sparse.issparse(adata.X) else adata.X
    made = []
    for form in (np.array, sparse.csr_array, sparse.csc_array):
        adata.X = form(x)
        made.append(profiles(adata, **way))
    assert_same(made[0], made[1])
    assert_same(made[0], made[2])


@pytest.mark.needs("dask")
@given(adata=screens(), way=ways, rows=st.integers(1, 50))
@settings(max_examples=15)
def test_backed_dask_and_in_chunks(adata, way, rows):
    """In memory, from a file in chunks of a few cells, and as a dask array of blocks of ``rows`` cells."""
    import dask.array

    whole = profiles(adata, **way)
    few = 8 * adata.n_vars * rows / 1e9
    lazy = adata.copy()
    x = adata.X.tocsr() if sparse.issparse(adata.X) else adata.X
    lazy.X = dask.array.from_array(x, chunks=(rows, adata.n_vars), asarray=False)
    assert_same(whole, profiles(lazy, chunk_memory=few, **way))
    with tempfile.TemporaryDirectory() as folder:
        adata.write_h5ad(Path(folder) / "x.h5ad")
        backed = ad.read_h5ad(Path(folder) / "x.h5ad", backed="r")
        assert_same(whole, profiles(backed, chunk_memory=few, **way))
        backed.file.close()


@given(adata=screens(), n_parts=st.integers(2, 3), seed=st.integers(0, 99))
def test_cells_in_parts(adata, n_parts, seed):
    """What is gathered of parts of each perturbation, summed, is what is gathered of the whole."""
    whole = adata.copy()
    del whole.obs["split"]
    part = np.random.default_rng(seed).integers(n_parts, size=adata.n_obs)
    whole.obs["part"] = np.array(["train", "val", "test"])[part]
    one, two = _moments.of(whole, **DATA).merged, _moments.of(whole, split_key="part", **DATA).merged
    scale = float(np.abs(one.moments.mean).max())
    np.testing.assert_array_equal(one.moments.n, two.moments.n)
    np.testing.assert_allclose(one.moments.mean, two.moments.mean, **CLOSE)
    np.testing.assert_allclose(one.moments.var, two.moments.var, rtol=1e-7, atol=1e-10 * scale**2)
    np.testing.assert_allclose(one.moments.control, two.moments.control, **CLOSE)


# --- what must make no difference ---


@given(adata=screens(), value=st.sampled_from([0.0, 1.0, 7.5]), coding=st.sampled_from(["one_hot", "reference"]))
def test_a_constant_gene_changes_no_other_gene_of_ridge(adata, value, coding):
    x = adata.X.toarray() if sparse.issparse(adata.X) else np.asarray(adata.X)
    more = ad.AnnData(
        np.column_stack([x, np.full(len(x), value, dtype=x.dtype)]),
        obs=adata.obs,
        var=pd.DataFrame(index=[*adata.var_names, "constant"]),
    )
    for data in (adata, more):
        spb.tl.fit_ridge(data, coding=coding, **DATA)
    for read in (spb.get.predictions, lambda d, k: spb.get.attributions(d, k).T):
        one, two = read(adata, "ridge"), read(more, "ridge")
        pd.testing.assert_frame_equal(two[adata.var_names], one, rtol=1e-6)
    np.testing.assert_allclose(spb.get.predictions(more, "ridge")["constant"], value, rtol=1e-6)


@given(adata=screens(), way=ways)
def test_every_cell_twice(adata, way):
    """No mean changes, and a ridge with twice the penalty is the same."""
    again = adata.copy()
    again.obs_names = again.obs_names + "_again"
    twice = ad.concat([adata, again])
    one, two = (spb.pp.profiles(d, **DATA, **way) for d in (adata, twice))
    np.testing.assert_allclose(two.X, one.X, **CLOSE)
    np.testing.assert_array_equal(two.obs["n_cells"], 2 * one.obs["n_cells"])
    spb.tl.fit_ridge(one, alpha=0.1)
    spb.tl.fit_ridge(two, alpha=0.2)
    pd.testing.assert_frame_equal(spb.get.predictions(two, "ridge"), spb.get.predictions(one, "ridge"), rtol=1e-8)


# --- p-values under the null ---

N_NULL = 1500
"""Null experiments for each p-value."""


def assert_super_uniform(p: list[float]) -> None:
    """No more p-values at or under a threshold than the 99.9 % quantile of as many coin throws with that chance."""
    values = np.array(p)
    values = values[~np.isnan(values)]
    assert len(values) >= N_NULL
    for level in (0.01, 0.05, 0.1, 0.25, 0.5, 0.9):
        found = np.count_nonzero(values <= level + 1e-12)
        assert found <= stats.binom.ppf(0.999, len(values), level), (level, found / len(values))
    # and the test can see: p-values that are a third too small are too many
    assert np.count_nonzero(values / 1.5 <= 0.5) > stats.binom.ppf(0.999, len(values), 0.5)


def test_p_of_specific_gain():
    rng = np.random.default_rng(2)
    p = []
    for i in range(N_NULL):
        matrix = rng.normal(size=(12, 12)) + rng.normal(size=(12, 1)) + rng.normal(size=12)
        pool = np.repeat([0, 1, 2], [6, 5, 1])
        permuted = mismatch.permutations(pool, 99, rng)
        p.append(mismatch.mismatch(matrix, pool, permuted, error=bool(i % 2)).p)
    assert_super_uniform(p)


def test_p_of_shifts():
    rng = np.random.default_rng(3)
    p = []
    for _ in range(N_NULL):
        ranks = rng.random((14, 30)) ** rng.uniform(0.3, 3, 30)  # some genes are high in every perturbation
        rows, columns = rng.permutation(14), rng.choice(30, 14, replace=False)
        found = target_response.scan(ranks, rows, columns, max_shift=2, n_perm=99, rng=rng)
        p.append(float(found.p[0].min()))  # of the best shift: the others are compared with the same maximum
    assert_super_uniform(p)


@pytest.mark.parametrize("which", ["mean_p", "mean_p_specific"])
def test_p_of_agreement(which):
    rng = np.random.default_rng(4)
    p = []
    bins = np.repeat(np.arange(4), 10)
    for _ in range(N_NULL):
        # what all perturbations of a model share agrees with nothing: neither with genes nor with perturbations
        a, b = (
            attribution.rank_attributions(np.abs(rng.normal(size=(8, 40)) + rng.normal(size=40)), 5) for _ in range(2)
        )
        permutations = attribution.gene_permutations(bins, 99, rng)
        found = attribution.agreement(a, b, k=5, permutations=permutations, keys=rng.random((99, 8)))
        p.append(getattr(found, which))
    assert_super_uniform(p)
