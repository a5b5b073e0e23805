"""Predictions of other makers, put in the order of the data: perturbations and genes are found by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ..._core.arrays import FloatArray, IntArray
from ..._core.moments import shares
from ..._labels import UNASSIGNED, Genes, is_control_word, parse
from ..._log import info, some, warn
from ..._moments import Screen

SHOWN = 5


@dataclass(frozen=True)
class PredictionRows:
    """Predictions as they came: rows × columns, dense or sparse.

    ``labels`` names the perturbation of each row (None: the rows are those of the data), ``genes`` each column (None:
    nobody said). ``are_cells``: rows of one label are cells, to be averaged. ``are_integers``: the values are whole numbers, as
    counts are. ``hint`` says where the names of the columns may be found, ``argument`` how the caller passed them.
    ``batch`` is the batch of the data that each cell lies in (−1: none), None where cells are in no batches.
    """

    values: Any
    labels: list[str] | None
    genes: pd.Index | None
    are_cells: bool
    are_integers: bool
    source: str
    hint: str = ""
    argument: str = "predictions"
    batch: IntArray | None = None


@dataclass(frozen=True)
class MatchedRows:
    """Predictions in the order of the data: perturbations × genes, NaN where nothing is predicted.

    Of cells in batches ``batches`` are the shares of the batches in the cells (perturbations × batches), and the predicted
    control of each (batches × genes); None of all others.
    """

    values: FloatArray
    batches: tuple[FloatArray, FloatArray] | None = None


def match_rows(rows: PredictionRows, screen: Screen, gene_names: Sequence[str] | None = None) -> MatchedRows:
    """Put predictions in the order of the data, cells averaged; those outside the batches of the data are left out."""
    columns = gene_columns(rows, column_names(rows, gene_names), screen)
    codes = screen.codes if rows.labels is None else _codes(rows, rows.labels, screen)
    if rows.batch is None:
        return MatchedRows(_means(rows, codes, screen, columns))
    outside = (codes >= 0) & (rows.batch < 0)
    if outside.any():
        warn(f"`{rows.argument}`: {int(outside.sum())} cells are left out, because their batch is not in the data.")
    codes = np.where(rows.batch < 0, -1, codes)
    known = codes >= 0
    counts = np.zeros((len(screen.names), len(screen.moments.n_control)))
    np.add.at(counts, (codes[known], rows.batch[known]), 1.0)
    control = _pooled(rows.values, np.where(codes == 0, rows.batch, -1), counts.shape[1])[:, columns]
    return MatchedRows(_means(rows, codes, screen, columns), (np.nan_to_num(shares(counts)), control))


def by_perturbation(rows: PredictionRows, screen: Screen, gene_names: Sequence[str] | None = None) -> FloatArray:
    """Return perturbations × genes in the order of the data, NaN where nothing is predicted."""
    return match_rows(rows, screen, gene_names).values


def _pooled(values: Any, codes: IntArray, n_rows: int) -> FloatArray:
    """Mean of the rows of each code, NaN without any (n_rows × columns); −1 belongs to none."""
    keep = np.flatnonzero(codes >= 0)
    n = np.bincount(codes[keep], minlength=n_rows)[:, None]
    pool = sparse.csr_array((np.ones(len(keep)), (codes[keep], keep)), shape=(n_rows, len(codes)))
    total = pool @ values
    total = total.toarray() if sparse.issparse(total) else np.asarray(total)
    means = np.full(total.shape, np.nan)
    np.divide(total, n, out=means, where=n > 0)
    return means


def _means(rows: PredictionRows, codes: IntArray, screen: Screen, columns: IntArray) -> FloatArray:
    """Mean of the rows of each perturbation; one that has gaps is an error."""
    values = _pooled(rows.values, codes, len(screen.names))[:, columns]
    gaps = ~np.isfinite(values)
    partly = gaps.any(axis=1) & ~np.isnan(values).all(axis=1)
    if partly.any():
        names = [screen.names[i] for i in np.flatnonzero(partly)]
        msg = (
            f"`{rows.argument}` contains NaN or infinite values for {some(names)}, in "
            f"{int(gaps[partly].any(axis=0).sum())} genes. Predict all genes of a perturbation, or set its whole row "
            "to NaN."
        )
        raise ValueError(msg)
    if gaps[1:].all():
        msg = f"`{rows.argument}` contains only NaN for the perturbations of the data. Check the predictions."
        raise ValueError(msg)
    return values


def match(labels: Sequence[str], screen: Screen) -> IntArray:
    """Return which perturbation of the data each label means; −1: none, 0: control.

    A label of the data means what it means there, any other label is interpreted together with those of the data, by the same rules.
    """
    position = {name: i for i, name in enumerate(screen.names)}
    of_data = _labels_of_data(screen)
    code_of = {label: position.get(name, -1) for label, name in of_data.items()} | position
    code_of |= {str(control): 0 for control in screen.record["reference"]}
    unmatched = [label for label in dict.fromkeys(labels) if label not in code_of]
    not_measured = sorted({gene for targets in screen.targets for gene in targets}.difference(screen.symbols.tolist()))
    sep = screen.record.get("combination_sep")
    controls = [label for label in unmatched if is_control_word(label) and not (sep and sep in label)]
    symbols, ids = ([*names.astype(str), *not_measured] for names in (screen.symbols, screen.genes))
    labels_read = parse(
        pd.Series([*of_data, *unmatched], dtype=object),
        groupby="predictions",
        reference=[*map(str, screen.record["reference"]), *controls],
        combination_sep=sep,
        label_map=screen.record.get("label_map"),
        symbols=symbols,
        ids=ids,
    )
    genes = Genes(symbols, ids)

    def by_symbols(name: str) -> str:
        return "+".join(sorted(genes.symbol(part) or part for part in name.split("+")))

    by_symbol = {by_symbols(name): i for i, name in enumerate(screen.names)}
    for label, code in zip(unmatched, labels_read.codes[len(of_data) :].tolist(), strict=True):
        code_of[label] = code if code <= 0 else by_symbol.get(by_symbols(labels_read.names[code]), -1)
    return np.array([code_of[label] for label in labels], dtype=np.int64)


def _labels_of_data(screen: Screen) -> dict[str, str]:
    """Return the labels of the data, each with the name of its perturbation; "" where its cells are left out."""
    table = screen.labels
    return (
        {name: name for name in screen.names}
        if table is None
        else dict(zip(table["label"], table["name"], strict=True))
    )


def perturbation_codes(labels: Sequence[str], screen: Screen, *, argument: str) -> IntArray:
    """Match labels with the data; warn about labels that are not in the data, and raise an error if none is."""
    codes = match(labels, screen)
    unmatched = list(dict.fromkeys(label for label, code in zip(labels, codes, strict=True) if code < 0))
    unmatched = [label for label in unmatched if label.strip().casefold() not in UNASSIGNED]
    if not (codes > 0).any():
        if len(unmatched) == 1:
            problem = f"contains {unmatched[0]}, which is not a perturbation of the data"
        elif unmatched:
            problem = f"contains {some(unmatched)}, which are not perturbations of the data"
        else:
            problem = "contains no perturbation of the data"
        msg = f"`{argument}` {problem}. The data contain, for example, {some(screen.names[1:])}."
        raise ValueError(msg)
    if unmatched:
        warn(
            f"`{argument}`: {len(unmatched)} labels were left out, because they are not in the data: {some(unmatched)}."
        )
    return codes


def _codes(rows: PredictionRows, labels: list[str], screen: Screen) -> IntArray:
    codes = perturbation_codes(labels, screen, argument=rows.argument)
    twice = np.flatnonzero(np.bincount(codes[codes > 0]) > 1)
    if len(twice) and not rows.are_cells:
        same = [label for label, code in zip(labels, codes, strict=True) if code == twice[0]]
        msg = f"`{rows.argument}` contains {screen.names[twice[0]]!r} more than once (as {some(same)}). Keep one row."
        raise ValueError(msg)
    return codes


def gene_columns(rows: PredictionRows, genes: pd.Index | None, screen: Screen) -> IntArray:
    """Return the column of every gene of the data, matched by name only: ``var_names``, or otherwise symbols."""
    if rows.labels is None and genes is not None and genes.equals(screen.genes.astype(str)):
        return np.arange(len(genes))
    name = rows.argument
    if genes is None or _only_count(genes, screen.genes):
        genes_text = "no gene names" if genes is None else f"numbers instead of gene names ({', '.join(genes[:3])}, …)"
        msg = (
            f"`{name}` has {genes_text}, so the genes are unknown{rows.hint}. Use gene names as its columns, or pass "
            f"gene_names= with the {rows.values.shape[1]} names in the order of the columns (for GEARS, "
            "pert_data.adata.var['gene_name'])."
        )
        raise ValueError(msg)
    own = own_names(genes, screen)
    for names, whose in ((genes[genes.isin(own)], f"of `{name}`"), (own, "of the data")):
        if len(twice := names[names.duplicated()].unique()):
            msg = (
                f"Gene names {whose} repeat ({some(twice)}), so genes cannot be matched by name. Keep one column per "
                "gene."
            )
            raise ValueError(msg)
    column = {gene: i for i, gene in enumerate(genes)}
    columns = np.array([column.get(gene, -1) for gene in own], dtype=np.int64)
    missing = own[columns < 0]
    if 2 * len(missing) > len(own):
        msg = (
            f"`{name}` contains only {len(own) - len(missing)} of the {len(own)} genes of the data. Its gene names are "
            f"{some(genes)}; those of the data are {some(own)}. Predictions are perturbations × genes, attributions are "
            "genes × perturbations. If the table has the other orientation, transpose it. If the names differ, use the gene "
            "names of the data, or pass gene_names=."
        )
        raise ValueError(msg)
    if len(missing):
        msg = (
            f"`{name}` lacks {len(missing)} of the {len(own)} genes of the data ({some(missing)}). Models are compared on "
            "the same genes. First restrict the data to the predicted genes: adata = adata[:, predicted].copy()."
        )
        raise ValueError(msg)
    if len(genes) > len(own):
        info(f"{len(genes) - len(own)} genes of `{name}` are left out, because they are not in the data")
    return columns


def own_names(genes: pd.Index, screen: Screen) -> pd.Index:
    """Return those names of the genes of the data that the predictions use: ``var_names`` or symbols."""
    return max((screen.genes.astype(str), pd.Index(screen.symbols)), key=lambda names: int(names.isin(genes).sum()))


def column_names(rows: PredictionRows, gene_names: Sequence[str] | None) -> pd.Index | None:
    """Return the names of the columns: ``gene_names``, otherwise the names in the predictions."""
    if gene_names is None:
        return None if rows.genes is None else rows.genes.astype(str)
    width = rows.values.shape[1]
    if isinstance(gene_names, str) or len(gene_names) != width:
        names_text = repr(gene_names) if isinstance(gene_names, str) else f"{len(gene_names)} names"
        msg = f"`gene_names` is {names_text}, but `{rows.argument}` has {width} columns. Pass one name per column."
        raise ValueError(msg)
    return pd.Index([str(name) for name in gene_names])


def digits(names: pd.Index) -> bool:
    """Whether all names are whole numbers."""
    return len(names) > 0 and all(str(name).isdigit() for name in names)


def _only_count(genes: pd.Index, own: pd.Index) -> bool:
    """Whether names are only column numbers: numbers if the data have names, or 0, 1, 2, … (Entrez ids are names)."""
    if not digits(genes):
        return False
    return not digits(own) or bool((np.diff([int(name) for name in genes]) == 1).all())
