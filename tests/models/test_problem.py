import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._models._problem import Graphs, check_net, problem

SYMBOLS = np.array(["a", "b", "c", "d"])
TARGETS = ((), ("a",), ("b",), ("x",), ("a", "b"))


def net(**columns):
    return pd.DataFrame(columns)


def test_edges_to_unknown_genes_are_counted_and_dropped():
    with pytest.warns(UserWarning, match="1 of 3 edges"):
        kept = check_net(net(source=["a", "x", "a"], target=["b", "c", "q"]), SYMBOLS, TARGETS)
    assert kept.to_dict("list") == {"source": ["a", "x"], "target": ["b", "c"], "weight": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        ({"a": ["b"]}, TypeError, "DataFrame"),
        (net(source=["a"], goal=["b"]), ValueError, "lacks the columns"),
        (net(source=["q"], target=["r"]), ValueError, "none of its 1 edges"),
        (net(source=["a"], target=["b"], weight=[np.nan]), ValueError, "NaN"),
    ],
)
def test_wrong_nets(wrong, error, match):
    with pytest.raises(error, match=match):
        check_net(wrong, SYMBOLS, TARGETS)


def test_combinations_and_control_are_isolated():
    graphs = Graphs(check_net(net(source=["a", "x"], target=["b", "b"]), SYMBOLS, TARGETS), SYMBOLS, TARGETS)
    found = graphs.perturbations(normalized=False).toarray()
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = [[1, -1, 0], [-1, 2, -1], [0, -1, 1]]
    np.testing.assert_array_equal(found, expected)
    assert graphs.perturbations(normalized=False) is graphs.perturbations(normalized=False)
    assert graphs.genes(normalized=True).values.shape == (4,)


@pytest.fixture(scope="module")
def screen():
    adata = spb.ds.simulate(900, 30, 7, rng=0)
    spb.pp.split(adata, unit="cell", fractions=(0.5, 0.3, 0.2))
    return adata, _moments.of(adata)


def test_means_over_rows_are_those_of_the_cells(screen):
    adata, s = screen
    made = problem(s, s.split != "test", val=s.split == "test")
    x, label = adata.X.toarray().astype(float), adata.obs["perturbation"].astype(str).to_numpy()
    test = (adata.obs["split"] == "test").to_numpy()
    for p, name in enumerate(made.names):
        np.testing.assert_allclose(made.means[p], x[(label == name) & ~test].mean(axis=0), atol=1e-10)
        assert made.n[p] == ((label == name) & ~test).sum()
        assert made.val_n[p] == ((label == name) & test).sum()
        if p:
            np.testing.assert_allclose(made.val_means[p], x[(label == name) & test].mean(axis=0), atol=1e-10)
    assert made.trained.all()
    assert not made.perturbed[0]


def test_what_is_not_trained_is_nan(screen):
    s = screen[1]
    made = problem(s, s.perturbation < 3)
    assert (made.n[3:] == 0).all()
    assert np.isnan(made.means[3:]).all()
    assert (made.val_n == 0).all()


def test_target_columns(screen):
    s = screen[1]
    made = problem(s, s.split == "train")
    for p, column in enumerate(made.target_columns()):
        known = len(made.targets[p]) == 1 and made.targets[p][0] in s.symbols
        assert (column >= 0) == known
        if known:
            assert s.symbols[column] == made.targets[p][0]
