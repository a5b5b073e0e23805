"""Tokens of genes and targets, and the sequences for the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...._core.arrays import BoolArray, Float32Array, IntArray

PAD = "<pad>"
SPECIAL = (PAD, "<cls>", "<eoc>")
PERTURBED = 1
MISSING_TARGET = ("token", "skip")


def vocabulary(symbols: Iterable[str], targets: Iterable[Sequence[str]]) -> dict[str, int]:
    """Make the vocabulary of a model from scratch: special tokens, the measured genes, the targets not measured."""
    names = dict.fromkeys((*SPECIAL, *map(str, symbols), *sorted({gene for genes in targets for gene in genes})))
    return {name: i for i, name in enumerate(names)}


@dataclass(frozen=True)
class Tokens:
    """Tokens of G measured genes and P perturbations.

    ``genes`` (G,) is the token of each gene, that of ``<pad>`` where the vocabulary lacks it. ``columns`` and ``extra``
    are, for each perturbation, the columns of its measured targets and the tokens of those not measured. ``cannot``
    says of perturbations that have no sequence why.
    """

    genes: IntArray
    pad: int
    columns: tuple[tuple[int, ...], ...]
    extra: tuple[tuple[int, ...], ...]
    cannot: dict[str, str]
    unknown_genes: tuple[str, ...]


def tokens_of(
    symbols: npt.NDArray[np.str_],
    names: Sequence[str],
    targets: Sequence[Sequence[str]],
    vocab: Mapping[str, int],
    *,
    missing_target: str,
) -> Tokens:
    """Look up genes and targets; an unmeasured target is an extra token, or its perturbation is left out."""
    listed = symbols.tolist()
    column = {symbol: i for i, symbol in reversed(list(enumerate(listed)))}
    columns: list[tuple[int, ...]] = []
    extra: list[tuple[int, ...]] = []
    cannot: dict[str, str] = {}
    for name, genes in zip(names, targets, strict=True):
        unmeasured = [gene for gene in genes if gene not in column]
        without_token = [gene for gene in genes if gene not in vocab]
        if without_token:
            cannot[name] = f"{', '.join(without_token)} outside the vocabulary"
        elif unmeasured and missing_target == "skip":
            cannot[name] = f"{', '.join(unmeasured)} not measured (missing_target='skip')"
        columns.append(tuple(column[gene] for gene in genes if gene in column))
        extra.append(() if name in cannot else tuple(vocab[gene] for gene in unmeasured))
    return Tokens(
        genes=np.array([vocab.get(symbol, vocab[PAD]) for symbol in listed], dtype=np.int64),
        pad=vocab[PAD],
        columns=tuple(columns),
        extra=tuple(extra),
        cannot=cannot,
        unknown_genes=tuple(symbol for symbol in listed if symbol not in vocab),
    )


@dataclass(frozen=True)
class Sequences:
    """B sequences of L measured genes and then the extra tokens of targets that are not measured (B × (L + E)).

    ``padding`` marks the places of shorter sequences that stay empty; None where there are none.
    """

    ids: IntArray
    values: Float32Array
    flags: IntArray
    padding: BoolArray | None


def draw_genes(tokens: Tokens, perturbation: IntArray, max_genes: int, seeds: Iterable[Sequence[int]]) -> IntArray:
    """Draw the genes of each sequence, B × L columns in ascending order: its measured targets, and others at random.

    Each cell has its own seed, so that its genes do not depend on the other cells of a batch.
    """
    n_genes = len(tokens.genes)
    if n_genes <= max_genes:
        return np.broadcast_to(np.arange(n_genes), (len(perturbation), n_genes))
    keys = np.stack([np.random.default_rng(seed).random(n_genes) for seed in seeds])
    for row, p in enumerate(perturbation.tolist()):
        keys[row, list(tokens.columns[p])] = -1.0
    return np.sort(np.argpartition(keys, max_genes - 1, axis=1)[:, :max_genes], axis=1)


def sequences(tokens: Tokens, perturbation: IntArray, genes: IntArray, expression: Float32Array) -> Sequences:
    """Make the sequences of B cells: expression B × L of the genes drawn, and which tokens are perturbed.

    A target that is not measured is one more token of value 0.
    """
    n, length = genes.shape
    more = [tokens.extra[p] for p in perturbation.tolist()]
    width = max(map(len, more), default=0)
    ids = np.full((n, length + width), tokens.pad, dtype=np.int64)
    values = np.zeros((n, length + width), dtype=np.float32)
    flags = np.zeros((n, length + width), dtype=np.int64)
    ids[:, :length], values[:, :length] = tokens.genes[genes], expression
    for row, p in enumerate(perturbation.tolist()):
        flags[row, :length] = PERTURBED * np.isin(genes[row], tokens.columns[p])
        ids[row, length : length + len(more[row])] = more[row]
        flags[row, length : length + len(more[row])] = PERTURBED
    used = length + np.array([len(added) for added in more])
    padding = np.arange(length + width) >= used[:, None]
    return Sequences(ids, values, flags, padding if padding.any() else None)


def whole_cells(tokens: Tokens, perturbation: int, expression: Float32Array) -> Sequences:
    """Make the sequences of control cells (n × G) under one perturbation, all measured genes in each."""
    n, n_genes = expression.shape
    genes = np.broadcast_to(np.arange(n_genes), (n, n_genes))
    return sequences(tokens, np.full(n, perturbation, dtype=np.int64), genes, expression)
