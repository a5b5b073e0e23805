import numpy as np
import pandas as pd
import pytest

from scpertbias._models.deep.gears.graph import both_ways, edges_between, perturbation_graph

TARGETS = ((), ("A",), ("B",), ("C",), ("D",), ("E",), ("A", "D"), ("E", "F"))


def net(*pairs):
    return pd.DataFrame(pairs, columns=["source", "target"]).assign(weight=np.arange(1.0, len(pairs) + 1))


def graph(edges, trained, used=None):
    used = np.ones(len(TARGETS), dtype=bool) if used is None else used
    return perturbation_graph(edges, TARGETS, used=used, trained=np.isin(np.arange(len(TARGETS)), trained))


def test_edges_keep_direction_weight_and_only_known_nodes():
    edges = edges_between(net(("B", "A"), ("A", "x"), ("A", "A"), ("C", "A")), ["A", "B", "C", "B"])
    np.testing.assert_array_equal(edges.index, [[1, 2], [0, 0]])
    np.testing.assert_array_equal(edges.weight, [1.0, 4.0])


def test_a_net_with_each_pair_once_is_read_both_ways():
    once = both_ways(net(("A", "B"), ("C", "A")))
    assert set(zip(once["source"], once["target"], once["weight"], strict=True)) == {
        ("A", "B", 1.0),
        ("B", "A", 1.0),
        ("C", "A", 2.0),
        ("A", "C", 2.0),
    }
    directed = net(("A", "B"), ("B", "A"), ("C", "A"))
    assert both_ways(directed) is directed


def test_nodes_are_the_perturbed_genes():
    result = graph(net(("A", "B")), [1])
    assert result.nodes == ("A", "B", "C", "D", "E", "F")
    assert result.nodes_of[0] == ()
    assert result.nodes_of[6] == (0, 3)
    assert result.isolated == ("C", "D", "E", "F")


def test_a_perturbation_that_is_not_used_has_no_node():
    result = graph(net(("A", "B")), [1], used=np.array([True] * 5 + [False, True, False]))
    assert result.nodes == ("A", "B", "C", "D")
    assert not result.predictable[[5, 7]].any()


@pytest.mark.parametrize(
    ("edges", "trained", "expected"),
    [
        # A is trained and hears nothing: only A is learned.
        ([("A", "B")], [1], {"A", "B"}),
        # A hears B: B is learned as well, and so are those that hear B or A.
        ([("B", "A"), ("B", "C")], [1], {"A", "B", "C"}),
        # One step further nothing is learned.
        ([("B", "A"), ("C", "B"), ("D", "C")], [1], {"A", "B"}),
        # A combination teaches both of its genes.
        ([("A", "C")], [6], {"A", "C", "D"}),
        ([], [1, 5], {"A", "E"}),
    ],
)
def test_what_training_reaches(edges, trained, expected):
    result = graph(net(*edges) if edges else net().astype(object), trained)
    can = {
        name
        for name, nodes in zip("ABCDE", result.nodes_of[1:6], strict=True)
        if result.predictable[result.nodes_of.index(nodes)]
    }
    assert can == expected
    assert result.predictable[0]
    assert result.predictable[6] == ({"A", "D"} <= expected)
    assert not result.predictable[7]


def test_reach_is_where_the_embeddings_get_a_gradient():
    """By brute force: the genes whose embedding moves a trained output, and who hears them."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        pairs = [(a, b) for a in "ABCDE" for b in "ABCDE" if a != b and rng.random() < 0.15]
        trained = rng.choice(np.arange(1, 6), 2, replace=False)
        result = graph(net(*pairs) if pairs else net().astype(object), trained)
        names = ["ABCDE"[i - 1] for i in trained]
        learned = set(names) | {a for a, b in pairs if b in names}
        reached = {g for g in "ABCDE" if g in learned or any(a in learned and b == g for a, b in pairs)}
        assert [bool(p) for p in result.predictable[1:6]] == [g in reached for g in "ABCDE"]
