"""scGPT: vocabulary, training, predictions, attributions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from ...._core.arrays import FloatArray, IntArray
from ...._core.attribution import output_gene
from ...._log import info, progress, some, warn
from ..._base import Solution
from ..checkpoint import open_folder
from ..data import TrainingCells, digest
from ..extras import own_randomness
from ..training import Schedule, train
from .attribution import embedding_gradient, in_gene_space
from .learner import ScgptLearner
from .model import build, micro_batch
from .predict import choose_controls, control_variate, outputs
from .pretrained import Checkpoint, Sizes, load
from .tokens import Tokens, tokens_of, vocabulary

# As in scGPT's 2024 tutorial, but for the patience: that of 2023, on the validation loss.
TRAINING: dict[str, Any] = {"gamma": 0.9, "clip_norm": 1.0, "patience": 5}
UNTRAINED = "neither measured nor perturbed in training"
SCRATCH = "trained from scratch on this screen: not the pretrained foundation model"


@dataclass(frozen=True)
class TrainingPlan:
    """Plan of a training: settings, cells, vocabulary, tokens and sizes."""

    settings: Mapping[str, Any]
    cells: TrainingCells
    checkpoint: Checkpoint | None
    vocabulary: Mapping[str, int]
    tokens: Tokens
    sizes: Sizes
    seed: int
    device: Any
    cannot: Mapping[str, str]
    """Reason why some perturbations cannot be predicted."""

    def fits(self, length: int, *, training: bool) -> int:
        """Return how many sequences fit in memory."""
        return micro_batch(self.sizes, length, device=self.device, training=training)


def plan_training(
    settings: Mapping[str, Any], cells: TrainingCells, checkpoint: Checkpoint | None, *, seed: int, device: Any
) -> TrainingPlan:
    """Look up all genes and targets, and report those without a token."""
    screen = cells.screen
    vocab = vocabulary(screen.symbols, screen.targets) if checkpoint is None else checkpoint.vocabulary
    tokens = tokens_of(screen.symbols, screen.names, screen.targets, vocab, missing_target=settings["missing_target"])
    if tokens.unknown_genes:
        warn(
            f"{len(tokens.unknown_genes)} of {len(tokens.genes)} genes are outside the vocabulary of the checkpoint "
            f"({some(tokens.unknown_genes)}). These genes are replaced by <pad>, as in the tutorial of scGPT, and "
            "have no attribution. Check that names are gene symbols (gene_symbols=)."
        )
    longest = max(map(len, tokens.columns))
    if longest > settings["max_genes"]:
        msg = (
            f"`max_genes` is {settings['max_genes']}, but a combination perturbs {longest} measured genes. Pass "
            f"max_genes={longest} or more."
        )
        raise ValueError(msg)
    sizes = _sizes(settings) if checkpoint is None else checkpoint.sizes
    if not any(name not in tokens.cannot for name, n in zip(screen.names[1:], cells.problem.n[1:], strict=True) if n):
        reasons = "; ".join(f"{name}: {why}" for name, why in list(tokens.cannot.items())[:3])
        msg = f"No training perturbation has a token ({reasons}; …). Pass missing_target='token', or gene_symbols=."
        raise ValueError(msg)
    cannot = tokens.cannot | (_untrained(cells, tokens) if checkpoint is None else {})
    return TrainingPlan(settings, cells, checkpoint, vocab, tokens, sizes, seed, device, cannot)


def _untrained(cells: TrainingCells, tokens: Tokens) -> dict[str, str]:
    """Return perturbations with an untrained token: a target that is neither measured nor perturbed."""
    screen = cells.screen
    trained_genes = {gene for genes, n in zip(screen.targets, cells.problem.n, strict=True) if n for gene in genes}
    trained_genes |= set(screen.symbols.tolist())
    reasons = {
        name: f"{', '.join(gene for gene in genes if gene not in trained_genes)} {UNTRAINED}"
        for name, genes in zip(screen.names, screen.targets, strict=True)
        if name not in tokens.cannot and not trained_genes.issuperset(genes)
    }
    if reasons:
        warn(
            f"{len(reasons)} perturbations get no prediction ({some(reasons)}). Their targets are {UNTRAINED}, so "
            "without pretraining the tokens of these targets are random."
        )
    return reasons


def _sizes(settings: Mapping[str, Any]) -> Sizes:
    width = int(settings["d_model"])
    return Sizes(width, int(settings["n_heads"]), width, int(settings["n_layers"]))


def run(
    plan: TrainingPlan, *, checkpoint_dir: str | os.PathLike[str] | None, resume: bool
) -> tuple[Solution, dict[str, Any], dict[str, Any]]:
    """Train, predict and attribute; return stored values, all parameters, and further entries of the record."""
    settings, cells = plan.settings, plan.cells
    identity = {
        **cells.fingerprint,
        **{key: str(cells.screen.record[key]) for key in ("layer", "batch_key")},
        **{key: settings[key] for key in ("batch_size", "lr", "max_genes", "missing_target")},
        **asdict(plan.sizes),
        "vocabulary": digest(plan.vocabulary, plan.vocabulary.values()),
        "pretrained": "" if plan.checkpoint is None else plan.checkpoint.fingerprint,
        "rng": plan.seed,
    }
    folder = open_folder(checkpoint_dir, identity, resume=resume)
    draw, shuffle = np.random.default_rng(plan.seed).spawn(2)
    module = build(plan.sizes, plan.vocabulary, seed=plan.seed)
    account = None if plan.checkpoint is None else load(module, plan.checkpoint)
    module = module.to(plan.device)
    with own_randomness(plan.seed):
        length = min(len(plan.tokens.genes), settings["max_genes"])
        learner = ScgptLearner(
            module,
            plan.tokens,
            cells,
            batch_size=settings["batch_size"],
            micro_batch=plan.fits(length, training=True),
            max_genes=settings["max_genes"],
            rng=draw,
        )
        if not len(learner.val):
            info("there are no validation perturbations for early stopping, so the last epoch is kept")
        schedule = Schedule(settings["epochs"], settings["lr"], autocast=True, **TRAINING)
        history = train(learner, schedule, rng=shuffle, device=plan.device, folder=folder, name="scGPT")
    solution, more = _solve(plan, module)
    params = {
        **asdict(plan.sizes),
        **TRAINING,
        "optimizer": "Adam",
        "dropout": 0.0,
        "n_tokens": len(plan.vocabulary),
        "n_parameters": sum(p.numel() for p in module.parameters()),
        "checkpoint": "" if plan.checkpoint is None else plan.checkpoint.folder,
        "rng": plan.seed,
        "device": str(plan.device),
        **{f"{name}_version": version(name) for name in ("scgpt", "torch")},
    }
    tensors = {} if account is None else {"tensors": asdict(account)}
    return solution, {**settings, **params}, {**more, **tensors, "history": history}


def _solve(plan: TrainingPlan, module: Any) -> tuple[Solution, dict[str, Any]]:
    """Return the predictions and attributions of a trained model."""
    cells, tokens = plan.cells, plan.tokens
    names, control = cells.screen.names, cells.problem.control
    predictable = [p for p, name in enumerate(names) if p and name not in plan.cannot]
    predictions = np.full((len(names), len(tokens.genes)), np.nan)
    predictions[0] = control
    rows = controls(cells, plan.settings["n_control_cells"])
    inputs, n_all = cells.dense(rows), int((cells.code == 0).sum())
    size = plan.fits(len(tokens.genes), training=False)
    errors = []
    for p in progress("scGPT: predictions", len(predictable), unit="perturbation", items=predictable):
        average = control_variate(outputs(module, tokens, p, inputs, micro_batch=size), inputs, control, n_all)
        predictions[p] = average.mean
        errors.append((names[p], len(rows), np.sqrt((average.error**2).mean()), average.error.max()))
    table = pd.DataFrame(errors, columns=["perturbation", "n_control_cells", "error_rms", "error_max"])
    gene, ties = output_gene(predictions[predictable] - control, cells.screen.symbols)
    importance = _attributions(plan, module, predictable, gene)
    more = {
        "monte_carlo": table,
        "output_gene": str(cells.screen.genes[gene]),
        "output_gene_ties": ties,
        "cannot_predict_reason": [plan.cannot[name] for name in names if name in plan.cannot],
        "genes_outside_vocabulary": list(tokens.unknown_genes),
    }
    return Solution(predictions, importance, note=_note(plan)), more


def controls(cells: TrainingCells, n: int) -> IntArray:
    """Choose control cells; which ones depends on their names and strata only."""
    control = cells.order[cells.code[cells.order] == 0]
    return control[choose_controls(cells.stratum[control], n)]


def _attributions(plan: TrainingPlan, module: Any, predictable: list[int], gene: int) -> FloatArray | None:
    """Return how much each gene's token matters to one output gene, perturbations × genes."""
    kind, tokens, cells = plan.settings["attribution"], plan.tokens, plan.cells
    inputs = cells.dense(controls(cells, plan.settings["n_attribution_cells"]))
    size = plan.fits(len(tokens.genes), training=True)
    importance = np.full((len(cells.screen.names), len(tokens.genes)), np.nan)
    for p in progress("scGPT: attributions", len(predictable), unit="perturbation", items=predictable):
        gradient = embedding_gradient(module, tokens, p, inputs, gene, micro_batch=size)
        importance[p] = in_gene_space(module, tokens, gradient, kind)
    return importance


def _note(plan: TrainingPlan) -> str:
    """Return the differences from the foundation model, and from the tutorial of scGPT."""
    extra_tokens = zip(plan.cells.screen.names, plan.tokens.extra, strict=True)
    extra = sum(bool(ids) for name, ids in extra_tokens if name not in plan.cannot)
    parts = [SCRATCH] if plan.checkpoint is None else []
    if extra:
        parts.append(f"{extra} perturbations of unmeasured genes get an additional token")
    return "; ".join(parts)
