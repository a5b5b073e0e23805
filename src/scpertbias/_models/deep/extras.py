"""Optional packages: installation, device, and restoration of global state."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import requires
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import scanpy as sc
from packaging.requirements import Requirement

if TYPE_CHECKING:
    import torch


NEEDED = {"gears": ("torch", "torch_geometric", "gears"), "scgpt": ("torch", "scgpt")}
WITHOUT_DEPENDENCIES = {"scgpt": "scgpt==0.2.4"}
"""Packages that an extra needs but cannot declare, because pip cannot install their dependencies."""


def install_command(extra: str) -> str:
    """Return the command that installs the packages of an extra, however scpertbias itself was installed."""
    declared = [Requirement(line) for line in requires("scpertbias") or []]
    packages = [
        f"{one.name}{one.specifier}"
        for one in declared
        if one.marker and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate({"extra": ""})
    ]
    alone = WITHOUT_DEPENDENCIES.get(extra)
    return f"pip install {' '.join(packages)}" + (f" && pip install --no-deps {alone}" if alone else "")


def require(extra: str) -> None:
    """Raise an error with the installation command if packages of an extra are missing."""
    missing = [name for name in NEEDED[extra] if find_spec(name) is None]
    if missing:
        msg = f"spb.tl.fit_{extra} needs {', '.join(missing)}, which is not installed. Run: {install_command(extra)}"
        raise ImportError(msg)


def pick_device(device: str | None) -> torch.device:
    """Return the given device, or the GPU if available."""
    import torch

    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch_device = torch.device(device)
    except RuntimeError as error:
        msg = f"`device` is {device!r}; use 'cpu', 'cuda' or 'cuda:1'."
        raise ValueError(msg) from error
    if torch_device.type not in ("cpu", "cuda"):
        msg = f"`device` is {device!r}; only 'cpu' and 'cuda' are supported."
        raise ValueError(msg)
    if torch_device.type == "cuda" and (torch_device.index or 0) >= torch.cuda.device_count():
        msg = (
            f"`device` is {device!r}, but torch finds {torch.cuda.device_count()} GPUs; omit it to use the available "
            "device."
        )
        raise ValueError(msg)
    return torch_device


def seed_of(rng: int | np.random.Generator | None, checkpoint_dir: object) -> int:
    """Return the seed of a training; a training with checkpoints needs a fixed seed."""
    if isinstance(rng, int | np.integer):
        return int(rng)
    if checkpoint_dir is not None:
        msg = f"`rng` is {rng!r}; with `checkpoint_dir` it must be a seed, so that an interrupted training can be continued."
        raise ValueError(msg)
    return int(np.random.default_rng(rng).integers(2**62))


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed torch during a fit; the generators of the user are restored afterwards."""
    import torch

    with torch.random.fork_rng(devices=_gpus()):
        torch.manual_seed(seed)
        yield


@contextmanager
def imports_leave_no_trace() -> Iterator[None]:
    """Import packages that change warning filters, verbosity of scanpy or the torch seed, and restore these."""
    import torch

    verbosity = sc.settings.verbosity
    with warnings.catch_warnings(), torch.random.fork_rng(devices=_gpus()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            sc.settings.verbosity = verbosity


def _gpus() -> list[int]:
    """GPUs whose generators are in use; querying others would initialize them."""
    import torch

    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
