"""scGPT at its published size: one training step, one prediction, one attribution, each in a process of its own.

The checkpoint is one of random weights in the published layout: 512 wide, 12 layers, 60,697 tokens. Where there is a GPU
it is measured there, with the memory that the GPU holds; the budget is for two CPU cores.
"""

from __future__ import annotations

import datetime
import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import scanpy as sc
from anndata import AnnData

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, peak_memory_gb, reset_peak_memory, seconds
from ._table import load, table

SIZES = {"embsize": 512, "nheads": 8, "d_hid": 512, "nlayers": 12, "n_layers_cls": 3}
N_TOKENS, N_GENES = 60_697, 1187
BATCH, PREDICTED, ATTRIBUTED = 32, 32, 4
SECONDS, GIGABYTES = 300.0, 6.0


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    """The screen is not used, nor ``pairs``: what is measured is the model, on few cells of 1,187 genes."""
    del adata, pairs
    with tempfile.TemporaryDirectory() as folder:
        in_fresh_process(write_checkpoint, Path(folder))
        measured = {name: in_fresh_process(measure, Path(folder), name) for name in PARTS}
    return rows(measured, device_name())


def in_fresh_process(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def rows(measured: dict[str, tuple[float, float]], device: str = "CPU") -> list[Row]:
    """One row a part, and one for the three together."""
    total, most = sum(s for s, _ in measured.values()), max(gb for _, gb in measured.values())
    within = f"< {GIGABYTES:g} GB"
    parts = [
        Row(
            work=f"scGPT ({device}), {what}",
            size=size,
            ours_s=measured[name][0],
            memory_gb=measured[name][1],
            budget=within,
            met=measured[name][1] < GIGABYTES,
        )
        for name, (what, size, _) in PARTS.items()
    ]
    met = total < SECONDS and most < GIGABYTES
    budget = f"< {SECONDS:g} s, {within}"
    return [
        *parts,
        Row(work=f"scGPT ({device}), the three", size="", ours_s=total, memory_gb=most, budget=budget, met=met),
    ]


def write_checkpoint(
    folder: Path, sizes: dict[str, int] = SIZES, n_tokens: int = N_TOKENS, n_genes: int = N_GENES
) -> None:
    """Write a checkpoint of random weights; its vocabulary holds the genes of the cells, their targets, and others."""
    import torch

    from scpertbias._models.deep.scgpt.imports import scgpt_model
    from scpertbias._models.deep.scgpt.tokens import SPECIAL, vocabulary

    adata = cells(n_genes)
    vocab = vocabulary(adata.var_names, [(name,) for name in adata.obs["perturbation"].cat.categories])
    vocab |= {f"other {i}": i for i in range(len(vocab), n_tokens)}
    size = (sizes["embsize"], sizes["nheads"], sizes["d_hid"], sizes["nlayers"])
    model = scgpt_model().TransformerModel(len(vocab), *size, nlayers_cls=3, n_cls=1, vocab=vocab, pad_token=SPECIAL[0])
    tensors = {name.replace("in_proj_", "Wqkv."): tensor for name, tensor in model.state_dict().items()}
    torch.save(tensors, folder / "best_model.pt")
    (folder / "args.json").write_text(json.dumps(sizes))
    (folder / "vocab.json").write_text(json.dumps(vocab))


def cells(n_genes: int = N_GENES) -> AnnData:
    """A screen of few cells."""
    return spb.ds.simulate(500, n_genes, 10, keep_counts=False)


def measure(folder: Path, name: str, n_genes: int = N_GENES) -> tuple[float, float]:
    """Return seconds and the largest memory of one part, the reading of the checkpoint included."""
    import torch

    sc.settings.verbosity = 0
    adata = cells(n_genes)
    reset_peak_memory()
    spent = seconds(lambda: PARTS[name][2](adata, folder))
    return spent, torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else peak_memory_gb()


def device_name() -> str:
    """The card, or CPU."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def prepare(adata: AnnData, folder: Path) -> tuple[Any, Any]:
    """Plan and model, as ``fit_scgpt`` makes them."""
    from scpertbias._models.deep.data import read as read_cells
    from scpertbias._models.deep.extras import pick_device
    from scpertbias._models.deep.scgpt.model import build
    from scpertbias._models.deep.scgpt.pretrained import load as put_weights
    from scpertbias._models.deep.scgpt.pretrained import read
    from scpertbias._models.deep.scgpt.run import plan_training

    data = dict.fromkeys(("reference", "batch_key", "layer", "gene_symbols")) | {
        "groupby": "perturbation",
        "min_cells": 20,
    }
    checkpoint = read(folder)
    settings = {"max_genes": 1536, "missing_target": "token"}
    training_cells = read_cells(adata, data | {"split_key": "split"}, function="benchmark")
    plan = plan_training(settings, training_cells, checkpoint, seed=0, device=pick_device(None))
    module = build(plan.sizes, plan.vocabulary, seed=0)
    put_weights(module, checkpoint)
    return plan, module.to(plan.device)


def step(adata: AnnData, folder: Path) -> None:
    """One optimizer step of a batch, by accumulation."""
    from scpertbias._models.deep.scgpt.learner import ScgptLearner
    from scpertbias._models.deep.scgpt.run import TRAINING
    from scpertbias._models.deep.training import Schedule, train

    plan, module = prepare(adata, folder)
    rng = np.random.default_rng(0)
    micro = plan.fits(len(plan.tokens.genes), training=True)
    learner = ScgptLearner(
        module, plan.tokens, plan.cells, batch_size=BATCH, micro_batch=micro, max_genes=1536, rng=rng
    )
    learner.train = learner.train[plan.cells.code[learner.train] > 0][:BATCH]
    history = train(learner, Schedule(1, 1e-4, autocast=True, **TRAINING), rng=rng, device=plan.device)
    if not np.isfinite(history["train_loss"]).all():
        msg = "The loss is not finite."
        raise RuntimeError(msg)


def predict(adata: AnnData, folder: Path) -> None:
    """The prediction of one perturbation."""
    from scpertbias._models.deep.scgpt.predict import control_variate, outputs
    from scpertbias._models.deep.scgpt.run import controls

    plan, module = prepare(adata, folder)
    inputs = plan.cells.dense(controls(plan.cells, PREDICTED))
    out = outputs(module, plan.tokens, 1, inputs, micro_batch=plan.fits(inputs.shape[1], training=False))
    control_variate(out, inputs, plan.cells.problem.control, int((plan.cells.code == 0).sum()))


def attribute(adata: AnnData, folder: Path) -> None:
    """The attribution of one perturbation."""
    from scpertbias._models.deep.scgpt.attribution import embedding_gradient, in_gene_space
    from scpertbias._models.deep.scgpt.run import controls

    plan, module = prepare(adata, folder)
    inputs = plan.cells.dense(controls(plan.cells, ATTRIBUTED))
    micro = plan.fits(inputs.shape[1], training=True)
    gradient = embedding_gradient(module, plan.tokens, 1, inputs, 0, micro_batch=micro)
    in_gene_space(module, plan.tokens, gradient, "gradient_x_embedding")


PARTS: dict[str, tuple[str, str, Callable[[AnnData, Path], None]]] = {
    "step": (f"one step of batch {BATCH}", f"{BATCH} cells × {N_GENES:,} genes", step),
    "predict": ("one prediction", f"{PREDICTED} cells × {N_GENES:,} genes", predict),
    "attribute": ("one attribution", f"{ATTRIBUTED} cells × {N_GENES:,} genes", attribute),
}


def report(lines: list[Row]) -> None:
    """Print the figures with their date."""
    print(f"{datetime.date.today()}, {os.cpu_count()} cores, load {load()}\n{table(lines)}")


if __name__ == "__main__":
    report(run(cells()))
