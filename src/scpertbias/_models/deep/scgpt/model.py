"""The model of scGPT, and its output for sequences."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .imports import scgpt_model
from .pretrained import Sizes
from .tokens import PAD, Sequences

if TYPE_CHECKING:
    import torch


def build(sizes: Sizes, vocab: Mapping[str, int], *, seed: int) -> Any:
    """Return the model of scGPT's 2024 perturbation tutorial with random weights; torch's own generator is left alone."""
    import torch

    generator = scgpt_model().TransformerGenerator
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd number of heads has no nested tensors: none are used here
        torch.manual_seed(seed)
        return generator(
            len(vocab),
            sizes.d_model,
            sizes.n_heads,
            sizes.d_hid,
            sizes.n_layers,
            nlayers_cls=sizes.n_layers_cls,
            n_cls=1,
            vocab=vocab,
            dropout=0.0,
            pad_token=PAD,
            pad_value=0,
            pert_pad_id=0,
            use_fast_transformer=False,
        )


def forward(model: Any, batch: Sequences, n_genes: int) -> torch.Tensor:
    """Return the model's expression (B × L) of the measured genes, which come first in each sequence."""
    import torch

    device = next(model.parameters()).device
    padding = None if batch.padding is None else torch.from_numpy(batch.padding).to(device)
    out = model(
        torch.from_numpy(batch.ids).to(device),
        torch.from_numpy(batch.values).to(device),
        torch.from_numpy(batch.flags).to(device),
        src_key_padding_mask=padding,
    )
    return out["mlm_output"][:, :n_genes]


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode without PyTorch's encoder fast path, which is slower on CPU and takes more memory.

    The switch is global, so it is set back afterwards, as is the model's mode.
    """
    import torch

    fast, training = torch.backends.mha.get_fastpath_enabled(), model.training
    torch.backends.mha.set_fastpath_enabled(False)
    model.eval()
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        model.train(training)


# Measured on CPU: floats held for each token, in widths of the model; training keeps those of every layer.
WIDTHS = 16
CPU_BYTES = 1.5e9  # a larger micro-batch is no faster on CPU


def micro_batch(sizes: Sizes, length: int, *, device: torch.device, training: bool) -> int:
    """Return how many sequences fit in memory at once: a modest share on CPU, half of what is free on a GPU."""
    import torch

    layers = sizes.n_layers if training else 1
    each = 4 * WIDTHS * max(sizes.d_model, sizes.d_hid) * layers * length
    free = torch.cuda.mem_get_info(device)[0] / 2 if device.type == "cuda" else CPU_BYTES
    return max(1, int(free // each))
