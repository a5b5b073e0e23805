"""Profiles from cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from anndata import AnnData

from .. import _moments, _store, _validate
from .._core.arrays import BoolArray
from .._docs import docs
from .._labels import LabelMap
from .._log import info
from .._moments.profiles import write as write_profiles


@docs.dedent
def profiles(
    adata: AnnData,
    *,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    normalize: bool = False,
    size_factors: str | None = None,
    target_sum: float = 1e4,
    covariates: Sequence[str] = (),
    guide_key: str | None = None,
    chunk_memory: float = 0.5,
    rng: int | np.random.Generator | None = 0,
) -> AnnData:
    """Compute the mean profile of each perturbation, with everything an audit needs, in one pass over the cells.

    Parameters
    ----------
    adata
        Cells: log-normalized, or raw counts with ``normalize=True``. The matrix can be CSR, CSC or dense. It can be in
        memory, backed by a file (``read_h5ad(…, backed="r")``, or an on-disk matrix as ``X``), or lazy
        (:func:`anndata.experimental.read_lazy`, any dask array). Data that are not in memory are read once, in parts.
        If there is a ``dask.distributed`` client, its workers read the dask array.
    %(cells)s
    normalize
        Whether the values are raw counts. If True, they are transformed to
        ``log1p(target_sum * count / size_factor)``.
    size_factors
        Column of ``obs`` with the size factor of each cell. By default, the size factor is the total count of the cell
        over the measured genes.
    target_sum
        Total counts per cell after scaling.
    covariates
        Numeric columns of ``obs``. Their moments are stored in the profiles, so that
        :func:`scpertbias.pp.regress_mt_ribo` can regress them out.
    guide_key
        Column of ``obs`` with guides: :func:`scpertbias.pp.check` then also compares two halves of the guides of each
        perturbation (``reproducibility_guides``).
    chunk_memory
        Limit in gigabytes for the cells that are in memory at the same time, if cells are read in parts. The moments
        need additional memory: about 50 bytes per perturbation and gene, plus 40 bytes per perturbation, gene and
        covariate.
    %(rng)s

    Returns
    -------
    Profiles: one row per perturbation and split, and one column per gene (float64, log-normalized units).

    ``X``
        Mean expression without differences between batches: the control mean of all cells plus the effect.
    ``layers['half_1']``, ``layers['half_2']``
        The same for two disjoint halves of the cells (NaN if a half is empty).
    ``layers['var']``
        Unbiased variance over cells, within batches.
    ``varm['control_blocks']``
        Means of 20 blocks of control cells, minus the control mean of their half and batch (genes × blocks).
    ``obsm['levels']``, ``varm['control_by_level']``, ``varm['control_var_by_level']``
        Data for :func:`scpertbias.tl.balance`. For each level of the columns of ``obs`` that can be tested: number of
        cells per row, and mean and variance of the control cells.
    ``obsm['quality']``, ``obsm['quality_var']``
        Mean and variance of two quantities, if they are known: log depth, and percentage of mitochondrial counts.
    ``obs``
        ``perturbation``, ``split``, ``n_cells``, ``is_reference``, ``n_targets``, ``target_measured``, ``used``,
        ``reason`` (if a row is not used).
    ``uns['scpertbias']['profiles']``
        Settings of the profiles, and the number of cells that were left out, per reason.

    Raises
    ------
    ValueError
        If values are on the wrong scale, no control is recognized, no perturbation has ``min_cells`` cells, or
        ``adata`` already contains profiles.
    KeyError
        If a column of ``obs`` is missing.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> profiles.shape
    (26, 303)
    """
    arguments = {name: value for name, value in locals().items() if name != "adata"}
    return profiles_of(adata, **arguments)


def profiles_of(
    adata: AnnData,
    *,
    genes: BoolArray | None = None,
    batch_key: str | Sequence[str] | None = None,
    layer: str | None = None,
    covariates: Sequence[str] = (),
    **data: Any,
) -> AnnData:
    """Make profiles of all or some genes, as :func:`profiles`."""
    _validate.cells_or_profiles(adata, lazy=True)
    if _store.profiles_record(adata) is not None:
        msg = "`adata` already contains profiles; pass the cells."
        raise ValueError(msg)
    adata = _store.light(adata, layer) if _store.is_lazy(adata) else adata
    covariates = [covariates] if isinstance(covariates, str) else covariates
    screen = _moments.of(adata, batch_key=batch_key, layer=layer, covariates=covariates, genes=genes, **data)
    n_out = int(np.sum(screen.record["left_out_cells"]))
    info(
        f"profiles: {adata.n_obs - n_out} cells in {len(screen.names)} groups, control {screen.reference!r}"
        + (f"; {n_out} cells left out" if n_out else "")
    )
    return write_profiles(screen, adata.var.loc[screen.genes])
