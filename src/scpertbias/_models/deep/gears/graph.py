"""The two graphs of GEARS: over measured genes, and over perturbed genes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from ...._core.arrays import BoolArray, Float32Array, IntArray


@dataclass(frozen=True)
class Edges:
    """Directed edges (2, E), source above target, and their weights (E,)."""

    index: IntArray
    weight: Float32Array


@dataclass(frozen=True)
class PerturbationGraph:
    """A graph over the perturbed genes, measured or not.

    ``nodes_of`` are the nodes of each perturbation (none for the control); ``predictable`` (P,) says which perturbations
    have only nodes that training reaches; ``isolated`` are the genes without an edge.
    """

    nodes: tuple[str, ...]
    edges: Edges
    nodes_of: tuple[tuple[int, ...], ...]
    predictable: BoolArray
    isolated: tuple[str, ...]


def both_ways(net: pd.DataFrame) -> pd.DataFrame:
    """Add the reverse edges to a net with each pair once; a net with both directions is not changed."""
    reverse = net.rename(columns={"source": "target", "target": "source"})[list(net.columns)]
    pairs = set(zip(net["source"], net["target"], strict=True))
    if any((b, a) in pairs for a, b in pairs if a != b):
        return net
    return pd.concat([net, reverse], ignore_index=True)


def edges_between(net: pd.DataFrame, nodes: Sequence[str]) -> Edges:
    """Return the edges of a net between two of the nodes, without loops."""
    position = {name: i for i, name in reversed(list(enumerate(nodes)))}
    source, target = net["source"].map(position), net["target"].map(position)
    between = (source.notna() & target.notna() & (source != target)).to_numpy()
    index = np.stack([source[between].to_numpy(np.int64), target[between].to_numpy(np.int64)])
    return Edges(index, net["weight"][between].to_numpy(np.float32))


def perturbation_graph(
    net: pd.DataFrame,
    targets: Sequence[Sequence[str]],
    *,
    used: BoolArray,
    trained: BoolArray,
) -> PerturbationGraph:
    """Make the graph over the genes of the perturbations that are used; ``trained`` ones have training cells.

    The embedding of a gene is learned if the gene, or one that receives its messages, is perturbed in training. A
    perturbed gene that receives messages from untrained embeddings only is not predicted.
    """
    nodes = tuple(sorted({gene for genes, ok in zip(targets, used, strict=True) if ok for gene in genes}))
    position = {name: i for i, name in enumerate(nodes)}
    nodes_of = tuple(
        tuple(position[gene] for gene in genes) if ok else () for genes, ok in zip(targets, used, strict=True)
    )
    edges = edges_between(net, nodes)
    hears = sparse.csr_array((np.ones(edges.index.shape[1]), (edges.index[1], edges.index[0])), shape=(len(nodes),) * 2)
    hears = hears + sparse.eye_array(len(nodes), format="csr")
    in_training = np.zeros(len(nodes))
    in_training[[node for own, is_trained in zip(nodes_of, trained, strict=True) if is_trained for node in own]] = 1.0
    learned = hears.T @ in_training > 0
    reached = hears @ learned.astype(float) > 0
    joined = np.isin(np.arange(len(nodes)), edges.index)
    return PerturbationGraph(
        nodes=nodes,
        edges=edges,
        nodes_of=nodes_of,
        predictable=used & np.array([all(reached[node] for node in own) for own in nodes_of]),
        isolated=tuple(name for name, has in zip(nodes, joined, strict=True) if not has),
    )
