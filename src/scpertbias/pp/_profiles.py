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
        Cells: log-normalized, or raw counts with ``normalize=True``. CSR, CSC or dense, in memory, backed by a file
        (``read_h5ad(…, backed="r")``, or an on-disk matrix as ``X``), or lazy (:func:`anndata.experimental.read_lazy`,
        any dask array). Data that are not in memory are read once, in parts. With a ``dask.distributed`` client, the
        cluster reads a dask array.
    %(cells)s
    normalize
        Whether the values are raw counts; they are transformed to ``log1p(target_sum * count / size_factor)``.
    size_factors
        Column of ``obs`` with the size of each cell; by default its total over the measured genes.
    target_sum
        Total counts per cell after scaling.
    covariates
        Numeric columns of ``obs`` whose moments are stored, for :func:`scpertbias.pp.regress_mt_ribo` on the profiles.
    guide_key
        Column of ``obs`` with guides: :func:`scpertbias.pp.check` then also compares two halves of the guides of each
        perturbation (``reproducibility_guides``).
    chunk_memory
        Memory in gigabytes for cells that are read in parts. The moments need additional memory: about 50 bytes for
        each perturbation and gene, and 40 more for each covariate.
    %(rng)s

    Returns
    -------
    Profiles (one row for each perturbation and split × genes, float64, in the units of the input):

    ``X``
        Mean, with each cell centered by the control mean of its batch.
    ``layers['half_1']``, ``layers['half_2']``
        Means of two disjoint halves of the cells (NaN if a half is empty).
    ``layers['var']``
        Unbiased variance over cells.
    ``varm['control_blocks']``
        Means of 20 blocks of control cells (genes × blocks).
    ``obsm['levels']``, ``varm['control_by_level']``, ``varm['control_var_by_level']``
        For :func:`scpertbias.tl.balance`: number of cells per level of every testable column of ``obs``, and mean and
        variance of the control cells in each level.
    ``obsm['quality']``, ``obsm['quality_var']``
        Mean and variance of log depth and of the percentage of mitochondrial counts, if known.
    ``obs``
        ``perturbation``, ``split``, ``n_cells``, ``is_reference``, ``n_targets``, ``target_measured``, ``used``,
        ``reason`` (if a row is not used).
    ``uns['scpertbias']['profiles']``
        Settings of the profiles, and the cells left out by reason.

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
