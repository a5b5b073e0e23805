"""Attributions of scGPT: importance of the token of each gene for the prediction."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...._core.arrays import Float32Array, FloatArray
from .model import evaluating, forward
from .predict import batches
from .tokens import Tokens, whole_cells

ATTRIBUTIONS = ("gradient_x_embedding", "gradient_norm")


def embedding_gradient(
    model: Any, tokens: Tokens, perturbation: int, expression: Float32Array, gene: int, *, micro_batch: int
) -> FloatArray:
    """Gradient of a gene's predicted expression, the mean over control cells, in the embeddings E of all genes (G × d).

    Parameters
    ----------
    model
        The model.
    tokens
        Its tokens.
    perturbation
        Which perturbation.
    expression
        Control cells, n × G.
    gene
        Column of the gene whose prediction is explained.
    micro_batch
        How many cells at a time.
    """
    import torch

    weight = model.encoder.embedding.weight
    own = torch.from_numpy(tokens.genes).to(weight.device)
    total = np.zeros((len(tokens.genes), weight.shape[1]))
    with evaluating(model), torch.enable_grad():
        for part in batches(len(expression), micro_batch):
            batch = whole_cells(tokens, perturbation, expression[part])
            out = forward(model, batch, expression.shape[1])[:, gene].sum()
            (gradient,) = torch.autograd.grad(out, weight)
            total += gradient[own].double().cpu().numpy()
    return total / len(expression)


def in_gene_space(model: Any, tokens: Tokens, gradient: FloatArray, kind: str) -> FloatArray:
    """Reduce a gradient in the embeddings (G × d) to one number a gene (G).

    ``gradient_x_embedding``: Σ_d E_gd ∂ŷ/∂E_gd, with its sign. ``gradient_norm``: ‖∂ŷ/∂E_g‖. A gene that the vocabulary
    lacks has 0: it enters as ``<pad>``, whose embedding has no gradient.
    """
    import torch

    if kind == "gradient_norm":
        return np.linalg.norm(gradient, axis=1)
    weight = model.encoder.embedding.weight.detach()
    embedding = weight[torch.from_numpy(tokens.genes).to(weight.device)].double().cpu().numpy()
    return (gradient * embedding).sum(axis=1)
