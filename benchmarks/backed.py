"""`pp.profiles` of a file beside reading the file alone, and beside the same pass with its reading not counted.

Reading and computing overlap, so the whole should take little more than the slower of the two; and its memory is that of
the moments and two chunks, whatever the file. The budget is for a file larger than memory (``benchmarks.large``): one that
the system keeps in its cache is read by the same cores that compute. ``python -m benchmarks.backed gzip`` does it with raw
counts of a file compressed with gzip, 60,000 × 4,000.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import scanpy as sc
from anndata import AnnData

import scpertbias as spb
from scpertbias._core.chunks import Chunk
from scpertbias._moments import streaming

from ._measure import MIN_PAIRS, Row, peak_memory_gb, reset_peak_memory, seconds
from ._screen import size_of
from .profiles import counts_of

AT_MOST, GIGABYTES, CHUNK_GB = 1.5, 2.0, 0.25
TOLERANCE = 1e-6
N_COMPARED = 8
"""Perturbations of which the means are compared with scanpy's."""


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for form, x in (("CSR", adata.X), ("CSC", adata.X.tocsc())):
            path = Path(folder) / f"{form}.h5ad"
            AnnData(x, obs=adata.obs, var=adata.var).write_h5ad(path)
            del x
            line = row(f"profiles, {form} file", size_of(adata), **measure_in_fresh_process(path, pairs))
            rows.append(replace(line, budget="see benchmarks.large", met=None))
    return rows


def measure_in_fresh_process(path: Path, pairs: int, counts: bool = False) -> dict[str, Any]:
    """Measure in a process of its own, which never held the cells; ``counts`` are normalized on the way."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, path, pairs, counts).result()


def measure(path: Path, pairs: int, counts: bool = False) -> dict[str, Any]:
    """Take the memory of the first run; then time the whole, reading alone and computing alone in turn."""
    sc.settings.verbosity = 0
    reset_peak_memory()
    profiles = ours(path, counts)
    memory = peak_memory_gb()
    gap = difference(path, profiles, counts)
    del profiles
    timed = [
        (seconds(lambda: ours(path, counts)), seconds(lambda: read_alone(path)), computing_alone(path, counts))
        for _ in range(pairs)
    ]
    return {"timed": timed, "memory": memory, "difference": gap}


def ours(path: Path, counts: bool = False) -> AnnData:
    adata = ad.read_h5ad(path, backed="r")
    profiles = spb.pp.profiles(adata, normalize=counts, chunk_memory=CHUNK_GB)
    adata.file.close()
    return profiles


def difference(path: Path, profiles: AnnData, counts: bool) -> float:
    """Largest difference from scanpy's means, of as many perturbations as one would read into memory."""
    adata = ad.read_h5ad(path, backed="r")
    gap = 0.0
    for name in profiles.obs_names[1 :: max(1, profiles.n_obs // N_COMPARED)]:
        cells = AnnData(adata.X[np.flatnonzero(adata.obs["perturbation"] == name)].astype(np.float64))
        if counts:
            sc.pp.normalize_total(cells, target_sum=1e4)
            sc.pp.log1p(cells)
        mean = np.asarray(cells.X.mean(axis=0)).ravel()
        gap = max(gap, float(np.abs(mean - profiles[name].X).max()))
    adata.file.close()
    return gap


def read_alone(path: Path) -> None:
    """Read the arrays of the matrix with h5py, as much at a time as the pass does."""
    with h5py.File(path) as file:
        data, indices = file["X/data"], file["X/indices"]
        step = int(CHUNK_GB / 2 * 1e9 / (data.dtype.itemsize + indices.dtype.itemsize))
        for start in range(0, data.shape[0], step):
            data[start : start + step], indices[start : start + step]


def computing_alone(path: Path, counts: bool) -> float:
    """Seconds of the same pass over the same chunks, without those that reading them takes."""
    real, reading = streaming.chunks, 0.0
    adata = ad.read_h5ad(path, backed="r")
    parts = [(chunk.rows, chunk.genes) for chunk in real(adata.X, n_bytes=CHUNK_GB * 1e9)]
    adata.file.close()

    def one_by_one(x: Any, *, n_bytes: float) -> Any:
        nonlocal reading
        for rows, genes in parts:
            start = time.perf_counter()
            values = x[:, genes] if genes != slice(0, x.shape[1]) else x[rows]
            reading += time.perf_counter() - start
            yield Chunk(rows, genes, values)

    streaming.chunks = one_by_one
    try:
        return seconds(lambda: ours(path, counts)) - reading
    finally:
        streaming.chunks = real


def row(work: str, size: str, *, timed: list[tuple[float, float, float]], memory: float, difference: float) -> Row:
    """Met if the whole takes at most so many times the slower of its two halves, and no more memory than allowed."""
    ratios = [whole / max(read, compute) for whole, read, compute in timed]
    ratio = statistics.median(ratios)
    return Row(
        work=work,
        size=size,
        ours_s=statistics.median(whole for whole, _, _ in timed),
        peer_s=statistics.median(max(read, compute) for _, read, compute in timed),
        ratio=ratio,
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        memory_gb=memory,
        difference=difference,
        tolerance=TOLERANCE,
        budget=f"≤ {AT_MOST:g}× the slower, < {GIGABYTES:g} GB",
        met=ratio <= AT_MOST and memory < GIGABYTES and difference <= TOLERANCE,
    )


def run_gzip(n_cells: int, n_genes: int, n_perturbations: int, *, pairs: int = MIN_PAIRS) -> Row:
    """Raw counts of a compressed file, which h5py decompresses in one thread."""
    cells = counts_of(n_cells, n_genes, n_perturbations)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gzip.h5ad"
        del cells.obs["batch"]
        cells.write_h5ad(path, compression="gzip")
        size = size_of(cells)
        del cells
        return row("profiles, gzip file", size, **measure_in_fresh_process(path, pairs, counts=True))


if __name__ == "__main__":
    import sys

    from ._table import main, table

    if sys.argv[1:] == ["gzip"]:
        print(table([run_gzip(60_000, 4_000, 300)]))
    else:
        main([run])
