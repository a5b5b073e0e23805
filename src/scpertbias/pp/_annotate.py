"""Annotation of mitochondrial, ribosomal and other confounder genes."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _store, _validate
from .._core.arrays import BoolArray
from .._docs import docs
from .._log import added, warn

# RPSA and its copy, S and L proteins with their paralogs (RPS4Y1, mouse Rps3a1, RPL22L1, RPL36AL), the P0 to P2 stalk.
_STRICT_RIBO = re.compile(r"RP(SA2?|S\d+(A\d?|X|Y\d|L)?|L\d+(A|L\d?|AL)?|LP[0-2])")
_PREFIXES = {"human": ("MT-", "RPS", "RPL"), "mouse": ("mt-", "Rps", "Rpl")}
SPECIES = tuple(_PREFIXES)
RIBO = ("strict", "prefix")


@docs.dedent
def annotate_confounders(
    adata: AnnData,
    sets: pd.DataFrame | None = None,
    *,
    species: str | None = None,
    ribo: str = "strict",
    gene_symbols: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Mark mitochondrial and ribosomal genes (and genes of further sets) in ``var``.

    Parameters
    ----------
    adata
        Cells or profiles.
    sets
        Further sets: a frame with ``source`` (the set) and ``target`` (the gene), such as
        :func:`scpertbias.ds.confounder_sets`. Sets of this frame with the name ``mt`` or ``ribo`` are ignored. If the
        name of a set is a column of ``var`` that is not boolean, an error is raised.
    species
        ``"human"`` (``MT-``, ``RPS``/``RPL``), ``"mouse"`` (``mt-``, ``Rps``/``Rpl``), or None for both. Names with a
        genome prefix (``GRCh38_MT-CO1``), other spellings (``MT.CO1``), and Ensembl ids of human confounder genes are
        recognized, too.
    ribo
        ``"strict"``: names of cytosolic ribosomal proteins. ``"prefix"``: every name that begins with RPS or RPL, as in
        Kavirayuni & Venturelli (2025). This prefix includes kinases such as RPS6KA1.
    %(gene_symbols)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.var['mt']``, ``adata.var['ribo']``, and a column per further set : :class:`pandas.Series` (dtype ``bool``)
        Whether the gene is in the set, so that ``sc.pp.calculate_qc_metrics(adata, qc_vars=["mt", "ribo"])`` works.

    Raises
    ------
    ValueError
        If ``species`` or ``ribo`` is unknown, ``sets`` lacks a column, or the name of a set is not a valid column name.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.annotate_confounders(adata)
    >>> int(adata.var["mt"].sum()), int(adata.var["ribo"].sum())
    (5, 0)
    """
    _validate.cells_or_profiles(adata, lazy=True)  # the values are not read
    if species is not None:
        _validate.choice(species, SPECIES, argument="species")
    _validate.choice(ribo, RIBO, argument="ribo")
    symbols, _ = _validate.gene_symbols(adata, gene_symbols)
    columns = masks(symbols, species=species, ribo=ribo, sets=sets)
    _check_names(adata, columns)
    adata = adata.copy() if copy else adata
    for name, mask in columns.items():
        _store.put_var(adata, name, mask)
    if not columns["mt"].any() and not columns["ribo"].any():
        warn(
            f"No mitochondrial or ribosomal gene is recognized among {adata.n_vars} genes (for example "
            f"{symbols[:3].tolist()}). Pass gene_symbols= with the name of the column of var that contains the symbols"
            + ("." if species is None else f", and check species={species!r}.")
        )
    added(*(f"{name!r}: {int(mask.sum())} genes (adata.var)" for name, mask in columns.items()))
    return adata if copy else None


def masks(
    symbols: npt.NDArray[np.str_],
    *,
    species: str | None = None,
    ribo: str = "strict",
    sets: pd.DataFrame | None = None,
) -> dict[str, BoolArray]:
    """Return one boolean per gene for each set."""
    prefixes = [_PREFIXES[name] for name in (SPECIES if species is None else (species,))]
    mt, ribosomal = tuple(p[0] for p in prefixes), tuple(name for p in prefixes for name in p[1:])
    in_ribo = [
        symbol.startswith(ribosomal) and (ribo == "prefix" or _STRICT_RIBO.fullmatch(symbol.upper()) is not None)
        for symbol in symbols.tolist()
    ]
    in_mt = [symbol.startswith(mt) for symbol in symbols.tolist()]
    out = {"mt": np.array(in_mt, dtype=bool), "ribo": np.array(in_ribo, dtype=bool)}
    if sets is None:
        return out
    missing = {"source", "target"} - set(sets.columns)
    if missing:
        msg = f"`sets` lacks the columns {sorted(missing)}; its columns are {list(sets.columns)}."
        raise ValueError(msg)
    for name, genes in sets.groupby("source", observed=True)["target"]:
        if str(name) not in out:
            out[str(name)] = np.isin(symbols, genes.dropna().astype(str).to_numpy(str))
    return out


def marked(adata: AnnData, name: str, symbols: npt.NDArray[np.str_]) -> BoolArray:
    """Return the genes of ``var[name]``; for ``mt`` and ``ribo`` without such a column, genes by name."""
    if name not in adata.var.columns:
        by_name = masks(symbols)
        if name not in by_name:
            msg = (
                f"`sets`: var has no column {name!r}; call spb.pp.annotate_confounders first. "
                f"Its columns are {list(adata.var.columns)}."
            )
            raise KeyError(msg)
        return by_name[name]
    if not _is_boolean(adata.var[name]):
        msg = f"var[{name!r}] is {adata.var[name].dtype}; a boolean column without missing values is needed."
        raise TypeError(msg)
    return adata.var[name].to_numpy(bool)


def _is_boolean(column: pd.Series) -> bool:
    return not column.isna().any() and column.map(lambda value: isinstance(value, bool | np.bool_)).all()


def _check_names(adata: AnnData, names: Iterable[str]) -> None:
    for name in names:
        if not name or "/" in name:
            msg = f"`sets` contains a set named {name!r}; a column of var needs a name without '/'."
            raise ValueError(msg)
        if name in adata.var.columns and not _is_boolean(adata.var[name]):
            msg = (
                f"var[{name!r}] already exists and is {adata.var[name].dtype}, not boolean; rename it, or the set of "
                "that name in `sets`."
            )
            raise ValueError(msg)
