"""Published scGPT models: reading and checking a folder, and loading weights."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ...._files import one_line, reading
from .tokens import PAD

ARGS, WEIGHTS, VOCAB = "args.json", "best_model.pt", "vocab.json"
# The parts that pretraining and perturbation prediction share; all others start untrained, as in scGPT's tutorial.
PRETRAINED = ("encoder.", "value_encoder.", "transformer_encoder.")


@dataclass(frozen=True)
class Sizes:
    """The size of the model."""

    d_model: int
    n_heads: int
    d_hid: int
    n_layers: int
    n_layers_cls: int = 3


NAMES = {
    "d_model": "embsize",
    "n_heads": "nheads",
    "d_hid": "d_hid",
    "n_layers": "nlayers",
    "n_layers_cls": "n_layers_cls",
}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder: sizes, vocabulary, and tensors by the names that the model gives them.

    ``fingerprint`` is the hash of the file of weights.
    """

    folder: str
    fingerprint: str
    sizes: Sizes
    vocabulary: dict[str, int]
    tensors: Mapping[str, Any]


@dataclass(frozen=True)
class TensorAccount:
    """Account of the tensors: loaded, untrained, and unused names."""

    loaded: list[str]
    untrained: list[str]
    unused: list[str]


def read(checkpoint: str | os.PathLike[str]) -> Checkpoint:
    """Read a folder as published by scGPT; no code in it is executed."""
    folder = Path(checkpoint)
    missing = [name for name in (ARGS, WEIGHTS, VOCAB) if not (folder / name).is_file()]
    if missing:
        msg = f"`checkpoint`: {str(folder)!r} contains no {', '.join(missing)}; pass a folder as published by scGPT."
        raise ValueError(msg)
    vocab = _vocabulary(folder / VOCAB)
    sizes, tensors = _sizes(folder / ARGS), _tensors(folder / WEIGHTS)
    with (folder / WEIGHTS).open("rb") as file:
        fingerprint = hashlib.file_digest(file, "sha256").hexdigest()
    return Checkpoint(folder.resolve().name, fingerprint, sizes, vocab, tensors)


def _json(path: Path) -> dict[str, Any]:
    with reading(path):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        msg = f"`checkpoint`: {path.name} contains a {type(content).__name__}; a dictionary is needed."
        raise ValueError(msg)
    return content


def _sizes(path: Path) -> Sizes:
    args = _json(path)
    args_names = {field.name: NAMES[field.name] for field in fields(Sizes)}
    args.setdefault(args_names["n_layers_cls"], 3)
    wrong_sizes = {
        args_name: args.get(args_name) for args_name in args_names.values() if not _is_size(args.get(args_name))
    }
    if wrong_sizes:
        msg = f"`checkpoint`: {path.name} has no valid {wrong_sizes}; whole numbers of at least 1 are needed."
        raise ValueError(msg)
    return Sizes(**{name: args[args_name] for name, args_name in args_names.items()})


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _vocabulary(path: Path) -> dict[str, int]:
    vocab = _json(path)
    if PAD not in vocab:
        msg = f"`checkpoint`: {path.name} contains {len(vocab)} tokens, but not {PAD!r}."
        raise ValueError(msg)
    numbers = [n for n in vocab.values() if isinstance(n, int) and not isinstance(n, bool)]
    if sorted(numbers) != list(range(len(vocab))):
        msg = f"`checkpoint`: the {len(vocab)} tokens of {path.name} are not numbered from 0 to {len(vocab) - 1}, each once."
        raise ValueError(msg)
    return vocab


def _tensors(path: Path) -> dict[str, Any]:
    """Read the tensors, those of flash-attention by the names of PyTorch's own attention."""
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as err:  # damaged files raise errors of zip, of pickle, of tensors
        msg = (
            f"`checkpoint`: {path.name} cannot be read as tensors ({one_line(err)[:200]}). The file is incomplete, or "
            f"contains other objects, which are not loaded because they could run code."
        )
        raise ValueError(msg) from err
    others = (
        [] if not isinstance(state, dict) else [str(k) for k, v in state.items() if not isinstance(v, torch.Tensor)]
    )
    if not isinstance(state, dict) or not state or others:
        what = f"{others[:5]} that are not tensors" if others else f"a {type(state).__name__}"
        msg = f"`checkpoint`: {path.name} contains {what}; a state dict (names to tensors) is needed."
        raise ValueError(msg)
    return {str(name).replace("Wqkv.", "in_proj_"): tensor for name, tensor in state.items()}


def load(model: Any, checkpoint: Checkpoint) -> TensorAccount:
    """Load the pretrained tensors into the model; a missing tensor or another shape is an error."""
    import torch

    own = model.state_dict()
    names = [name for name in own if name.startswith(PRETRAINED)]
    missing = [name for name in names if name not in checkpoint.tensors]
    strange = [name for name in checkpoint.tensors if name.startswith(PRETRAINED) and name not in own]
    shapes = [
        f"{name} has the shape {_shape(checkpoint.tensors[name])}, but {_shape(own[name])} is expected"
        for name in names
        if name in checkpoint.tensors and checkpoint.tensors[name].shape != own[name].shape
    ]
    if missing or strange or shapes:
        problems = [
            *([f"{len(missing)} tensors are missing ({', '.join(missing[:3])}, …)"] if missing else []),
            *([f"{len(strange)} tensors do not belong to this model ({', '.join(strange[:3])}, …)"] if strange else []),
            *shapes[:5],
        ]
        msg = f"`checkpoint`: {WEIGHTS} does not fit {ARGS} and {VOCAB}: {'; '.join(problems)}."
        raise ValueError(msg)
    with torch.no_grad():
        for name in names:
            own[name].copy_(checkpoint.tensors[name])
    untrained = [name for name in own if not name.startswith(PRETRAINED)]
    return TensorAccount(names, untrained, [name for name in checkpoint.tensors if not name.startswith(PRETRAINED)])


def _shape(tensor: Any) -> str:
    return " × ".join(map(str, tensor.shape)) or "a number"
