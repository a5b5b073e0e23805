"""`pp.profiles` of a lazy file on two dask workers, beside the same file read here."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import anndata as ad
import dask
import numpy as np
from anndata import AnnData
from distributed import Client, LocalCluster

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, peak_memory_gb, seconds
from ._screen import size_of

WORKERS, LIMIT_GB, CHUNK_GB, TOLERANCE = 2, 2.0, 0.25, 1e-6


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    """``pairs`` is not used: what counts are the numbers and the workers' memory."""
    del pairs
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "screen.h5ad"
        AnnData(adata.X, obs=adata.obs, var=adata.var).write_h5ad(path)
        return [row(path, size_of(adata), limit_gb=LIMIT_GB, counts=False)]


def row(path: Path, size: str, *, limit_gb: float, counts: bool) -> Row:
    """Read a file here and on the workers; met if the numbers are the same, and no worker took more than its limit."""
    backed = ad.read_h5ad(path, backed="r")
    expected = spb.pp.profiles(backed, normalize=counts, chunk_memory=CHUNK_GB)
    backed.file.close()
    results: list[AnnData] = []
    with (
        dask.config.set({"distributed.admin.tick.limit": "60s"}),  # a compiled kernel does not answer meanwhile
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, memory_limit=f"{limit_gb}GB", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        client.run(lambda: __import__("scpertbias") and None)
        pids = set(client.run(os.getpid).values())
        spent = seconds(lambda: results.append(spb.pp.profiles(lazy(path), normalize=counts, chunk_memory=CHUNK_GB)))
        peak = max(client.run(peak_memory_gb).values())
        survived = pids == set(client.run(os.getpid).values())
    difference = max(
        float(np.nanmax(np.abs(np.asarray(results[0].layers[key]) - expected.layers[key]))) for key in expected.layers
    )
    return Row(
        work=f"profiles, {WORKERS} dask workers",
        size=size,
        ours_s=spent,
        memory_gb=peak,
        difference=difference,
        tolerance=TOLERANCE,
        budget=f"same numbers, each < {limit_gb:g} GB",
        met=difference <= TOLERANCE and peak < limit_gb and survived,
    )


def lazy(path: Path) -> AnnData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # read_lazy announces what it is
        return ad.experimental.read_lazy(path)


if __name__ == "__main__":
    from ._table import main

    main([run])
