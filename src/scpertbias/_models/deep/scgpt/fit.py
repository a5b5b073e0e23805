"""scGPT."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from anndata import AnnData

from .... import _store, _validate
from ...._docs import docs
from ...._keys import NO_PRETRAINING
from ...._labels import LabelMap
from ..._base import model
from ..._fit import store
from ..data import read as read_cells
from ..extras import pick_device, require, seed_of
from .attribution import ATTRIBUTIONS
from .pretrained import Checkpoint, read
from .run import plan_training, run
from .tokens import MISSING_TARGET

Attribution = Literal["gradient_x_embedding", "gradient_norm"]
MissingTarget = Literal["token", "skip"]

SIZES = {"d_model": 512, "n_layers": 12, "n_heads": 8}
AT_LEAST_1 = ("epochs", "batch_size", "max_genes", *SIZES, "n_control_cells", "n_attribution_cells")


def stored_as(key: str, *, checkpoint: Any = None, **_: Any) -> str:
    """Return the name of the results; without a checkpoint it is marked as not pretrained."""
    if checkpoint is not None or not isinstance(key, str) or not key or key.endswith(NO_PRETRAINING):
        return key
    return key + NO_PRETRAINING


def check(*, lr: float, missing_target: str, attribution: str, d_model: int, n_heads: int, **params: Any) -> None:
    """Refuse parameters that are unknown or out of range."""
    _validate.choice(missing_target, MISSING_TARGET, argument="missing_target")
    _validate.choice(attribution, ATTRIBUTIONS, argument="attribution")
    params |= {"d_model": d_model, "n_heads": n_heads}
    for name in AT_LEAST_1:
        value = params[name]
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            msg = f"`{name}` is {value!r}; it must be a whole number of 1 or more."
            raise ValueError(msg)
    if not lr > 0:
        msg = f"`lr` is {lr!r}; it must be positive."
        raise ValueError(msg)
    if d_model % n_heads:
        msg = f"`d_model` is {d_model} and `n_heads` is {n_heads}; d_model must be a multiple of n_heads."
        raise ValueError(msg)


@model(
    "scgpt",
    unseen="from the token of its target; no prediction if the token is missing or untrained",
    needs=("cells",),
    attribution="gradient of the most variable output gene × gene embedding, |Σ_d E_gd ∂ŷ/∂E_gd|",
    citation="Cui et al. 2024",
    check=check,
    stored_as=stored_as,
)
@docs.dedent
def fit_scgpt(
    adata: AnnData,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    epochs: int = 20,
    batch_size: int = 32,
    lr: float = 1e-4,
    max_genes: int = 1536,
    d_model: int = 512,
    n_layers: int = 12,
    n_heads: int = 8,
    missing_target: MissingTarget = "token",
    n_control_cells: int = 100,
    attribution: Attribution = "gradient_x_embedding",
    n_attribution_cells: int = 4,
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
    key_added: str = "scgpt",
    copy: bool = False,
) -> AnnData | None:
    """Fine-tune scGPT on cells, from a published checkpoint or from scratch.

    Every gene is a token with a value, and the token of the perturbed gene has a flag. The model predicts a perturbed
    cell from a control cell. Without a checkpoint, the model learns from this screen alone. Such a model is not the
    foundation model, so ``(no pretraining)`` is appended to its name. The function needs the packages of the extra
    ``scgpt``, and scgpt without its dependencies (see the page Installation).

    Parameters
    ----------
    adata
        Cells (log-normalized). Profiles are refused.
    checkpoint
        Folder with ``args.json``, ``best_model.pt`` and ``vocab.json``, as published by scGPT; no code in it is
        executed. It defines the sizes.
    epochs
        Number of passes over the training cells. The epoch with the smallest validation loss is kept, and training
        stops after 5 epochs without improvement. Without validation perturbations, the last epoch is kept.
    batch_size
        Number of cells per training step. If a step does not fit in memory, it is computed in parts, and the gradients
        of the parts are added.
    lr
        Learning rate, multiplied by 0.9 after each epoch.
    max_genes
        Maximum number of measured genes per training cell. If the data contain more genes, each training cell contains
        a random subset of the genes that includes the perturbed genes. Predictions use all genes at once.
    d_model
        Width of the model, and of its feed-forward layers.
    n_layers
        Number of transformer layers.
    n_heads
        Number of attention heads.
    missing_target
        Treatment of a perturbed gene that is not measured. ``"token"``: the gene gets an additional token with a flag
        and the value 0. scGPT has no such token. ``"skip"``: perturbations of the gene are left out, as in scGPT.
        Perturbations of a gene outside the vocabulary are always left out. Without a checkpoint, the token of a gene
        that is neither measured nor perturbed in training is untrained. Perturbations of such a gene are not predicted.
    n_control_cells
        Number of control cells over which each prediction is averaged. All predictions use the same control cells,
        selected from each batch in proportion to its size. The mean of the selected cells can differ from the mean of
        all control cells. A linear regression of the output on the input of each gene corrects for this difference.
    attribution
        Both attributions use the gradient of the prediction for one gene, the output gene, whose prediction varies most
        between perturbations. ``"gradient_x_embedding"``: for each gene, embedding × gradient is summed over the
        dimensions of the embedding, and the absolute value of this sum is used. ``"gradient_norm"``: norm of the
        gradient with respect to the embedding of each gene.
    n_attribution_cells
        Number of control cells over which each attribution is averaged.
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; by default the GPU if available.
    checkpoint_dir
        Folder for the state after every epoch; by default nothing is written.
    resume
        Whether to continue from ``checkpoint_dir``. The folder must belong to a training with the same data and
        parameters.
    %(cells)s
    %(rng)s With ``checkpoint_dir``, ``rng`` must be a seed.
    %(key_added)s Without ``checkpoint``, ``" (no pretraining)"`` is appended to the name.
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields. Here, ``key`` is ``key_added``; without a checkpoint, ``' (no pretraining)'``
    is appended:

    ``adata.layers[key]`` : :class:`numpy.ndarray` (dtype ``float32``)
        Predicted expression; every row is the prediction for its perturbation, or NaN if there is none.
    ``adata.varm[key]`` : :class:`numpy.ndarray` (dtype ``float32``)
        Attribution, genes × perturbations; NaN for the control, and for perturbations without a prediction.
    ``adata.uns['scpertbias']['models'][key]`` : :class:`dict`
        All parameters, and:

        - ``history``: see :func:`scpertbias.get.history`.
        - ``unpredicted``: perturbations without a prediction. ``cannot_predict_reason``: the reasons.
        - ``monte_carlo``: standard error of the prediction for each perturbation. The error arises because a prediction
          uses only some control cells. ``error_rms`` is its root mean square over genes, ``error_max`` its maximum.
        - ``tensors`` (only with a checkpoint): names of the tensors that were loaded, that started with random weights
          (``untrained``), and that were not used.
        - ``genes_outside_vocabulary``: measured genes that the vocabulary does not contain.
        - ``output_gene``: see ``attribution``. ``output_gene_ties``: number of genes whose prediction varies as much as
          that of the output gene, including this gene.

    Raises
    ------
    ImportError
        If torch or scgpt is not installed.
    ValueError
        If ``adata`` contains profiles, values are on the wrong scale, no control is recognized, no perturbation has
        training cells, the checkpoint does not fit, or the state in ``checkpoint_dir`` belongs to other data.
    FloatingPointError
        If the loss is not finite.

    Notes
    -----
    These settings are as in the perturbation tutorial of scGPT of 2024:

    - The loss is the mean squared error over genes.
    - The optimizer is Adam, without dropout. Gradients are clipped at norm 1.
    - An incomplete last minibatch is dropped.
    - One control cell is drawn for each perturbed cell; here, from the same level of ``batch_key``.
    - Control cells are also training cells: the model learns to predict them unchanged.
    - On a GPU, the training uses mixed precision.

    The page :doc:`/scgpt` compares all settings with the tutorials and the paper.

    References
    ----------
    Cui et al., Nature Methods 2024.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.simulate(600, 40, 6)
    >>> spb.tl.fit_scgpt(adata, epochs=1, d_model=16, n_layers=1, n_heads=2)
    >>> spb.get.predictions(adata, "scgpt (no pretraining)").shape
    (7, 40)
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
    settings: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "max_genes": max_genes,
        "d_model": d_model,
        "n_layers": n_layers,
        "n_heads": n_heads,
        "missing_target": missing_target,
        "n_control_cells": n_control_cells,
        "attribution": attribution,
        "n_attribution_cells": n_attribution_cells,
    }
    check(**settings)
    require("scgpt")
    key = stored_as(key_added, checkpoint=checkpoint)
    _store.check_key(adata, key)
    torch_device, seed = pick_device(device), seed_of(rng, checkpoint_dir)
    pretrained = None if checkpoint is None else _read(checkpoint, settings)
    cells = read_cells(adata, data, function="spb.tl.fit_scgpt")
    plan = plan_training(settings, cells, pretrained, seed=seed, device=torch_device)
    solution, params, more = run(plan, checkpoint_dir=checkpoint_dir, resume=resume)
    adata = adata.copy() if copy else adata
    store(adata, cells.screen, solution, kind="scgpt", params=params, key=key, more=more)
    return adata if copy else None


def _read(checkpoint: str | os.PathLike[str], settings: dict[str, Any]) -> Checkpoint:
    """Read a checkpoint; other sizes than its own are refused."""
    content = read(checkpoint)
    differ = [
        f"{name}={settings[name]}, but {getattr(content.sizes, name)} in the checkpoint"
        for name, default in SIZES.items()
        if settings[name] not in (default, getattr(content.sizes, name))
    ]
    if differ:
        msg = f"`checkpoint` defines other sizes: {'; '.join(differ)}. Omit these arguments."
        raise ValueError(msg)
    return content
