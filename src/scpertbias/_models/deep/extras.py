"""The optional packages: whether they are there, where they run, and what they must leave as it was."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import scanpy as sc

if TYPE_CHECKING:
    import torch


NEEDED = {"gears": ("torch", "torch_geometric", "gears"), "scgpt": ("torch", "scgpt")}
INSTALL = {
    "gears": "pip install 'scpertbias[gears]'",
    "scgpt": "pip install 'scpertbias[scgpt]' && pip install --no-deps scgpt==0.2.4",
}


def require(extra: str) -> None:
    """Refuse to go on where the packages of an extra are missing, and say how to install them."""
    missing = [name for name in NEEDED[extra] if find_spec(name) is None]
    if missing:
        msg = f"spb.tl.fit_{extra} needs {', '.join(missing)}, not installed here. Run: {INSTALL[extra]}"
        raise ImportError(msg)


def pick_device(device: str | None) -> torch.device:
    """Return the device asked for, or the GPU if there is one."""
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
        msg = f"`device` is {device!r}, but torch sees {torch.cuda.device_count()} GPUs; leave it out to use what there is."
        raise ValueError(msg)
    return torch_device


def seed_of(rng: int | np.random.Generator | None, checkpoint_dir: object) -> int:
    """Return the seed of a training; one that may be interrupted needs a seed that comes again."""
    if isinstance(rng, int | np.integer):
        return int(rng)
    if checkpoint_dir is not None:
        msg = f"`rng` is {rng!r}; with `checkpoint_dir` it must be a seed, so that an interrupted training can go on."
        raise ValueError(msg)
    return int(np.random.default_rng(rng).integers(2**62))


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed torch for the time of a fit; the user's generators go on afterwards as if nothing had happened."""
    import torch

    with torch.random.fork_rng(devices=_gpus()):
        torch.manual_seed(seed)
        yield


@contextmanager
def imports_leave_no_trace() -> Iterator[None]:
    """Import packages that set warning filters, scanpy's verbosity or the torch seed, and put all of it back."""
    import torch

    verbosity = sc.settings.verbosity
    with warnings.catch_warnings(), torch.random.fork_rng(devices=_gpus()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            sc.settings.verbosity = verbosity


def _gpus() -> list[int]:
    """GPUs whose generators are in use: asking about others would start them."""
    import torch

    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
