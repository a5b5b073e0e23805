"""A screen larger than memory through `scpertbias audit`: ``python -m benchmarks.large --cells 1000000``.

The file is simulated cell by cell as :func:`scpertbias.ds.simulate` does, and written some thousand cells at a time: raw
counts, CSR, not compressed. The audit runs in a process of its own, whose largest resident memory is measured; so does
its first step, ``pp.profiles``, beside reading the file alone and computing alone, and on two dask workers.
"""

from __future__ import annotations

import argparse
import json
import os
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

from scpertbias.ds._simulation.assemble import design
from scpertbias.ds._simulation.panel import default_depth, gene_panel, is_mitochondrial, set_members
from scpertbias.ds._simulation.planted import plant_effects
from scpertbias.ds._simulation.sampling import Population, draw_cells

from . import backed, cluster
from ._table import machine, table

CHUNK = 8192
DENSITY = 0.35
LIMIT_GB = 4.0


def population(
    n_genes: int, n_perturbations: int, *, depth: float | None = None
) -> tuple[Population, Any, pd.DataFrame]:
    """Return what the cells are drawn from, what is planted, and the genes."""
    rng, panel = np.random.default_rng(0), gene_panel(n_genes)
    effects = plant_effects(
        panel,
        n_perturbations,
        axis_strength=0.3,
        specific_strength=0.5,
        inert_fraction=0.1,
        n_modules=min(10, n_perturbations),
        module_share=0.5,
        knockdown=0.2,
        rng=rng,
    )
    base = panel["relative_expression"].to_numpy() / panel["relative_expression"].sum()
    rate = base * np.exp(np.vstack([np.zeros(n_genes), effects.lfc]))
    depth = default_depth(panel) if depth is None else depth
    return (
        Population(rate, np.ones((1, n_genes)), panel["size"].to_numpy(), effects.axis, 0.1, depth, 0.35),
        effects,
        panel,
    )


def depth_for(n_genes: int, density: float) -> float:
    """Return the mean depth at which so many entries are not zero, by trial on some hundred control cells."""
    low, high = 20.0, 200_000.0
    for _ in range(14):
        middle = float(np.sqrt(low * high))
        drawn = population(n_genes, 2, depth=middle)[0]
        zeros = np.zeros(200, dtype=np.int64)
        (cells,) = draw_cells(
            drawn, zeros, zeros, members=(np.zeros(n_genes, dtype=bool),), seed=np.random.SeedSequence(0), n_jobs=1
        )
        low, high = (middle, high) if len(cells.counts) / (200 * n_genes) < density else (low, middle)
    return middle


def make(path: Path, n_cells: int, n_genes: int, n_perturbations: int, *, density: float = DENSITY) -> None:
    """Write a screen, of which a few thousand cells exist at a time."""
    drawn, effects, panel = population(n_genes, n_perturbations, depth=depth_for(n_genes, density))
    seeds = np.random.SeedSequence(1).spawn(2)
    group, batch, _ = design(n_cells, n_perturbations, 0.08, 1, seeds[0])
    labels = np.array(["non-targeting", *effects.targets], dtype=object)
    genes = panel["gene"].astype(str).to_numpy()
    members = (is_mitochondrial(panel["gene"]), panel["gene"].isin(set_members("ribo")).to_numpy())
    starts = range(0, n_cells, CHUNK)
    with h5py.File(path, "w") as file:
        ad.io.write_elem(file, "/", ad.AnnData(obs=_obs(group, labels), var=pd.DataFrame(index=genes)))
        x = file.create_group("X")
        x.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": (n_cells, n_genes)})
        room = {"shape": (0,), "maxshape": (None,), "chunks": (1 << 20,)}
        data, indices = (
            x.create_dataset("data", dtype=np.float32, **room),
            x.create_dataset("indices", dtype=np.int32, **room),
        )
        n_stored = np.zeros(n_cells, dtype=np.int64)
        for start, seed in zip(starts, seeds[1].spawn(len(starts)), strict=True):
            rows, end = slice(start, start + CHUNK), data.shape[0]
            some = draw_cells(drawn, group[rows], batch[rows], members=members, seed=seed, n_jobs=2)
            n_stored[rows] = np.concatenate([cells.n_stored for cells in some])
            for target, part in ((data, "counts"), (indices, "indices")):
                values = np.concatenate([getattr(cells, part) for cells in some])
                target.resize((end + len(values),))
                target[end:] = values
        x.create_dataset("indptr", data=np.concatenate([[0], np.cumsum(n_stored)]))


