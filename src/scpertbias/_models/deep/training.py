"""The training loop.

A model defines a :class:`Learner`: its torch module, the batches of an epoch, the loss of some cells, and its
validation. :func:`train` does the rest, and leaves the module in evaluation mode with the weights of its best epoch. A
batch is a list of micro-batches whose gradients are accumulated, so that a large batch fits in memory; most have one.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from ..._core.arrays import IntArray
from ..._log import progress
from .checkpoint import Folder

if TYPE_CHECKING:
    import torch


class Learner(Protocol):
    """Interface of a model for the training loop."""

    module: torch.nn.Module

    def batches(self, rng: np.random.Generator) -> Sequence[Sequence[IntArray]]:
        """Return the batches of an epoch, each a list of micro-batches of cells."""

    def loss(self, cells: IntArray) -> torch.Tensor:
        """Return the mean loss of a micro-batch; the module is in training mode."""

    def validate(self) -> Mapping[str, float]:
        """Return validation losses of an epoch (empty without validation cells); the module is in evaluation mode."""


@dataclass(frozen=True)
class Schedule:
    """Training settings: Adam, with the learning rate multiplied by ``gamma`` after each epoch.

    Gradients are clipped by value or by norm. The best epoch has the smallest ``monitor``, a column of the history;
    without validation the last epoch is taken. Training stops after ``patience`` epochs that were no better.
    ``autocast`` computes in half precision on a GPU.
    """

    epochs: int
    lr: float
    weight_decay: float = 0.0
    gamma: float = 1.0
    clip_value: float | None = None
    clip_norm: float | None = None
    monitor: str = "val_loss"
    patience: int | None = None
    autocast: bool = False


def train(
    learner: Learner,
    schedule: Schedule,
    *,
    rng: np.random.Generator,
    device: torch.device,
    folder: Folder | None = None,
    name: str = "training",
) -> pd.DataFrame:
    """Train a module, or continue from a folder, and return the history.

    Returns
    -------
    One row per epoch: ``epoch``, ``train_loss`` (mean over batches), validation losses, ``learning_rate``, ``seconds``,
    ``seconds_validation``, ``peak_memory`` (MB; on CPU that of the process so far) and
    ``best`` (whether it was the best so far).

    Raises
    ------
    FloatingPointError
        If a loss is not finite; the folder contains the last complete epoch.
    """
    run = _Run(learner, schedule, rng, device)
    if folder is not None and (saved := folder.load()) is not None:
        run.restore(*saved)
    with progress(name, None, unit="batch") as bar:
        while len(run.history) < schedule.epochs and not run.is_out_of_patience():
            run.epoch(bar)
            if folder is not None:
                folder.save(len(run.history), run.tensors(), run.plain())
    run.take_best()
    return pd.DataFrame(run.history)


@dataclass
class _Run:
    """A training between two epochs; ``tensors`` and ``plain`` are sufficient to continue."""

    learner: Learner
    schedule: Schedule
    rng: np.random.Generator
    device: torch.device
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, torch.Tensor] | None = None

    def __post_init__(self) -> None:
        import torch

        module, schedule = self.learner.module, self.schedule
        self.optimizer = torch.optim.Adam(module.parameters(), lr=schedule.lr, weight_decay=schedule.weight_decay)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=1, gamma=schedule.gamma)
        on_gpu = schedule.autocast and self.device.type == "cuda"
        self.half = None if not on_gpu else torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.half is torch.float16)

    def is_out_of_patience(self) -> bool:
        """Whether the last epochs were no better than the best before."""
        since = next((i for i, row in enumerate(reversed(self.history)) if row["best"]), 0)
        return self.schedule.patience is not None and since >= self.schedule.patience

    def epoch(self, bar: Any) -> None:
        """Train and validate once."""
        _reset_peak(self.device)
        start = time.perf_counter()
        batches = self.learner.batches(self.rng)
        if bar.total is None:
            bar.reset(total=len(batches) * (self.schedule.epochs - len(self.history)))
        self.learner.module.train()
        losses = []
        for step, batch in enumerate(batches, start=1):
            losses.append(self._step(batch, step))
            bar.update()
        rate = self.optimizer.param_groups[0]["lr"]
        self.scheduler.step()
        train_end = time.perf_counter()
        self.learner.module.eval()
        validation = {key: float(value) for key, value in self.learner.validate().items()}
        row = {
            "epoch": len(self.history) + 1,
            "train_loss": float(np.mean(losses)),
            **validation,
            "learning_rate": float(rate),
            "seconds": train_end - start,
            "seconds_validation": time.perf_counter() - train_end,
            "peak_memory": _peak(self.device),
        }
        value = row.get(self.schedule.monitor, math.nan)
        before = [row.get(self.schedule.monitor, math.nan) for row in self.history]
        best = min((v for v in before if not math.isnan(v)), default=math.inf)
        row["best"] = value < best or (math.isnan(value) and best == math.inf)  # without validation: the last epoch
        if row["best"]:
            self.best = deepcopy(self.learner.module.state_dict())
        self.history.append(row)
        bar.set_postfix({"epoch": row["epoch"], "loss": f"{row['train_loss']:.4g}"})

    def _step(self, batch: Sequence[IntArray], step: int) -> float:
        import torch

        self.optimizer.zero_grad()
        size, total = sum(map(len, batch)), 0.0
        for cells in batch:
            with torch.autocast(self.device.type, dtype=self.half, enabled=self.half is not None):
                loss = self.learner.loss(cells) * (len(cells) / size)
            self.scaler.scale(loss).backward()
            total += loss.item()
        if not math.isfinite(total):
            msg = (
                f"The loss is {total} at step {step} of epoch {len(self.history) + 1}. Lower the learning rate "
                f"(lr={self.schedule.lr:g}), or check the data for extreme values."
            )
            raise FloatingPointError(msg)
        self.scaler.unscale_(self.optimizer)
        parameters = self.learner.module.parameters()
        if self.schedule.clip_value is not None:
            torch.nn.utils.clip_grad_value_(parameters, self.schedule.clip_value)
        elif self.schedule.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self.schedule.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return total

    def take_best(self) -> None:
        """Leave the module with the weights of its best epoch."""
        if self.best is not None:
            self.learner.module.load_state_dict(self.best)
        self.learner.module.eval()

    def tensors(self) -> dict[str, Any]:
        """Return weights, best weights (None: they are the same), optimizer and torch generators."""
        import torch

        return {
            "weights": self.learner.module.state_dict(),
            "best_weights": None if self.history[-1]["best"] else self.best,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "torch_generator": torch.get_rng_state(),
            "cuda_generator": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }

    def plain(self) -> dict[str, Any]:
        """Return history, scheduler and numpy generator."""
        history = [{k: v if math.isfinite(v) else None for k, v in row.items()} for row in self.history]
        return {
            "epoch": len(self.history),
            "history": history,
            "scheduler": self.scheduler.state_dict(),
            "numpy_generator": self.rng.bit_generator.state,
        }

    def restore(self, tensors: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
        """Restore a checkpoint."""
        import torch

        self.learner.module.load_state_dict(tensors["weights"])
        best = tensors["weights"] if tensors["best_weights"] is None else tensors["best_weights"]
        self.best = {name: value.to(self.device) for name, value in best.items()}
        self.optimizer.load_state_dict(tensors["optimizer"])
        self.scaler.load_state_dict(tensors["scaler"])
        self.scheduler.load_state_dict(dict(plain["scheduler"]))
        self.history = [{k: math.nan if v is None else v for k, v in row.items()} for row in plain["history"]]
        self.rng.bit_generator.state = plain["numpy_generator"]
        torch.set_rng_state(tensors["torch_generator"])
        if self.device.type == "cuda" and tensors["cuda_generator"] is not None:
            torch.cuda.set_rng_state(tensors["cuda_generator"], self.device)


def _reset_peak(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> float:
    """Return the peak memory in MB: of the GPU since the epoch began, or of the process so far (NaN on Windows)."""
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device) / 1e6
    if sys.platform == "win32":
        return math.nan
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
