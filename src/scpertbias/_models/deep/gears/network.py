"""The model of cell-gears, called directly, without files and downloads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from ...._core.arrays import FloatArray, IntArray
from ..data import TrainingCells
from ..extras import imports_leave_no_trace
from .graph import Edges, PerturbationGraph

if TYPE_CHECKING:
    import torch


CONTROL = "ctrl"  # the label that the loss of cell-gears tests for
DIRECTION_LAMBDA = 0.1
N_PREDICTED = 300  # cells that GEARS.predict averages over
ROWS = 32  # of a batch in prediction
N_DE = 20


class Label(str):
    """A label with a fixed position in a set: the loss adds perturbations in that order."""

    __slots__ = ("rank",)
    rank: int

    def __new__(cls, text: str, rank: int) -> Label:
        """Make a label; ``rank`` takes the place of its hash."""
        label = super().__new__(cls, text)
        label.rank = rank
        return label

    def __hash__(self) -> int:
        return self.rank

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return str.__eq__(self, other) is not True


class Network:
    """``GEARS_Model`` of a perturbation graph and a gene graph, and how it is called.

    The model passes messages over the gene graph in the first cell of a batch only, because it does not offset the
    edges of the others. With ``fix_batching`` every cell has its own copy of the edges.
    """

    def __init__(
        self,
        genes: Edges,
        perturbations: PerturbationGraph,
        n_genes: int,
        *,
        hidden_size: int,
        fix_batching: bool,
        device: torch.device,
    ) -> None:
        import torch

        with imports_leave_no_trace():
            from gears.model import GEARS_Model
        self.device, self.n_genes, self.fix_batching = device, n_genes, fix_batching
        self.edges = tuple(torch.as_tensor(part, device=device) for part in (genes.index, genes.weight))
        self._copies: dict[int, tuple[torch.Tensor, ...]] = {1: self.edges}
        settings = {
            "num_genes": n_genes,
            "num_perts": len(perturbations.nodes),
            "hidden_size": hidden_size,
            "uncertainty": False,
            "num_go_gnn_layers": 1,
            "num_gene_gnn_layers": 1,
            "decoder_hidden_size": 16,
            "no_perturb": False,
            "G_coexpress": self.edges[0],
            "G_coexpress_weight": self.edges[1],
            "G_go": torch.as_tensor(perturbations.edges.index),
            "G_go_weight": torch.as_tensor(perturbations.edges.weight),
            "device": str(device),
        }
        self.module = GEARS_Model(settings).to(device)

    def __call__(self, x: torch.Tensor, nodes: Sequence[Sequence[int]], *, each: bool) -> torch.Tensor:
        """Predict cells × genes from control cells; ``nodes`` are the perturbed genes of each (none: control).

        ``each`` passes messages in every cell, else in the first one.
        """
        import torch

        n = len(nodes)
        self.module.G_coexpress, self.module.G_coexpress_weight = self._graph(n if each else 1)
        batch = SimpleNamespace(
            x=x.reshape(-1, 1), pert_idx=[list(targets) or [-1] for targets in nodes], batch=torch.arange(n)
        )
        if any(nodes):
            return self.module(batch)
        with warnings.catch_warnings():  # without a perturbation it transposes an empty vector
            warnings.simplefilter("ignore")
            return self.module(batch)

    def _graph(self, n: int) -> tuple[torch.Tensor, ...]:
        """Return n copies of the gene graph side by side."""
        import torch

        if n not in self._copies:
            index, weight = self.edges
            copies = torch.cat([index + i * self.n_genes for i in range(n)], dim=1)
            self._copies[n] = (copies, weight.repeat(n))
        return self._copies[n]

    def shifts(self, nodes: Sequence[Sequence[int]]) -> FloatArray:
        """Return the predicted change of each perturbation (P, G), in evaluation mode.

        It is the same for every control cell but the first of a batch; upstream averages over 300 cells of one batch,
        so over one first cell and 299 others. Two rows say as much.
        """
        import torch

        self.module.eval()
        with torch.no_grad():
            first = [self._shift(part, each=True) for part in _parts(nodes, ROWS)]
            if self.fix_batching:
                return np.concatenate(first)
            others = [self._shift([(), *part], each=False)[1:] for part in _parts(nodes, ROWS - 1)]
        return (np.concatenate(first) + (N_PREDICTED - 1) * np.concatenate(others)) / N_PREDICTED

    def _shift(self, nodes: Sequence[Sequence[int]], *, each: bool) -> FloatArray:
        import torch

        x = torch.zeros((len(nodes), self.n_genes), device=self.device)
        return self(x, nodes, each=each).cpu().numpy().astype(np.float64)


def _parts(nodes: Sequence[Sequence[int]], size: int) -> list[Sequence[Sequence[int]]]:
    return [nodes[start : start + size] for start in range(0, len(nodes), size)]


class GearsLearner:
    """Training data of GEARS: batches of all training cells, each with one control cell."""

    def __init__(
        self, network: Network, cells: TrainingCells, graph: PerturbationGraph, *, batch_size: int, partner: IntArray
    ):
        import torch

        with imports_leave_no_trace():
            from gears.utils import loss_fct
        self.network, self.module, self.cells, self.graph = network, network.module, cells, graph
        self.partner, self._loss = partner, loss_fct
        self.train = cells.of("train")
        self.batch_size = min(batch_size, len(self.train))
        names = (CONTROL, *cells.screen.names[1:])
        self.labels = np.array([Label(name, i) for i, name in enumerate(names)], dtype=object)
        self.expressed = {label: np.flatnonzero(row) for label, row in zip(self.labels, cells.expressed(), strict=True)}
        self.control = torch.as_tensor(cells.problem.control, dtype=torch.float32, device=network.device)
        self.validated = np.flatnonzero((cells.problem.val_n > 0) & graph.predictable)
        self.validated = self.validated[self.validated > 0]
        self.changed = most_changed(cells)

    def batches(self, rng: np.random.Generator) -> list[list[IntArray]]:
        """Shuffle the training cells; an incomplete last batch is dropped, as in cell-gears."""
        order = rng.permutation(self.train)
        whole = len(order) - len(order) % self.batch_size
        return [[order[i : i + self.batch_size]] for i in range(0, whole, self.batch_size)]

    def loss(self, cells: IntArray) -> torch.Tensor:
        """Return upstream's loss: the fourth power of the error, and the sign of the change."""
        import torch

        code = self.cells.code[cells]
        x = torch.from_numpy(self.cells.centered(self.partner[cells])).to(self.network.device)
        y = torch.from_numpy(self.cells.centered(cells)).to(self.network.device)
        predicted = self.network(x, [self.graph.nodes_of[p] for p in code], each=self.network.fix_batching)
        return self._loss(
            predicted,
            y,
            self.labels[code],
            ctrl=self.control,
            direction_lambda=DIRECTION_LAMBDA,
            dict_filter=self.expressed,
        )

    def validate(self) -> Mapping[str, float]:
        """Return the mean squared error of the validation perturbations' means, over all and over 20 genes."""
        if not len(self.validated):
            return {}
        problem = self.cells.problem
        shift = self.network.shifts([self.graph.nodes_of[p] for p in self.validated])
        error = (problem.control + shift - problem.val_means[self.validated]) ** 2
        top = np.take_along_axis(error, self.changed[self.validated], axis=1)
        return {"val_mse": float(error.mean()), "val_mse_de20": float(top.mean())}


def most_changed(cells: TrainingCells) -> IntArray:
    """Return for each perturbation the 20 genes of largest |t| (Welch) between its validation cells and control."""
    moments, screen = cells.screen.moments, cells.screen
    rows = np.flatnonzero((screen.split == "val") & (moments.n > 0))
    spread = moments.var[rows] / moments.n[rows, None]
    spread = np.nan_to_num(spread) + moments.var[moments.reference] / moments.n[moments.reference]
    t = np.abs(moments.mean[rows] - moments.control) / np.sqrt(np.where(spread > 0, spread, np.inf))
    top = np.zeros((len(screen.names), min(N_DE, t.shape[1])), dtype=np.int64)
    top[screen.perturbation[rows]] = np.argsort(-t, axis=1, kind="stable")[:, : top.shape[1]]
    return top
