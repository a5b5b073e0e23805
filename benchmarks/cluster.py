"""`pp.pseudobulk` of a lazy file on two dask workers, beside the same file read here."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
from anndata import AnnData
from distributed import Client, LocalCluster

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, peak_memory_gb, seconds
from ._screen import size_of

WORKERS, LIMIT_GB, TOLERANCE = 2, 2.0, 1e-6


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    """``pairs`` is not used: what counts are the numbers and the workers' memory."""
    del pairs
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "screen.h5ad"
        AnnData(adata.X, obs=adata.obs, var=adata.var).write_h5ad(path)
        expected = spb.pp.pseudobulk(ad.read_h5ad(path, backed="r"))
        found: list[AnnData] = []
        with (
            LocalCluster(n_workers=WORKERS, threads_per_worker=1, memory_limit=f"{LIMIT_GB}GB") as cluster,
            Client(cluster) as client,
        ):
            client.run(lambda: __import__("scpertbias") and None)
            spent = seconds(lambda: found.append(spb.pp.pseudobulk(lazy(path))))
            peak = max(client.run(peak_memory_gb).values())
    difference = max(
        float(np.nanmax(np.abs(np.asarray(found[0].layers[key]) - expected.layers[key]))) for key in expected.layers
    )
    return [
        Row(
            work=f"pseudobulk, {WORKERS} dask workers",
            size=size_of(adata),
            ours_s=spent,
            memory_gb=peak,
            difference=difference,
            tolerance=TOLERANCE,
            budget=f"same numbers, each < {LIMIT_GB:g} GB",
            met=difference <= TOLERANCE and peak < LIMIT_GB,
        )
    ]


def lazy(path: Path) -> AnnData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # read_lazy announces what it is
        return ad.experimental.read_lazy(path)


if __name__ == "__main__":
    from ._table import main

    main([run])
