"""Shapes of the screens of all claims: settings of ``benchmarks.screens.Screen``."""

from __future__ import annotations

from typing import Any

from anndata import AnnData

from benchmarks import screens

SHAPES: dict[str, dict[str, Any]] = {
    **{name: dict(screens.DESIGNS[name]) for name in ("balanced", "nested", "uneven", "few_controls", "small_panel")},
    **{name: dict(screens.DESIGNS[name]) for name in ("one_batch", "random")},
    # 15 controls per batch, and batches out of balance
    "nested_few": {"design": "nested", "n_batches": 3, "n_control": 45},
    "uneven_few": {"design": "uneven", "n_batches": 3, "n_control": 45},
}


def batch_key(adata: AnnData) -> str | None:
    """Return ``"batch"`` if there is more than one."""
    return "batch" if adata.obs["batch"].nunique() > 1 else None
