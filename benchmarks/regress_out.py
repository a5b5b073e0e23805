"""`pp.regress_mt_ribo` on all cells beside `sc.pp.regress_out`."""

from __future__ import annotations

import warnings

import numpy as np
import scanpy as sc
from anndata import AnnData
from numba.core.errors import NumbaPerformanceWarning

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, comparison, interleave
from ._screen import size_of

COVARIATES = ("pct_counts_mt", "pct_counts_ribo")
AT_LEAST, TOLERANCE = 5.0, 1e-4


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    times = interleave(lambda: ours(cells(adata)), lambda: peer(cells(adata)), pairs=pairs)
    gap = difference(ours(cells(adata)), peer(cells(adata)))
    return [
        comparison("regress_mt_ribo", size_of(adata), times, at_least=AT_LEAST, difference=gap, tolerance=TOLERANCE)
    ]


def cells(adata: AnnData) -> AnnData:
    """The same matrix in an AnnData of its own: neither function changes sparse values in place, both store anew."""
    return AnnData(adata.X, obs=adata.obs, var=adata.var)


def ours(adata: AnnData) -> np.ndarray:
    spb.pp.regress_mt_ribo(adata, covariates=COVARIATES, fit_on="all")
    return adata.layers["regressed"]


def peer(adata: AnnData) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaPerformanceWarning)  # of scanpy's own code, where it is compiled first
        sc.pp.regress_out(adata, list(COVARIATES))
    return adata.X


def difference(with_intercept: np.ndarray, without_intercept: np.ndarray, *, n_genes: int = 100) -> float:
    """Largest difference of the residuals up to each gene's intercept, some genes at a time."""
    largest = 0.0
    for start in range(0, with_intercept.shape[1], n_genes):
        block = slice(start, start + n_genes)
        gap = with_intercept[:, block].astype(np.float64) - without_intercept[:, block]
        largest = max(largest, float(np.abs(gap - gap.mean(axis=0)).max()))
    return largest


if __name__ == "__main__":
    from ._table import main

    main([run])
