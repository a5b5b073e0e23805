"""cell-gears on the same cells, by its authors' own route: PertData, loaders, GEARS. Nothing of scpertbias is imported.

``python -m benchmarks._gears_peer FOLDER`` measures it on ``cells.h5ad`` and ``terms.json`` in a folder.
"""

from __future__ import annotations

import inspect
import json
import os
import pickle
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import anndata as ad
import pandas as pd
from scipy import sparse

from ._measure import Watch, peak_memory_gb

CONTROL = "ctrl"
TEST_BATCH = 128  # as in the example of their README
THRESHOLD = 0.1


def prepare(
    adata: ad.AnnData, terms: dict[str, list[str]], folder: Path, *, batch_size: int, hidden_size: int
) -> tuple[Any, Any]:
    """Return PertData and GEARS of cells with ``perturbation`` (control: ctrl) and ``split``.

    ``terms`` are those of the perturbed genes. What cell-gears would download or make in the working directory is laid
    out in the folder beforehand.
    """
    (folder / "data").mkdir(parents=True)
    label = adata.obs["perturbation"].astype(str)
    obs = pd.DataFrame({"condition": [condition(name) for name in label], "cell_type": "K562"}, adata.obs_names)
    var = pd.DataFrame({"gene_name": adata.var_names}, adata.var_names)
    sets = {gene: set(mine) for gene, mine in terms.items()}
    (folder / "gene2go_all.pkl").write_bytes(pickle.dumps(sets))
    jaccard = [(a, b, len(s & t) / len(s | t)) for a, s in sets.items() for b, t in sets.items()]
    edges = pd.DataFrame([row for row in jaccard if row[2] > THRESHOLD], columns=["source", "target", "importance"])
    edges.to_csv(folder / "data" / "go_essential_toy.csv", index=False)
    splits = {s: sorted({condition(n) for n in label[adata.obs["split"] == s]}) for s in ("train", "val", "test")}
    (folder / "split.pkl").write_bytes(pickle.dumps(splits))
    before = Path.cwd()
    os.chdir(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            from gears import GEARS, PertData

            data = PertData(str(folder), default_pert_graph=False)
            data.new_data_process("toy", adata=ad.AnnData(sparse.csr_matrix(adata.X), obs=obs, var=var))
            data.prepare_split(split="custom", split_dict_path=str(folder / "split.pkl"))
            data.get_dataloader(batch_size=batch_size, test_batch_size=TEST_BATCH)
            torch.manual_seed(0)
            model = _patch(GEARS)(data, device="cpu")
            model.model_initialize(hidden_size=hidden_size)
    finally:
        os.chdir(before)
    return data, model


def condition(name: str) -> str:
    """How cell-gears writes a perturbation."""
    return name if name == CONTROL or "+" in name else f"{name}+{CONTROL}"


def _patch(cls: type) -> type:
    """GEARS with the line of GEARS#90 in its ``__init__``: a sparse matrix takes no Series as an index."""
    source = textwrap.dedent(inspect.getsource(cls.__init__))
    old = "self.adata.X[self.adata.obs.condition == 'ctrl']"
    if old not in source:
        msg = "This cell-gears is not the one that the line is known of."
        raise RuntimeError(msg)
    space = dict(vars(sys.modules[cls.__module__]))
    exec(source.replace(old, "self.adata.X[(self.adata.obs.condition == 'ctrl').values]"), space)
    return type(cls.__name__, (cls,), {"__init__": space["__init__"]})


def measure(folder: Path, *, epochs: int, batch_size: int, hidden_size: int) -> dict[str, float]:
    """Return seconds an epoch (wall clock and processor), those of evaluating the training set, and the largest memory.

    The memory is that of all that ``GEARS.train`` does, evaluations included.
    """
    adata = ad.read_h5ad(folder / "cells.h5ad")
    terms = json.loads((folder / "terms.json").read_text())
    data, model = prepare(adata, terms, folder / "upstream", batch_size=batch_size, hidden_size=hidden_size)
    module, whole, training_set = sys.modules["gears.gears"], Watch(), Watch()
    evaluate = module.evaluate

    def timed(loader: Any, *args: Any) -> Any:
        if loader is data.dataloader["test_loader"]:  # the epochs are over
            whole.__exit__()
        if loader is not data.dataloader["train_loader"]:
            return evaluate(loader, *args)
        with training_set:
            return evaluate(loader, *args)

    module.evaluate = timed
    whole.__enter__()
    try:
        model.train(epochs=epochs)
    finally:
        module.evaluate = evaluate
    return {
        "epoch": (whole.wall - training_set.wall) / epochs,
        "processor": (whole.processor - training_set.processor) / epochs,
        "training_set": training_set.wall / epochs,
        "memory": peak_memory_gb(),
    }


if __name__ == "__main__":
    settings = json.loads(sys.argv[2])
    print(json.dumps(measure(Path(sys.argv[1]), **settings)))
