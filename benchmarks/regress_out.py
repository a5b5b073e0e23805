"""`pp.regress_mt_ribo` beside the write of its dense result, and on all cells beside `sc.pp.regress_out`."""

from __future__ import annotations

import statistics
import warnings
from dataclasses import replace

import numpy as np
import scanpy as sc
from anndata import AnnData
from numba.core.errors import NumbaPerformanceWarning

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, Times, comparison, seconds
from ._screen import size_of

COVARIATES = ("pct_counts_mt", "pct_counts_ribo")
CONTROL = "non-targeting"
AT_MOST, TOLERANCE = 2.5, 1e-4


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    gaps = {
        "control": exact_difference(adata, ours(cells(adata), fit_on="control")),
        "all": difference(ours(cells(adata)), peer(cells(adata))),
    }
    timed = [
        (
            seconds(lambda: ours(cells(adata), fit_on="control")),
            seconds(lambda: write(adata.shape)),
            seconds(lambda: ours(cells(adata))),
            seconds(lambda: write(adata.shape)),
            seconds(lambda: peer(cells(adata))),
        )
        for _ in range(pairs)
    ]
    on_control, after_control, on_all, after_all, theirs = zip(*timed, strict=True)
    size = size_of(adata)
    rows = [
        beside_the_write("control", size, Times(on_control, after_control), difference=gaps["control"]),
        beside_the_write("all", size, Times(on_all, after_all), difference=gaps["all"]),
    ]
    other = comparison("", size, Times(on_all, theirs), at_least=0, difference=gaps["all"], tolerance=TOLERANCE)
    return [*rows, replace(other, work="regress_mt_ribo on all, beside scanpy", budget="–", met=None)]


def beside_the_write(fit_on: str, size: str, times: Times, *, difference: float) -> Row:
    """Met if the whole takes at most so many times the write of its result, and the results agree."""
    ratios = [whole / write for whole, write in zip(times.ours, times.peer, strict=True)]
    ratio = statistics.median(ratios)
    return Row(
        work=f"regress_mt_ribo on {fit_on}",
        size=size,
        ours_s=statistics.median(times.ours),
        peer_s=statistics.median(times.peer),
        ratio=ratio,
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        budget=f"≤ {AT_MOST:g}× the write",
        met=ratio <= AT_MOST and difference <= TOLERANCE,
        difference=difference,
        tolerance=TOLERANCE,
    )


def write(shape: tuple[int, int]) -> np.ndarray:
    """Write a new dense array of the size and type of the result."""
    return np.full(shape, 1.0, dtype=np.float32)


def cells(adata: AnnData) -> AnnData:
    """The same matrix in an AnnData of its own: neither function changes sparse values in place, both store anew."""
    return AnnData(adata.X, obs=adata.obs, var=adata.var)


def ours(adata: AnnData, *, fit_on: str = "all") -> np.ndarray:
    spb.pp.regress_mt_ribo(adata, covariates=COVARIATES, fit_on=fit_on)
    return adata.layers["regressed"]


def peer(adata: AnnData) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaPerformanceWarning)  # of scanpy's own code, where it is compiled first
        sc.pp.regress_out(adata, list(COVARIATES))
    return adata.X


def exact_difference(adata: AnnData, residuals: np.ndarray, *, n_cells: int = 2000) -> float:
    """Largest difference from residuals of NumPy's least squares on the control cells, for the first cells."""
    control, z = adata.obs["perturbation"] == CONTROL, adata.obs[list(COVARIATES)].to_numpy()
    z = z - z[control].mean(axis=0)
    x = adata.X[control.to_numpy()].toarray().astype(np.float64)
    slopes = np.linalg.lstsq(z[control], x - x.mean(axis=0), rcond=None)[0]
    exact = adata.X[:n_cells].toarray() - z[:n_cells] @ slopes
    return float(np.abs(exact - residuals[:n_cells]).max())


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
