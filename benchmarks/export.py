"""A file larger than its share of memory through `scpertbias export` and `scpertbias audit`: ``python -m benchmarks.export``.

The file holds raw counts, CSR, not compressed: a simulated screen, repeated until it has the size asked for. Each command
runs in a process of its own, whose largest resident memory is measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from anndata import AnnData

import scpertbias as spb

from ._table import load, machine

LIMIT_GB = 2.0
N_CELLS, N_GENES, N_PERTURBATIONS = 8_000, 4_000, 100


def make(path: Path, gigabytes: float, *, size: tuple[int, int, int] = (N_CELLS, N_GENES, N_PERTURBATIONS)) -> int:
    """Write the file; return its number of cells."""
    screen = spb.ds.simulate(*size)
    counts = screen.layers["counts"].tocsr()
    bytes_of_one = counts.data.astype(np.float32).nbytes + counts.indices.nbytes
    times = max(1, round(gigabytes * 1e9 / bytes_of_one))
    obs = pd.concat([screen.obs[["perturbation"]]] * times)
    obs.index = [f"cell{i}" for i in range(len(obs))]
    AnnData(obs=obs, var=screen.var[[]]).write_h5ad(path)
    nnz, n = counts.nnz, screen.n_obs
    with h5py.File(path, "a") as file:
        if "X" in file:
            del file["X"]
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = np.array([n * times, screen.n_vars])
        data = group.create_dataset("data", shape=(nnz * times,), dtype=np.float32)
        indices = group.create_dataset("indices", shape=(nnz * times,), dtype=np.int32)
        for i in range(times):
            data[i * nnz : (i + 1) * nnz] = counts.data
            indices[i * nnz : (i + 1) * nnz] = counts.indices
        starts = (counts.indptr[:-1].astype(np.int64) + nnz * np.arange(times)[:, None]).ravel()
        group["indptr"] = np.append(starts, nnz * times)
    return n * times


def run(command: str, path: Path, *options: str) -> dict[str, Any]:
    """Run a command of scpertbias in a process of its own; return its seconds and largest resident memory."""
    words = [sys.executable, "-m", "benchmarks._peak", command, str(path), "--memory", "0", "--quiet", *options]
    start = time.perf_counter()
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(result.stderr[-2000:])
    measured = dict(line.split() for line in result.stderr.splitlines()[-2:])
    return {"seconds": time.perf_counter() - start, **{name: float(value) for name, value in measured.items()}}


def main(arguments: list[str] | None = None) -> None:
    """Make the file, export it, audit what was exported, and print how much memory each took."""
    parser = argparse.ArgumentParser(description="Export and audit a file in less memory than it takes.")
    parser.add_argument("--gigabytes", type=float, default=5.0, help="size of the file (default: %(default)g)")
    parser.add_argument(
        "--folder", type=Path, help="where files go; four times the size is needed (a temporary folder)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path, out = Path(folder) / "screen.h5ad", Path(folder) / "regimes"
        n_cells = make(path, options.gigabytes)
        size = path.stat().st_size / 1e9
        print(f"{n_cells:,} cells × {N_GENES:,} genes, {size:.2f} GB, load {load()}", flush=True)
        rows = {"export": run("export", path, "--regimes", "no_mt_ribo", "--out", str(out))}
        written = ad.read_h5ad(out / "no_mt_ribo.h5ad", backed="r")
        shape = written.shape
        written.file.close()
        rows["audit"] = run(
            "audit", path, "--tables-only", "--n-random", "0", "--models", "mean,ridge", "--out", str(out / "audit")
        )
    for name, row in rows.items():
        met = "within" if row["peak_gb"] <= LIMIT_GB else "ABOVE"
        print(
            f"{name}: {row['seconds']:.0f} s, processor {row['cpu_s']:.0f} s, peak {row['peak_gb']:.2f} GB, {met} {LIMIT_GB:g} GB"
        )
    print(f"written: {shape[0]:,} × {shape[1]:,}")
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": machine(), "gigabytes": size, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
