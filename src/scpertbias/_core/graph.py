"""Laplacians of graphs and their spectra, computed separately for each connected component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.csgraph import connected_components

from scpertbias._core.arrays import FloatArray, IntArray


def adjacency(source: IntArray, target: IntArray, weight: FloatArray, n: int) -> csr_array:
    """Symmetric adjacency: A_ij is the largest |weight| over both directions and all duplicates.

    Self-loops and edges of weight zero are ignored.

    Parameters
    ----------
    source
        Index of one end of each edge.
    target
        Index of the other end.
    weight
        Weight of each edge; its sign is ignored.
    n
        Number of nodes.

    Returns
    -------
    Sparse n × n matrix without stored zeros.
    """
    size = np.abs(np.asarray(weight, dtype=np.float64))
    first = np.minimum(source, target).astype(np.int64)
    second = np.maximum(source, target).astype(np.int64)
    edge = (first != second) & (size != 0)
    pair, inverse = np.unique(first[edge] * n + second[edge], return_inverse=True)
    largest = np.zeros(pair.size)
    np.maximum.at(largest, inverse, size[edge])
    low, high = np.divmod(pair, n)
    rows, columns = np.concatenate([low, high]), np.concatenate([high, low])
    return csr_array((np.concatenate([largest, largest]), (rows, columns)), shape=(n, n))


def laplacian(adjacency: csr_array, *, normalized: bool) -> csr_array:
    """Graph Laplacian: D − A, or I − D^-1/2 A D^-1/2.

    Parameters
    ----------
    adjacency
        Symmetric, as :func:`adjacency` makes it.
    normalized
        Whether to divide by the degrees.

    Returns
    -------
    Sparse n × n matrix. The row of an isolated node is zero in both forms.
    """
    degree = np.asarray(adjacency.sum(axis=1), dtype=np.float64).ravel()
    linked = degree > 0
    edges = coo_array(adjacency)
    rows, columns = edges.coords
    if normalized:
        root = np.zeros_like(degree)
        root[linked] = 1 / np.sqrt(degree[linked])
        # the product of the two roots first, so that the result is symmetric to the last bit
        links = coo_array((edges.data * (root[rows] * root[columns]), (rows, columns)), shape=edges.shape)
        diagonal = linked.astype(np.float64)
    else:
        links, diagonal = edges, degree
    result = csr_array(diags_array(diagonal) - links)
    result.eliminate_zeros()
    return result


@dataclass(frozen=True)
class Spectrum:
    """Eigendecomposition L = Q diag(values) Qᵀ, in blocks of connected components of equal size.

    An isolated node is in no block: its value is 0.0 and its column passes through both ways bit by bit.
    """

    values: FloatArray
    """Eigenvalues (n,); those of a component are at the positions of its nodes."""

    blocks: tuple[tuple[IntArray, FloatArray], ...]
    """For each component size s above 1: nodes (m, s) and eigenvectors (m, s, s) of its m components."""

    def forward(self, x: FloatArray) -> FloatArray:
        """Rows of `x` (R, n) in the eigenbasis: x Q."""
        return self._rotate(x, transpose=False)

    def back(self, y: FloatArray) -> FloatArray:
        """Rows of `y` (R, n) out of the eigenbasis: y Qᵀ."""
        return self._rotate(y, transpose=True)

    def _rotate(self, x: FloatArray, *, transpose: bool) -> FloatArray:
        result = np.array(x, dtype=np.float64, order="C")
        for nodes, vectors in self.blocks:
            turn = vectors.transpose(0, 2, 1) if transpose else vectors
            # x Q (or x Qᵀ) within each component: (m, R, s) @ (m, s, s)
            result[:, nodes] = (x[:, nodes].transpose(1, 0, 2) @ turn).transpose(1, 0, 2)
        return result


def spectrum(laplacian: csr_array) -> Spectrum:
    """Spectrum of a Laplacian, one dense eigendecomposition for each connected component.

    Parameters
    ----------
    laplacian
        Sparse, symmetric, positive semidefinite, with zero rows for isolated nodes.

    Returns
    -------
    The eigenvalues and what rotates to the eigenbasis and back.
    """
    graph = csr_array(laplacian, dtype=np.float64, copy=True)
    graph.eliminate_zeros()
    n_components, label = connected_components(graph, directed=False)
    size = np.bincount(label, minlength=n_components)
    order = np.argsort(label, kind="stable")
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    place = np.empty_like(order)
    place[order] = np.arange(order.size) - start[label[order]]
    entries = coo_array(graph)
    rows, columns = entries.coords

    values = np.zeros(label.size)
    blocks = []
    for width in np.unique(size[size > 1]):
        components = np.flatnonzero(size == width)
        position = np.zeros(n_components, dtype=np.int64)
        position[components] = np.arange(components.size)
        nodes = order[start[components][:, None] + np.arange(width)].astype(np.int64)
        inside = size[label[rows]] == width
        row, column = rows[inside], columns[inside]
        dense = np.zeros((components.size, width, width))
        dense[position[label[row]], place[row], place[column]] = entries.data[inside]
        eigenvalues, vectors = np.linalg.eigh(dense)
        # a Laplacian has no negative eigenvalue: what is below zero is rounding
        values[nodes] = np.maximum(eigenvalues, 0.0)
        blocks.append((nodes, vectors))
    return Spectrum(values=values, blocks=tuple(blocks))
