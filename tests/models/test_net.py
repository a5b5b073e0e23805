import numpy as np
import pandas as pd
import pytest

from scpertbias._models._net import Graphs, check_net

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
