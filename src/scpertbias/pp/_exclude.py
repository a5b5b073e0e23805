"""Exclusion of confounder genes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from anndata import AnnData

from .. import _store, _validate
from .._docs import docs
from .._log import info, warn
from ._annotate import marked
from ._select_genes import keep_genes


@docs.dedent
def exclude_confounders(
    adata: AnnData,
    sets: str | Sequence[str] = ("mt", "ribo"),
    *,
    gene_symbols: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Remove mitochondrial and ribosomal genes (or genes of other annotated sets).

    Parameters
    ----------
    adata
        Cells or profiles.
    sets
        Boolean columns of ``var``. If the column ``mt`` or ``ribo`` is missing, these genes are recognized by their
        names, as with the default arguments of :func:`scpertbias.pp.annotate_confounders`.
    %(gene_symbols)s
    %(copy)s

    Returns
    -------
    %(stored)s The genes of the sets are removed; ``uns['scpertbias']['excluded']`` contains their names.

    Raises
    ------
    KeyError
        If ``var`` lacks one of the columns in ``sets``.
    TypeError
        If one of these columns is not boolean.
    ValueError
        If none of the sets has a measured gene, or no gene would be left.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.exclude_confounders(adata, "mt")
    >>> adata.n_vars
    298
    """
    _validate.cells_or_profiles(adata)
    names = [sets] if isinstance(sets, str) else list(sets)
    symbols, _ = _validate.gene_symbols(adata, gene_symbols)
    chosen = {name: marked(adata, name, symbols) for name in names}
    remove = np.zeros(adata.n_vars, dtype=bool)
    for mask in chosen.values():
        remove |= mask
    if not remove.any():
        msg = (
            f"`sets`: no measured gene is in {names}, so nothing can be excluded. If genes have other names, call "
            f"spb.pp.annotate_confounders with gene_symbols= or sets= first."
        )
        raise ValueError(msg)
    if remove.all():
        msg = f"`sets`: all measured genes are in {names}, so no gene would remain. Pass fewer sets."
        raise ValueError(msg)
    for name, mask in chosen.items():
        if not mask.any():
            warn(f"The set {name!r} contains no measured gene.")
    adata = adata.copy() if copy else adata
    gone = adata.var_names[remove].tolist()
    keep_genes(adata, ~remove)
    earlier = _store.root(adata).get("excluded", [])
    _store.put(adata, excluded=[*map(str, earlier), *gone])
    info(f"excluded {len(gone)} genes of {names}; {adata.n_vars} genes remain")
    return adata if copy else None
