"""Networks against the rule written out: numpy's correlations, sets of terms."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb


def edges(net: pd.DataFrame) -> dict[tuple[str, str], float]:
    assert not net.duplicated(["source", "target"]).any()
    return {(s, t): w for s, t, w in zip(net["source"], net["target"], net["weight"], strict=True)}


def by_rule(values, genes, *, threshold, n_top) -> dict[tuple[str, str], float]:
    """For each target, the n_top largest |r| above the threshold."""
    r = np.abs(np.corrcoef(values, rowvar=False))
    out = {}
    for t, target in enumerate(genes):
        others = sorted((s for s in range(len(genes)) if s != t), key=lambda s: -r[s, t])[:n_top]
        out |= {(genes[s], target): r[s, t] for s in others if r[s, t] > threshold}
    return out


@pytest.mark.parametrize("kind", ["csr", "csc", "dense"])
@pytest.mark.parametrize(("threshold", "n_top"), [(0.3, 20), (0.1, 2), (0.0, 3)])
def test_coexpression_in_control(make_cells, dense, kind, threshold, n_top):
    adata = make_cells(kind=kind)
    values = dense(adata.X)[(adata.obs["perturbation"] == "control").to_numpy()]
    net = spb.pp.coexpression_net(adata, threshold=threshold, n_top=n_top)
    expected = by_rule(values, list(adata.var_names), threshold=threshold, n_top=n_top)
    assert len(expected) > 5
    assert edges(net) == pytest.approx(expected)
    assert net.columns.tolist() == ["source", "target", "weight"]
    for _, group in net.groupby("target"):
        assert group["weight"].is_monotonic_decreasing


def test_coexpression_in_training_cells(make_cells, dense):
    """Control and single training perturbations that have enough cells: no test cell, no combination."""
    adata = make_cells(targets=("JAK2", "MYC", "STAT1", "STAT2", "STAT1+MYC"))
    adata.obs["split"] = np.where(adata.obs["perturbation"] == "JAK2", "test", "train")
    few = np.flatnonzero(adata.obs["perturbation"] == "STAT2")[:25]
    adata = adata[np.setdiff1d(np.arange(adata.n_obs), few)].copy()
    chosen = adata.obs["perturbation"].isin(["control", "MYC", "STAT1"]).to_numpy(copy=True)
    net = spb.pp.coexpression_net(adata, cells="train", threshold=0.2)
    assert edges(net) == pytest.approx(by_rule(dense(adata.X)[chosen], list(adata.var_names), threshold=0.2, n_top=20))
    chosen |= (adata.obs["perturbation"] == "STAT2").to_numpy()
    net = spb.pp.coexpression_net(adata, cells="train", threshold=0.2, min_cells=10)
    assert edges(net) == pytest.approx(by_rule(dense(adata.X)[chosen], list(adata.var_names), threshold=0.2, n_top=20))


def test_held_out_cells_are_never_looked_at(make_cells):
    one = make_cells(kind="dense")
    one.obs["split"] = one.obs["perturbation"].astype(str).map({"JAK2": "test", "MYC": "val"}).fillna("train")
    other, held_out = one.copy(), (one.obs["split"] != "train").to_numpy()
    other.X[held_out] = np.abs(np.random.default_rng(1).normal(size=(held_out.sum(), 1)))
    for cells in ("control", "train"):
        pd.testing.assert_frame_equal(
            spb.pp.coexpression_net(one, cells=cells), spb.pp.coexpression_net(other, cells=cells)
        )


def test_constant_genes_have_no_edge(make_cells):
    adata = make_cells(kind="dense")
    adata.X[:, 4] = 0.7
    net = spb.pp.coexpression_net(adata, threshold=0.0)
    assert adata.var_names[4] not in {*net["source"], *net["target"]}


def test_of_many_cells_some_are_drawn(cells):
    drawn = [spb.pp.coexpression_net(cells, threshold=0.0, max_cells=30, rng=seed) for seed in (0, 0, 1)]
    pd.testing.assert_frame_equal(drawn[0], drawn[1])
    assert not drawn[0].equals(drawn[2])
    assert not drawn[0].equals(spb.pp.coexpression_net(cells, threshold=0.0))


def test_names_are_symbols(cells):
    symbols = list(cells.var_names)
    expected = spb.pp.coexpression_net(cells, threshold=0.2)
    cells.var["gene_name"] = symbols
    cells.var_names = [f"ENSG{i:011d}" for i in range(cells.n_vars)]
    pd.testing.assert_frame_equal(spb.pp.coexpression_net(cells, threshold=0.2), expected)
    cells.var["gene_name"] = ["TWIN", "TWIN", *symbols[2:]]
    net = spb.pp.coexpression_net(cells, threshold=0.0)
    assert (net["source"] != net["target"]).all(), "a symbol that occurs twice is no edge"
    assert not net.duplicated(["source", "target"]).any()


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"cells": "test"}, "`cells` is 'test'"),
        ({"threshold": 1.0}, "`threshold` is 1.0"),
        ({"threshold": -0.1}, "`threshold` is -0.1"),
        ({"n_top": 0}, "`n_top` is 0"),
        ({"layer": "counts"}, "raw counts"),
    ],
)
def test_wrong_input_to_coexpression(cells, kwargs, words):
    with pytest.raises(ValueError, match=words):
        spb.pp.coexpression_net(cells, **kwargs)


def test_coexpression_needs_cells_and_enough_of_them(cells, make_cells):
    with pytest.raises(ValueError, match="profiles; co-expression needs cells"):
        spb.pp.coexpression_net(spb.pp.profiles(cells))
    with pytest.raises(ValueError, match="selects 15 cells; 20 or more"):
        spb.pp.coexpression_net(make_cells(n_control=15))


@pytest.mark.parametrize(("threshold", "n_top"), [(0.1, 20), (0.0, 2), (0.4, 3)])
def test_jaccard_equals_sets(threshold, n_top):
    rng = np.random.default_rng(3)
    genes = [f"g{i:02d}" for i in range(25)]
    terms = {gene: {f"t{t}" for t in rng.choice(12, rng.integers(1, 7), replace=False)} for gene in genes}
    sets = pd.DataFrame([(t, g) for g, ts in terms.items() for t in ts], columns=["source", "target"])
    sets = pd.concat([sets, sets.head(20)]).sample(frac=1, random_state=0)  # repeated rows count once
    expected = {}
    for gene in genes:
        index = {o: len(terms[gene] & terms[o]) / len(terms[gene] | terms[o]) for o in genes if o != gene}
        best = sorted(index, key=lambda o: (-index[o], o))[:n_top]
        expected |= {(o, gene): index[o] for o in best if index[o] > threshold}
    net = spb.pp.jaccard_net(sets, threshold=threshold, n_top=n_top)
    assert edges(net) == pytest.approx(expected)
    some = genes[:9]
    net = spb.pp.jaccard_net(sets, threshold=0.0, n_top=100, genes=some)
    assert {*net["source"], *net["target"]} <= set(some)
    for (a, b), weight in edges(net).items():
        assert weight == pytest.approx(len(terms[a] & terms[b]) / len(terms[a] | terms[b]))


def test_jaccard_leaves_gaps_out():
    sets = pd.DataFrame({"source": ["a", "a", "a", None], "target": ["X", "Y", None, "Z"]})
    assert edges(spb.pp.jaccard_net(sets)) == {("X", "Y"): 1.0, ("Y", "X"): 1.0}


@pytest.mark.parametrize(
    ("sets", "kwargs", "words"),
    [
        ({"source": ["a"]}, {}, r"lacks the columns \['target'\]"),
        ({"source": [None], "target": ["X"]}, {}, "no row"),
        ({"source": ["a"], "target": ["X"]}, {"genes": ["Y"]}, "none of the 1 genes"),
        ({"source": ["a"], "target": ["X"]}, {"n_top": -1}, "`n_top` is -1"),
    ],
)
def test_wrong_input_to_jaccard(sets, kwargs, words):
    with pytest.raises(ValueError, match=words):
        spb.pp.jaccard_net(pd.DataFrame(sets), **kwargs)
