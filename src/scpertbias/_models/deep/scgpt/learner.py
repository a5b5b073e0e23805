"""Training data of scGPT: control cell in, perturbed cell out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...._core.arrays import IntArray
from ..data import TrainingCells
from .model import evaluating, forward
from .predict import batches
from .tokens import Tokens, draw_genes, sequences

if TYPE_CHECKING:
    import torch


class ScgptLearner:
    """Pairs of a perturbed cell and a random control cell of its stratum; a control cell is its own partner.

    Cells of perturbations that the model cannot read (``tokens.cannot``) are left out. Each cell contains a random
    subset of its genes, which depends on the epoch and the cell only, so that the loss does not depend on the division
    into parts.
    """

    def __init__(
        self,
        model: Any,
        tokens: Tokens,
        cells: TrainingCells,
        *,
        batch_size: int,
        micro_batch: int,
        max_genes: int,
        rng: np.random.Generator,
    ) -> None:
        self.module, self.tokens, self.cells = model, tokens, cells
        self.micro_batch, self.max_genes = micro_batch, max_genes
        readable = np.array([name not in tokens.cannot for name in cells.screen.names])
        self.train, self.val = (c[readable[cells.code[c]]] for c in (cells.of("train"), cells.of("val")))
        self.batch_size = min(batch_size, len(self.train))
        self.partner = cells.partners(rng)
        self.place = np.zeros(len(cells.code), dtype=np.int64)  # a number of each cell that no order of rows changes
        self.place[cells.order] = np.arange(len(cells.order))
        self.val_seed, self.epoch_seed = (int(seed) for seed in rng.integers(2**62, size=2))

    def batches(self, rng: np.random.Generator) -> list[list[IntArray]]:
        """Shuffle the training cells; an incomplete last batch is dropped, as in scGPT."""
        self.epoch_seed = int(rng.integers(2**62))
        order = rng.permutation(self.train)
        whole = len(order) - len(order) % self.batch_size
        full = [order[start : start + self.batch_size] for start in range(0, whole, self.batch_size)]
        return [[batch[part] for part in batches(len(batch), self.micro_batch)] for batch in full]

    def loss(self, cells: IntArray) -> torch.Tensor:
        """Return the mean squared error over cells and genes."""
        return self._loss(cells, self.epoch_seed)

    def validate(self) -> Mapping[str, float]:
        """Return the loss of the validation cells, on the same genes and control cells every time."""
        import torch

        if not len(self.val):
            return {}
        total = 0.0
        with evaluating(self.module), torch.no_grad():
            for part in batches(len(self.val), self.micro_batch):
                cells = self.val[part]
                total += len(cells) * self._loss(cells, self.val_seed).item()
        return {"val_loss": total / len(self.val)}

    def _loss(self, cells: IntArray, seed: int) -> torch.Tensor:
        import torch

        perturbation = self.cells.code[cells]
        seeds = [[seed, place] for place in self.place[cells].tolist()]
        genes = draw_genes(self.tokens, perturbation, self.max_genes, seeds)
        inputs, targets = (
            np.take_along_axis(self.cells.dense(rows), genes, axis=1) for rows in (self.partner[cells], cells)
        )
        out = forward(self.module, sequences(self.tokens, perturbation, genes, inputs), genes.shape[1])
        return ((out.float() - torch.from_numpy(targets).to(out.device)) ** 2).mean()
