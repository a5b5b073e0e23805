"""Attributions of GEARS: gradients of one output gene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...._core.arrays import FloatArray
from .network import N_PREDICTED, Network

KINDS = ("gene_embedding", "input_gradient")


def attributions(
    network: Network, nodes: Sequence[Sequence[int]], gene: int, control: FloatArray, *, kind: str
) -> FloatArray:
    """Return how much each gene matters to the prediction of one gene, for each perturbation (P, G).

    ``"gene_embedding"``: norm of the gradient with respect to the gene's embedding. ``"input_gradient"``: absolute
    gradient with respect to its expression in control.
    """
    import torch

    module, device = network.module.eval(), network.device
    x = torch.as_tensor(control, dtype=torch.float32, device=device).requires_grad_(kind == "input_gradient")
    variable = x if kind == "input_gradient" else module.gene_emb.weight
    n = 1 if network.fix_batching else 2  # the first cell of a batch, and any other
    weight = torch.tensor([1.0] if n == 1 else [1 / N_PREDICTED, 1 - 1 / N_PREDICTED], device=device)
    out = np.empty((len(nodes), network.n_genes))
    for i, targets in enumerate(nodes):
        predicted = network(x.expand(n, -1), [targets] * n, each=False)
        (gradient,) = torch.autograd.grad((weight * predicted[:, gene]).sum(), variable)
        size = gradient.abs() if gradient.ndim == 1 else gradient.norm(dim=1)
        out[i] = size.cpu().numpy()
    return out
