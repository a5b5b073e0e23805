"""GEARS."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from .... import _store, _validate
from ...._core.attribution import output_gene
from ...._docs import docs
from ...._labels import LabelMap
from ...._log import info, some, warn
from ....pp import coexpression_net
from ..._base import Solution, model
from ..._fit import store
from ..._net import check_net
from ..checkpoint import open_folder
from ..data import TrainingCells, digest
from ..data import read as read_cells
from ..extras import own_randomness, pick_device, require, seed_of
from ..training import Schedule, train
from .attribution import KINDS, attributions
from .graph import Edges, PerturbationGraph, both_ways, edges_between, perturbation_graph
from .network import GearsLearner, Network

Attribution = Literal["gene_embedding", "input_gradient"]
UPSTREAM = Schedule(20, lr=1e-3, weight_decay=5e-4, gamma=0.5, clip_value=1.0, monitor="val_mse_de20")

OUTSIDE = "perturbed genes that are not in the graph: "
NO_NET = (
    "Without `net`, the graph is the co-expression of measured genes; pass net=spb.pp.jaccard_net(terms, genes=…) "
    "with the perturbed genes."
)


def check(*, epochs: int, hidden_size: int, batch_size: int, attribution: str, **_: Any) -> None:
    """Refuse parameters that are unknown or out of range."""
    _validate.choice(attribution, KINDS, argument="attribution")
    # Batch normalization needs two cells.
    for name, value, least in (("epochs", epochs, 1), ("hidden_size", hidden_size, 1), ("batch_size", batch_size, 2)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            msg = f"`{name}` is {value!r}; it must be a whole number of {least} or more."
            raise ValueError(msg)


@model(
    "gears",
    unseen="from the neighbors of its target in the perturbation graph; no prediction if no path joins the target to "
    "a training perturbation",
    needs=("cells", "net"),
    attribution="gradient of the most variable output gene with respect to the gene embeddings",
    citation="Roohani et al. 2024",
    check=check,
)
@docs.dedent
def fit_gears(
    adata: AnnData,
    net: pd.DataFrame | None = None,
    *,
    epochs: int = 20,
    hidden_size: int = 64,
    batch_size: int = 32,
    attribution: Attribution = "gene_embedding",
    fix_batching: bool = False,
    device: str | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    rng: int | np.random.Generator | None = 0,
    key_added: str = "gears",
    copy: bool = False,
) -> AnnData | None:
    """Train GEARS on cells, with the network and the training procedure of the package cell-gears.

    GEARS predicts the change of expression due to a perturbation, and adds this change to a control cell. The change is
    computed from the embeddings of the perturbed genes. A graph neural network smooths these embeddings over a graph of
    the perturbed genes. The function needs the packages of the extra ``gears`` (see the page Installation).

    Parameters
    ----------
    adata
        Cells (log-normalized). Profiles are refused.
    net
        Graph over the perturbed genes: a table with ``source``, ``target`` and ``weight``. Edges point to the gene that
        receives messages. If each pair of genes occurs only once, its edge is used in both directions. The graph of the
        authors is :func:`scpertbias.pp.jaccard_net` of gene ontology terms, with the perturbed genes as ``genes=``. By
        default, the graph is the co-expression of training cells. This graph covers measured genes only.
    epochs
        Number of passes over the training cells. The epoch with the smallest squared error on the validation
        perturbations is kept. For each perturbation, this error is computed over the 20 genes that change most. Without
        validation perturbations, the last epoch is kept.
    hidden_size
        Size of the embeddings.
    batch_size
        Number of cells per training step (minibatch).
    attribution
        Gradient of the prediction for one gene, the output gene, whose prediction varies most between perturbations.
        ``"gene_embedding"``: norm of the gradient with respect to the embedding of each gene. ``"input_gradient"``:
        absolute gradient with respect to the expression of each gene in the control, as in the paper. It is always 1
        for the output gene and 0 for all other genes, because GEARS only adds the input to the predicted change.
    fix_batching
        The package cell-gears passes messages over the gene graph only in the first cell of each minibatch. By default,
        ``fit_gears`` does the same. With ``True``, messages are passed in every cell, in training and in prediction.
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; by default the GPU if available.
    checkpoint_dir
        Folder for the state after every epoch; by default nothing is written.
    resume
        Whether to continue from ``checkpoint_dir``. The folder must belong to a training with the same data and
        parameters.
    %(cells)s
    %(rng)s With ``checkpoint_dir``, ``rng`` must be a seed.
    %(key_added)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers['gears' | key_added]`` : :class:`numpy.ndarray` (dtype ``float32``)
        Predicted expression: the mean of the control cells plus the predicted change. Every row is the prediction for
        its perturbation, or NaN if there is none.
    ``adata.varm['gears' | key_added]`` : :class:`numpy.ndarray` (dtype ``float32``)
        Attribution, genes × perturbations; NaN for the control, and for perturbations without a prediction.
    ``adata.uns['scpertbias']['models']['gears' | key_added]`` : :class:`dict`
        Parameters, ``history`` (see :func:`scpertbias.get.history`), ``not_in_graph`` (perturbed genes without an
        edge), ``output_gene`` (see ``attribution``), and ``output_gene_ties`` (number of genes that vary as much).

    Raises
    ------
    ImportError
        If torch, torch-geometric or cell-gears is not installed.
    ValueError
        If ``adata`` contains profiles, values are on the wrong scale, no control is recognized, no perturbation has
        training cells, or a checkpoint belongs to other data.
    FloatingPointError
        If the loss is not finite.

    Notes
    -----
    These settings are as in cell-gears:

    - The optimizer is Adam with learning rate 1e-3, halved after each epoch, and weight decay 5e-4.
    - The loss is that of cell-gears, with ``direction_lambda`` 0.1. Gradients are clipped at 1.
    - An incomplete last minibatch is dropped.
    - One control cell is drawn for each perturbed cell; here, from the same level of ``batch_key``.

    Two points differ from cell-gears (the page :doc:`/gears` compares all settings):

    - cell-gears drops perturbations of genes outside the graph. Here, the embedding of such a gene is trained on the
      cells in which the gene is perturbed.
    - cell-gears adds the change to 300 random control cells, this function to the mean of all control cells.

    References
    ----------
    Roohani, Huang & Leskovec, Nature Biotechnology 2024.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.simulate(1_000, 60, 8)
    >>> spb.pp.split(adata)
    >>> spb.tl.fit_gears(adata, spb.ds.simulate_net(adata), epochs=2)
    >>> spb.get.predictions(adata, "gears").shape
    (9, 60)
    """
    data = {
        "groupby": groupby,
        "reference": reference,
        "combination_sep": combination_sep,
        "label_map": label_map,
        "batch_key": batch_key,
        "min_cells": min_cells,
        "layer": layer,
        "split_key": split_key,
        "gene_symbols": gene_symbols,
    }
    params: dict[str, Any] = {
        "epochs": epochs,
        "hidden_size": hidden_size,
        "batch_size": batch_size,
        "attribution": attribution,
        "fix_batching": fix_batching,
    }
    check(**params)
    require("gears")
    _store.check_key(adata, key_added)
    torch_device = pick_device(device)
    cells = read_cells(adata, data, function="spb.tl.fit_gears")
    seed = seed_of(rng, checkpoint_dir)
    genes, graph = _graphs(adata, net, cells, data)
    solution, more = _fit(
        cells, genes, graph, params, device=torch_device, seed=seed, checkpoint_dir=checkpoint_dir, resume=resume
    )
    adata = adata.copy() if copy else adata
    stored_params = {**params, "net": "co-expression of training cells" if net is None else net}
    store(adata, cells.screen, solution, kind="gears", params=stored_params, key=key_added, more=more)
    return adata if copy else None


def _graphs(
    adata: AnnData, net: pd.DataFrame | None, cells: TrainingCells, data: Mapping[str, Any]
) -> tuple[Edges, PerturbationGraph]:
    """Return the graphs of the measured genes (from training cells) and of the perturbed genes."""
    screen = cells.screen
    arguments = {key: value for key, value in data.items() if key != "batch_key"}
    gene_net = coexpression_net(adata, cells="train", max_cells=adata.n_obs, **arguments)
    perturbation_net = gene_net if net is None else both_ways(check_net(net, screen.symbols, screen.targets))
    graph = perturbation_graph(perturbation_net, screen.targets, used=cells.used, trained=cells.problem.perturbed)
    _warn(graph, [screen.names[p] for p in np.flatnonzero(cells.used & ~graph.predictable)], hint=net is None)
    return edges_between(gene_net, screen.symbols.tolist()), graph


def _warn(graph: PerturbationGraph, cannot: Sequence[str], *, hint: bool) -> None:
    """Warn of perturbed genes without an edge, and of perturbations that are not predicted."""
    messages = []
    if graph.isolated:
        messages.append(
            f"{len(graph.isolated)} of {len(graph.nodes)} perturbed genes have no edge in the perturbation graph "
            f"({some(graph.isolated)}). The embeddings of these genes are learned from their own cells only."
        )
    if cannot:
        messages.append(
            f"{len(cannot)} perturbations are not predicted, because the graph has no path to a training perturbation ({some(cannot)})."
        )
    if messages:
        warn(" ".join([*messages, NO_NET] if hint else messages))


def _fit(
    cells: TrainingCells,
    genes: Edges,
    graph: PerturbationGraph,
    params: Mapping[str, Any],
    *,
    device: Any,
    seed: int,
    checkpoint_dir: str | os.PathLike[str] | None,
    resume: bool,
) -> tuple[Solution, dict[str, Any]]:
    """Train, predict and attribute; return stored values and further entries of the record."""
    own = {key: params[key] for key in ("hidden_size", "batch_size", "fix_batching")}
    belongs = {key: str(cells.screen.record[key]) for key in ("layer", "batch_key")}
    identity = {
        **cells.fingerprint,
        "net": digest(*graph.edges.index, graph.edges.weight),
        **belongs,
        **own,
        "rng": seed,
    }
    folder = open_folder(checkpoint_dir, identity, resume=resume)
    draw, shuffle = np.random.default_rng(seed).spawn(2)
    with own_randomness(seed):
        network = Network(
            genes,
            graph,
            len(cells.screen.genes),
            hidden_size=params["hidden_size"],
            fix_batching=params["fix_batching"],
            device=device,
        )
        learner = GearsLearner(network, cells, graph, batch_size=params["batch_size"], partner=cells.partners(draw))
        if not len(learner.validated):
            info("there are no validation perturbations to select the best epoch, so the last epoch is kept")
        schedule = replace(UPSTREAM, epochs=params["epochs"])
        history = train(learner, schedule, rng=shuffle, device=device, folder=folder, name="GEARS")
    solution, more = _solve(network, cells, graph, params["attribution"])
    return solution, {**more, "history": history, "not_in_graph": list(graph.isolated)}


def _solve(
    network: Network, cells: TrainingCells, graph: PerturbationGraph, kind: str
) -> tuple[Solution, dict[str, Any]]:
    """Return predictions and attributions of a trained network."""
    shifts = np.full((len(graph.nodes_of), network.n_genes), np.nan)
    shifts[0] = 0.0
    perturbed = graph.predictable & (np.arange(len(graph.nodes_of)) > 0)
    nodes = [graph.nodes_of[p] for p in np.flatnonzero(perturbed)]
    shifts[perturbed] = network.shifts(nodes)
    gene, ties = output_gene(shifts[perturbed], cells.screen.symbols)
    importance = np.full_like(shifts, np.nan)
    control = cells.problem.control
    importance[perturbed] = attributions(network, nodes, gene, control, kind=kind)
    more = {"output_gene": str(cells.screen.genes[gene]), "output_gene_ties": ties}
    outside = f"{OUTSIDE}{', '.join(graph.isolated)}" if graph.isolated else ""
    return Solution(control + shifts, importance, note=outside), more
