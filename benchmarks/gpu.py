"""GEARS and scGPT, trained on this machine's device at the paper's size: seconds per epoch, and memory of the device.

GEARS is trained on simulated cells of the paper's size (118,461 cells, 1,187 genes, 721 perturbations). scGPT has the published
size and random weights, and is trained on an eighth of the cells and perturbations. ``python -m benchmarks.gpu``; ``benchmarks/gpu.sh`` also runs
the tests that need a GPU. Without a GPU, ``--small`` shows that the script runs.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData

import scpertbias as spb

from ._screen import N_CELLS, N_GENES, N_PERTURBATIONS
from .gears import as_sets, terms
from .scgpt import SIZES, device_name

PUBLISHED = {"d_model": SIZES["embsize"], "n_layers": SIZES["nlayers"], "n_heads": SIZES["nheads"]}
SMALL = {"d_model": 16, "n_layers": 1, "n_heads": 2, "n_control_cells": 4, "n_attribution_cells": 1}


def cells(part: int, n_genes: int = N_GENES) -> AnnData:
    """Return simulated cells with a split: one in ``part`` of the paper's cells and perturbations."""
    adata = spb.ds.simulate(N_CELLS // part, n_genes, N_PERTURBATIONS // part, keep_counts=False)
    spb.pp.split(adata)
    return adata


def gears(epochs: int, *, small: bool = False) -> AnnData:
    """Train GEARS and return the cells with its history."""
    adata = cells(60, 60) if small else cells(1)
    net = spb.pp.jaccard_net(as_sets(terms(sorted(set(adata.obs["perturbation"]) - {"non-targeting"}))))
    spb.tl.fit_gears(adata, net, epochs=epochs, hidden_size=8 if small else 64, key_added="model")
    return adata


def scgpt(epochs: int, *, small: bool = False) -> AnnData:
    """Train scGPT from random weights and return the cells with its history."""
    adata = cells(200, 30) if small else cells(8)
    spb.tl.fit_scgpt(adata, epochs=epochs, key_added="model", **(SMALL if small else PUBLISHED))
    return adata


MODELS = {"GEARS": gears, "scGPT": scgpt}


def row(name: str, epochs: int, *, small: bool = False) -> dict[str, Any]:
    """Return what one model takes; the first epoch, in which kernels are prepared, counts only if it is the only one."""
    start = time.perf_counter()
    adata = MODELS[name](epochs, small=small)
    whole = time.perf_counter() - start
    history = spb.get.history(adata, *spb.get.models(adata)["model"])
    last = history.iloc[min(1, len(history) - 1) :]
    return {
        "model": name,
        "cells × genes × perturbations": f"{adata.n_obs:,} × {adata.n_vars:,} × {adata.obs['perturbation'].nunique() - 1}",
        "epochs": len(history),
        "seconds per epoch": round(float(np.median(last["seconds"])), 1),
        "seconds of validation": round(float(np.median(last["seconds_validation"])), 1),
        "peak memory of the device, GB": round(float(history["peak_memory"].max()) / 1000, 2),
        "seconds in all, simulation and predictions included": round(whole, 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Train both models and print the rows, each as soon as it is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--epochs", type=int, default=2, help="epochs of each model (default: %(default)s)")
    parser.add_argument("--small", action="store_true", help="few cells and small models")
    options = parser.parse_args(arguments)
    sc.settings.verbosity = 0
    print(f"{datetime.date.today()}, {device_name()}", flush=True)
    for name in options.models:
        print(pd.Series(row(name, options.epochs, small=options.small)).to_string(), flush=True)


if __name__ == "__main__":
    main()
