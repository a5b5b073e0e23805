"""Gene networks from co-expression or from shared annotation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from .. import _genes, _moments, _store, _validate
from .._core.arrays import BoolArray, IntArray
from .._core.coexpression import correlation, strongest
from .._docs import docs
from .._labels import LabelMap
from .._log import info

CELLS = ("control", "train")


@docs.dedent
def coexpression_net(
    adata: AnnData,
    *,
    cells: str = "control",
    threshold: float = 0.4,
    n_top: int = 20,
    max_cells: int = 5000,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Build a co-expression network from training cells: for each gene, the ``n_top`` strongest absolute correlations.

    The default values of ``threshold`` and ``n_top`` are those of GEARS. Validation and test cells are not used.

    Parameters
    ----------
    adata
        Cells (log-normalized).
    cells
        ``"control"``: only control cells. ``"train"``: control cells, and training cells of single perturbations, as in
        GEARS.
    threshold
        Edges have an absolute Pearson correlation above this value.
    n_top
        Maximum number of edges per gene.
    max_cells
        Maximum number of cells. If there are more cells, this number is drawn at random.
    %(groupby)s
    %(reference)s
    %(min_cells)s
    %(layer)s
    %(split_key)s
    %(gene_symbols)s
    %(rng)s

    Returns
    -------
    A frame with ``source``, ``target`` (gene symbols) and ``weight`` (the absolute correlation), strongest first within
    each target.

    Raises
    ------
    ValueError
        If ``adata`` contains profiles (co-expression needs cells), values are on the wrong scale, or there are fewer
        than 20 cells.

    References
    ----------
    Roohani et al., Nature Biotechnology 2024.

    Examples
    --------
    >>> import scpertbias as spb
    >>> net = spb.pp.coexpression_net(spb.ds.papalexi_2021())
    >>> list(net.columns)
    ['source', 'target', 'weight']
    """
    _validate.cells_or_profiles(adata)
    _validate.choice(cells, CELLS, argument="cells")
    if _store.profiles_record(adata) is not None:
        msg = "`adata` contains profiles; co-expression needs cells. Call spb.pp.coexpression_net on the cells."
        raise ValueError(msg)
    _genes.refuse_others(adata)
    _check_edges(threshold, n_top)
    data = {
        "groupby": groupby,
        "reference": reference,
        "combination_sep": combination_sep,
        "label_map": label_map,
        "split_key": split_key,
        "gene_symbols": gene_symbols,
    }
    codes, targets, symbols = _moments.cell_codes(adata, data)
    x = _store.matrix(adata, layer)
    _validate.scale(x, layer=layer, normalize=False, may_be_negative=_store.layer_record(adata, layer) is not None)
    chosen = np.flatnonzero(_usable(codes, targets, min_cells)[codes] if cells == "train" else codes == 0)
    if len(chosen) < _validate.MIN_CONTROL_CELLS:
        msg = f"`cells={cells!r}` selects {len(chosen)} cells; {_validate.MIN_CONTROL_CELLS} or more are needed."
        raise ValueError(msg)
    if len(chosen) > max_cells:
        chosen = np.sort(np.random.default_rng(rng).choice(chosen, max_cells, replace=False))
    x = x[chosen]
    source, target, weight = strongest(
        correlation(sparse.csr_array(x, dtype=np.float64) if sparse.issparse(x) else x),
        threshold=threshold,
        n_top=n_top,
    )
    info(f"co-expression net: {len(weight)} edges from {len(chosen)} cells")
    net = pd.DataFrame({"source": symbols[source], "target": symbols[target], "weight": weight})
    return net[net["source"] != net["target"]].drop_duplicates(["source", "target"], ignore_index=True)


def _usable(codes: IntArray, targets: Sequence[Sequence[str]], min_cells: int) -> BoolArray:
    """Return which codes are usable: control, or a single perturbation with enough training cells; the last: no code."""
    n = np.bincount(codes[codes >= 0], minlength=len(targets))
    single = [len(genes) == 1 and n[i] >= min_cells for i, genes in enumerate(targets)]
    return np.array([True, *single[1:], False])


def _check_edges(threshold: float, n_top: int) -> None:
    if not 0 <= threshold < 1:
        msg = f"`threshold` is {threshold}; it must be at least 0 and below 1."
        raise ValueError(msg)
    if n_top < 1:
        msg = f"`n_top` is {n_top}; it must be at least 1."
        raise ValueError(msg)


def jaccard_net(
    sets: pd.DataFrame,
    *,
    threshold: float = 0.1,
    n_top: int = 20,
    genes: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Build a network of genes with shared annotation: for each gene, the ``n_top`` largest Jaccard indices.

    With a table of GO terms, this is the perturbation graph of GEARS.

    Parameters
    ----------
    sets
        A frame with ``source`` (the term) and ``target`` (the gene).
    threshold
        Edges have a Jaccard index (shared terms divided by all terms of both genes) above this value.
    n_top
        Maximum number of edges per gene.
    genes
        Genes to keep, for example the perturbed genes; by default all genes.

    Returns
    -------
    A frame with ``source``, ``target`` (genes) and ``weight`` (the index).

    Raises
    ------
    ValueError
        If ``sets`` lacks a column or is empty, or none of ``genes`` is in it.

    References
    ----------
    Roohani et al., Nature Biotechnology 2024.

    Examples
    --------
    >>> import pandas as pd
    >>> import scpertbias as spb
    >>> terms = pd.DataFrame({"source": ["a", "a", "b", "b"], "target": ["STAT1", "JAK2", "STAT1", "MYC"]})
    >>> len(spb.pp.jaccard_net(terms))
    4
    """
    _check_edges(threshold, n_top)
    missing = {"source", "target"} - set(sets.columns)
    if missing:
        msg = f"`sets` lacks the columns {sorted(missing)}; its columns are {list(sets.columns)}."
        raise ValueError(msg)
    pairs = sets[["source", "target"]].dropna().astype(str).drop_duplicates()
    if pairs.empty:
        msg = "`sets` has no row with a source and a target."
        raise ValueError(msg)
    if genes is not None:
        pairs = pairs[pairs["target"].isin({str(gene) for gene in genes})]
        if pairs.empty:
            msg = f"`genes`: none of the {len(genes)} genes is in `sets` (for example, {list(genes)[:5]})."
            raise ValueError(msg)
    term, _ = pd.factorize(pairs["source"], sort=True)
    gene, names = pd.factorize(pairs["target"], sort=True)
    member = sparse.csr_array((np.ones(len(pairs)), (gene, term)), shape=(len(names), int(term.max()) + 1))
    shared = (member @ member.T).tocoo()
    size = np.asarray(member.sum(axis=1)).ravel()
    row, col = shared.coords
    index = shared.data / (size[row] + size[col] - shared.data)
    keep = (row != col) & (index > threshold)
    edges = pd.DataFrame({"source": col[keep], "target": row[keep], "weight": index[keep]})
    edges = edges.sort_values(["target", "weight", "source"], ascending=[True, False, True])
    edges = edges.groupby("target").head(n_top).reset_index(drop=True)
    text = np.asarray(names, dtype=str)
    return edges.assign(source=text[edges["source"]], target=text[edges["target"]])
