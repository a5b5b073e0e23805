"""A signal that is only in test cells is found by nothing that is fitted: no model, net, scale, slope or choice of genes.

Test cells get other values altogether. What is fitted, and what is predicted of every perturbation, must be the same to
the last bit; where the same cells are training cells it must not be.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scpertbias as spb
from scpertbias.tl._audit import prepare as preparation

DEEP = {
    "gears": {"epochs": 1, "hidden_size": 4, "batch_size": 32, "device": "cpu"},
    "scgpt": {"epochs": 1, "d_model": 8, "n_layers": 1, "n_heads": 2, "n_control_cells": 20, "device": "cpu"},
}


def build(*, planted: bool, held_out: bool = True, unit: str = "perturbation"):
    """Cells with covariates and batches; ``planted`` changes the cells of the test perturbations, or the test cells."""
    adata = spb.ds.simulate(900, 40, 8, n_batches=2, batch_strength=0.2, rng=7, keep_counts=False)
    names = sorted(set(adata.obs["perturbation"]) - {"non-targeting"})
    others = [g for g in adata.var_names if not g.startswith(("MT-", "RP")) and g not in names]
    unmeasured = [name for name in names if name not in adata.var_names]
    adata.var_names = [dict(zip(others, unmeasured, strict=False)).get(g, g) for g in adata.var_names]
    if unit == "cell":
        spb.pp.split(adata, unit="cell", fractions=(0.6, 0.2, 0.2))
        cells = (adata.obs["split"] == "test").to_numpy()
    else:
        if held_out:
            spb.pp.split(adata, test=names[:2], val=names[2:3])
        cells = adata.obs["perturbation"].isin(names[:2]).to_numpy()
    adata.obs["stress"] = np.random.default_rng(0).normal(size=adata.n_obs)
    if planted:
        rng = np.random.default_rng(1)
        x = adata.X.toarray() if sparse.issparse(adata.X) else np.array(adata.X)
        x[cells] = x[cells][:, rng.permutation(adata.n_vars)] + rng.gamma(2.0, 0.5, size=(cells.sum(), adata.n_vars))
        x[cells] += 0.3 * adata.obs["stress"].to_numpy()[cells, None] ** 2  # a covariate that explains them
        adata.X = sparse.csr_matrix(x.astype(np.float32))
        adata.obs.loc[cells, "total_counts"] *= 50
    return adata


def outside(adata, key):
    """Values of a layer in the cells that were not planted in."""
    return np.asarray(adata.layers[key])[(adata.obs["split"] != "test").to_numpy()]


def model(name):
    def fitted(adata):
        given = {"batch_key": "gem_group", **DEEP.get(name, {})}
        if name in ("grn_linear", "two_stage"):
            given["axis"] = "both"
        if name in ("grn_linear", "two_stage", "gears"):
            names = sorted(set(adata.obs["perturbation"]) - {"non-targeting"})
            given["net"] = pd.DataFrame({"source": names, "target": names[1:] + names[:1], "weight": 0.5})
        getattr(spb.tl, f"fit_{name}")(adata, **given)
        (key,) = adata.uns["scpertbias"]["models"]
        found = [spb.get.predictions(adata, key).to_numpy()]
        return [*found, np.asarray(adata.varm[key])] if key in adata.varm else found

    return fitted


def default_net(adata):
    """The models that make a net of control cells by themselves."""
    spb.tl.fit_grn_linear(adata, batch_key="gem_group")
    return [spb.get.predictions(adata, "grn_linear").to_numpy()]


def regressed(fit_on):
    def fitted(adata):
        spb.pp.regress_mt_ribo(adata, covariates=["stress"], fit_on=fit_on, batch_key="gem_group")
        return [outside(adata, "regressed")]

    return fitted


def standardized(adata):
    spb.pp.standardize(adata, batch_key="gem_group")
    return [outside(adata, "standardized")]


def net(cells):
    def made(adata):
        found = spb.pp.coexpression_net(adata, cells=cells, threshold=0.02)
        return [np.array(found["source"] + found["target"]), found["weight"].to_numpy()]

    return made


def genes(adata):
    spb.pp.select_genes(adata, n_top_genes=8)
    return [adata.var_names.to_numpy(str)]


FITTED = {name: model(name) for name in ("no_change", "mean", "ridge", "grn_linear", "two_stage", "bilinear")}
FITTED |= {"default net": default_net, "standardize": standardized, "select_genes": genes}
FITTED |= {f"regress_mt_ribo on {cells}": regressed(cells) for cells in ("control", "train")}
FITTED |= {f"coexpression_net of {cells}": net(cells) for cells in ("control", "train")}
# Neither looks at anything but control cells, wherever the split puts the others.
CONTROL_ONLY = {"no_change", "select_genes", "regress_mt_ribo on control", "coexpression_net of control"}
DEEP_FITTED = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in DEEP]
FITTED |= {name: model(name) for name in DEEP}


def same(one, two):
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("what", [*(name for name in FITTED if name not in DEEP), *DEEP_FITTED])
def test_what_is_only_in_test_cells_is_not_found(what):
    assert same(FITTED[what](build(planted=False)), FITTED[what](build(planted=True)))


@pytest.mark.parametrize("what", ["mean", "ridge", "two_stage", "standardize", "regress_mt_ribo on train"])
def test_not_where_cells_are_split_either(what):
    one, two = build(planted=False, unit="cell"), build(planted=True, unit="cell")
    assert same(FITTED[what](one), FITTED[what](two))


@pytest.mark.parametrize("what", [*(name for name in FITTED if name not in {*DEEP, *CONTROL_ONLY}), *DEEP_FITTED])
def test_in_training_cells_it_is_found(what):
    """The signal is one that what is fitted does find, where it may look."""
    one, two = (build(planted=planted, held_out=False) for planted in (False, True))
    if what in ("standardize", "regress_mt_ribo on train"):
        for adata in (one, two):
            adata.obs["split"] = "train"
        names = sorted(set(one.obs["perturbation"]) - {"non-targeting"})
        kept = ~one.obs["perturbation"].isin(names[:2]).to_numpy()
        key = what.split("_")[0].replace("regress", "regressed").replace("standardize", "standardized")
        for adata in (one, two):
            FITTED[what](adata)
        assert not np.array_equal(np.asarray(one.layers[key])[kept], np.asarray(two.layers[key])[kept])
        return
    assert not same(FITTED[what](one), FITTED[what](two))


# --- an audit: what a fold holds out ---

MODELS = ("mean", "ridge", "grn_linear", "two_stage", "bilinear")


def audited(adata, **given):
    mdata = spb.tl.audit(
        adata,
        models=MODELS,
        covariates=["stress"],
        batch_key="gem_group",
        regimes=("full", "no_mt_ribo", "regressed"),
        n_random=0,
        **given,
    )
    names = spb.get.models(mdata).query("regime == 'full'")["model"]
    return {(regime, name): spb.get.predictions(mdata, name, regime=regime) for regime in mdata.mod for name in names}


@pytest.mark.parametrize("n_folds", [None, 4])
def test_an_audit_predicts_a_perturbation_without_its_cells(n_folds, monkeypatch):
    """Of two perturbations with other values each is predicted as before, but for what the other one changes."""
    monkeypatch.setattr(preparation, "MAX_GENES", 30)  # so that genes are chosen
    plain = build(planted=False, held_out=False)
    names = sorted(set(plain.obs["perturbation"]) - {"non-targeting"})
    one = plain.copy()
    cells = (one.obs["perturbation"] == names[0]).to_numpy()
    x = one.X.toarray()
    x[cells] = x[cells][:, ::-1] * 1.2 + 1
    one.X = sparse.csr_matrix(x)
    before, after = audited(plain, n_folds=n_folds), audited(one, n_folds=n_folds)
    assert before.keys() == after.keys()
    assert len(before) == 3 * 7  # regimes, and models with the two on the axis of perturbations
    for key, table in before.items():
        assert list(table.columns) == list(after[key].columns)
        np.testing.assert_array_equal(after[key].loc[names[0]], table.loc[names[0]], err_msg=str(key))
        others = [name for name in table.index if name not in {names[0], "non-targeting"}]
        if np.isfinite(table.loc[others]).any(axis=None):
            assert not np.array_equal(after[key].loc[others], table.loc[others], equal_nan=True), key
