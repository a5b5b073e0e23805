"""Small screens for models that are trained on cells."""

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

import scpertbias as spb
from scpertbias._models.deep.scgpt.tokens import tokens_of, vocabulary


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small tensors are slower on several threads, and much slower where the cores are busy."""
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def screen():
    """Cells of two batches with a split: 24 genes, eight perturbations, and some that do not count."""
    adata = spb.ds.simulate(600, 24, 8, n_batches=2, batch_strength=0.3, rng=3)
    names = sorted(set(adata.obs["perturbation"]) - {"non-targeting"})
    spb.pp.split(adata, test=names[:1], val=names[1:2])
    label = adata.obs["perturbation"].astype(str).to_numpy(object)
    label[np.flatnonzero(label == names[2])[:5]] = "unassigned"
    label[np.flatnonzero(label == names[3])[:4]] = "FEW"
    adata.obs["perturbation"] = label
    return adata


@pytest.fixture
def data():
    """The parameters of reading cells, as a fit passes them on."""
    return {
        "groupby": "perturbation",
        "reference": None,
        "batch_key": "gem_group",
        "min_cells": 20,
        "layer": None,
        "split_key": "split",
        "gene_symbols": None,
    }


GENES = np.array([f"G{i}" for i in range(23)])
NAMES = ("control", "G1", "G2+away", "away", "G3+G4")
TARGETS = ((), ("G1",), ("G2", "away"), ("away",), ("G3", "G4"))


@pytest.fixture(scope="session")
def scgpt():
    """scGPT from scratch, small, with its tokens and some control cells. Its embeddings are large enough for differences to show."""
    from scpertbias._models.deep.scgpt.model import build
    from scpertbias._models.deep.scgpt.pretrained import Sizes

    vocab = vocabulary(GENES, TARGETS)
    sizes = Sizes(d_model=16, n_heads=2, d_hid=24, n_layers=2)
    cells = np.random.default_rng(0).exponential(1, (7, len(GENES))).astype(np.float32)
    return SimpleNamespace(
        vocab=vocab,
        sizes=sizes,
        model=build(sizes, vocab, seed=0),
        tokens=tokens_of(GENES, NAMES, TARGETS, vocab, missing_target="token"),
        cells=cells,
        names=NAMES,
        targets=TARGETS,
        genes=GENES,
    )


@pytest.fixture
def scgpt_by_hand(scgpt):
    """The package's own forward, gene by gene as its tutorial does it: cells, flagged genes, and extra flagged tokens."""

    def run(cells, perturbed, extra=()):
        import torch

        n, n_genes = cells.shape
        ids = torch.tensor([scgpt.vocab[g] for g in [*GENES, *extra]]).repeat(n, 1)
        values = torch.cat([torch.tensor(cells), torch.zeros(n, len(extra))], dim=1)
        flags = torch.zeros(n, n_genes + len(extra), dtype=torch.long)
        for gene in perturbed:
            flags[:, GENES.tolist().index(gene)] = 1
        flags[:, n_genes:] = 1
        mask = torch.zeros_like(values, dtype=torch.bool)
        scgpt.model.eval()
        return scgpt.model(ids, values, flags, src_key_padding_mask=mask)["mlm_output"][:, :n_genes]

    return run