def _obs(group: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    perturbation = pd.Categorical.from_codes(group, labels).remove_unused_categories()
    return pd.DataFrame({"perturbation": perturbation}, index=[f"cell_{i}" for i in range(len(group))])


def audit(path: Path, out: Path, *options: str) -> dict[str, Any]:
    """Run the command line in a process of its own; return seconds and the largest resident memory."""
    command = [
        sys.executable,
        "-m",
        "benchmarks._peak",
        "audit",
        str(path),
        "--tables-only",
        "--out",
        str(out),
        *options,
    ]
    start = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise RuntimeError(process.stderr[-2000:])
    peak = float(next(line for line in process.stderr.splitlines() if line.startswith("peak_gb")).split()[1])
    return {"seconds": time.perf_counter() - start, "peak_gb": peak, "said": process.stdout, "log": process.stderr}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--genes", type=int, default=8000)
    parser.add_argument("--perturbations", type=int, default=2000)
    parser.add_argument("--density", type=float, default=DENSITY, help="share of the entries that are not zero")
    parser.add_argument("--pairs", type=int, default=2, help="timed runs of pp.profiles (0: the audit alone)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="threads of the audit (default: all cores)"
    )
    parser.add_argument("--folder", type=Path, help="where the file is made and removed; by default a temporary one")
    parser.add_argument("--keep", action="store_true", help="keep the file, and use it if it is there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured to this file")
    parser.add_argument("options", nargs="*", help="further options of scpertbias audit, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        name = f"screen_{arguments.cells}_{arguments.genes}_{arguments.perturbations}.h5ad"
        path = Path(arguments.folder or folder) / name if arguments.keep else Path(folder) / name
        start = time.perf_counter()
        if not path.exists():
            make(path, arguments.cells, arguments.genes, arguments.perturbations, density=arguments.density)
        seconds_to_make, size = time.perf_counter() - start, path.stat().st_size / 1e9
        print(f"{name}: {size:.1f} GB, made in {seconds_to_make:.0f} s", flush=True)
        shape = f"{arguments.cells:,} × {arguments.genes:,} × {arguments.perturbations + 1:,}"
        steps = []
        if arguments.pairs:
            steps.append(
                backed.row(
                    "profiles, CSR file", shape, **backed.measure_in_fresh_process(path, arguments.pairs, counts=True)
                )
            )
            steps.append(cluster.row(path, shape, limit_gb=LIMIT_GB, counts=True))
            print(table(steps), flush=True)
        figures = audit(path, Path(folder) / "audit", "--n-jobs", str(arguments.jobs), *arguments.options)
    print(figures["log"])
    print(figures["said"])
    met = figures["peak_gb"] < LIMIT_GB
    print(
        f"audit: {figures['seconds']:.0f} s, {figures['peak_gb']:.2f} GB resident (< {LIMIT_GB:g}: {'yes' if met else 'no'})"
    )
    if arguments.json is not None:
        sizes = {
            "cells": arguments.cells,
            "genes": arguments.genes,
            "perturbations": arguments.perturbations,
            "file_gb": size,
        }
        rows = [step.as_dict() for step in steps]
        report = {"machine": machine(), **sizes, "made_s": seconds_to_make, "rows": rows, **figures}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
