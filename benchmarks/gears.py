"""GEARS: an epoch of ours and of its authors' own loop, and the memory of each, in processes of their own.

The cells are the same, and so are batches, sizes and graphs. Upstream also evaluates its whole training set after each
epoch; that is timed apart and not counted. ``python -m benchmarks.gears``; a minute an epoch on two quiet cores.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, Watch, peak_memory_gb

N_CELLS, N_GENES, N_PERTURBATIONS = 6000, 1187, 60
N_PREDICTED = 300
"""Cells that upstream predicts for each perturbation."""
SETTINGS = {"epochs": 1, "batch_size": 32, "hidden_size": 64}
FASTER, SMALLER = 1.0, 2.0


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    """The screen is not used: it is too large. Ours, upstream's, ours: at most two runs of ours, ``pairs`` or not."""
    del adata
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        ours = [in_fresh_process(folder)]
        peer = upstream(folder)
        ours += [in_fresh_process(folder) for _ in range(min(pairs - 1, 1))]
    print(
        f"  GEARS: upstream's evaluation of its training set, not counted: {peer['training_set']:.1f} s an epoch; its "
        f"peak memory {peer['memory']:.2f} GB, ours {max(o['memory'] for o in ours):.2f} GB\n"
        f"  GEARS, prediction: {ours[0]['rows']:.2f} rows of a batch a perturbation, upstream {N_PREDICTED} (at most two, "
        "and a control row in 32)",
        flush=True,
    )
    return rows(f"{N_CELLS} × {N_GENES} × {N_PERTURBATIONS + 1}", ours, peer)


def rows(size: str, ours: list[dict[str, float]], peer: dict[str, float]) -> list[Row]:
    """Time on the wall clock and of the processor, and memory, where the ratio is that of the peaks."""
    lines = []
    for work, key in (("GEARS, an epoch", "epoch"), ("GEARS, an epoch, processor time", "processor")):
        times = [o[key] for o in ours]
        ratio = peer[key] / float(np.median(times))
        lines.append(
            Row(
                work=work,
                size=size,
                ours_s=float(np.median(times)),
                peer_s=peer[key],
                ratio=ratio,
                ratio_min=peer[key] / max(times),
                ratio_max=peer[key] / min(times),
                budget=f"≥ {FASTER:g}×",
                met=ratio >= FASTER,
            )
        )
    memory = max(o["memory"] for o in ours)
    smaller = peer["memory"] / memory
    last = {"work": "GEARS, peak memory of the process", "budget": f"≥ {SMALLER:g}× less", "met": smaller >= SMALLER}
    ratios = dict.fromkeys(("ratio", "ratio_min", "ratio_max"), smaller)
    return [*lines, replace(lines[0], **last, **ratios, memory_gb=memory)]


def write(folder: Path, n_cells: int = N_CELLS, n_genes: int = N_GENES, n_perturbations: int = N_PERTURBATIONS) -> None:
    """Write cells with a split, and ten random terms of forty for each perturbed gene."""
    adata = spb.ds.simulate(n_cells, n_genes, n_perturbations, keep_counts=False)
    adata.obs["perturbation"] = adata.obs["perturbation"].astype(str).replace("non-targeting", "ctrl")
    spb.pp.split(adata)
    names = sorted(set(adata.obs["perturbation"]) - {"ctrl"})
    adata.uns.clear()
    adata.write_h5ad(folder / "cells.h5ad")
    (folder / "terms.json").write_text(json.dumps(terms(names)))


def terms(names: Sequence[str]) -> dict[str, list[str]]:
    """Return ten random terms of forty for each perturbed gene."""
    rng = np.random.default_rng(0)
    return {name: [f"term {t}" for t in rng.choice(40, 10, replace=False)] for name in names}


def as_sets(terms: dict[str, list[str]]) -> pd.DataFrame:
    """Return the terms as gene sets."""
    return pd.DataFrame([(t, g) for g, mine in terms.items() for t in mine], columns=["source", "target"])


def measure(folder: Path) -> dict[str, float]:
    """Train on the cells of a folder; return seconds an epoch, validation included, and the largest memory."""
    from scpertbias._models.deep.gears import fit as gears
    from scpertbias._models.deep.gears.network import Network

    sc.settings.verbosity = 0
    adata = ad.read_h5ad(folder / "cells.h5ad")
    sets = as_sets(json.loads((folder / "terms.json").read_text()))
    train, watch = gears.train, Watch()
    shifts, shift = Network.shifts, Network._shift
    n_perturbations, rows_of = [], []

    def counted(self: Network, nodes: Any) -> Any:
        n_perturbations.append(len(nodes))
        return shifts(self, nodes)

    def batch(self: Network, nodes: Any, *, each: bool) -> Any:
        rows_of.append(len(nodes))
        return shift(self, nodes, each=each)

    def timed(*args: Any, **kwargs: Any) -> Any:
        with watch:
            return train(*args, **kwargs)

    gears.train, Network.shifts, Network._shift = timed, counted, batch
    try:
        spb.tl.fit_gears(adata, spb.pp.jaccard_net(sets), device="cpu", **SETTINGS)
    finally:
        gears.train, Network.shifts, Network._shift = train, shifts, shift
    epochs = SETTINGS["epochs"]
    figures = {"epoch": watch.wall / epochs, "processor": watch.processor / epochs, "memory": peak_memory_gb()}
    return {**figures, "rows": sum(rows_of) / sum(n_perturbations)}


def in_fresh_process(folder: Path) -> dict[str, float]:
    """Measure ours in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, folder).result()


def upstream(folder: Path) -> dict[str, float]:
    """Measure upstream in a fresh process that imports nothing of this package."""
    command = [sys.executable, "-m", "benchmarks._gears_peer", str(folder), json.dumps(SETTINGS)]
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    if process.returncode:
        raise RuntimeError(process.stderr)
    figures: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    from ._table import load, table

    print(f"load {load()}", flush=True)
    print(table(run(AnnData())))
    print(f"load {load()}")
