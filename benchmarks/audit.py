"""The whole linear audit, after reading the file: its time and its largest resident memory, in a process of its own."""

from __future__ import annotations

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import anndata as ad
import scanpy as sc
from anndata import AnnData

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, peak_memory_gb, reset_peak_memory, seconds
from ._screen import size_of

SECONDS, GIGABYTES = 60.0, 4.0
REGIMES = {"full", "no_mt", "no_mt_ribo", "regressed"}
MODELS = {
    *("no_change", "mean", "ridge", "grn_linear", "two_stage", "bilinear"),
    *("grn_linear_perturbations", "two_stage_perturbations"),
}


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    """``pairs`` is not used: there is no peer, and the first run is what a user waits for."""
    del pairs
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "screen.h5ad"
        AnnData(adata.X, obs=adata.obs, var=adata.var).write_h5ad(path)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            measured = pool.submit(measure, path).result()
    return [row(size_of(adata), **measured)]


def measure(path: Path) -> dict[str, Any]:
    """Read a screen and audit it without random removals; the memory holds the cells too."""
    sc.settings.verbosity = 0
    cells = ad.read_h5ad(path)
    audits: list[Any] = []
    reset_peak_memory()
    spent = seconds(lambda: audits.append(spb.tl.audit(cells, n_random=0)))
    return {"spent": spent, "memory": peak_memory_gb(), "complete": is_complete(audits[0])}


def is_complete(mdata: Any) -> bool:
    """Whether every default model was fitted and scored in every default regime."""
    scores = spb.get.scores(mdata)
    fits = set(zip(scores["model"], scores["regime"], strict=True))
    return fits >= {(model, regime) for model in MODELS for regime in REGIMES}


def row(size: str, *, spent: float, memory: float, complete: bool) -> Row:
    """A screen too small for every regime and model is no measure of the budget."""
    return Row(
        work="audit" if complete else "audit (models or regimes left out)",
        size=size,
        ours_s=spent,
        memory_gb=memory,
        budget=f"< {SECONDS:g} s, < {GIGABYTES:g} GB",
        met=spent < SECONDS and memory < GIGABYTES and complete,
    )


if __name__ == "__main__":
    from ._table import main

    main([run])
