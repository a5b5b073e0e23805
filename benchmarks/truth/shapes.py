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

BY_CELLS: dict[str, dict[str, Any]] = {
    f"{name}_{cells}_{n_control}": dict(screens.DESIGNS[name], cells_per_perturbation=cells, n_control=n_control)
    for name in ("one_batch", "uneven")
    for cells, n_control in ((20, 100), (50, 500), (100, 10_000))
}
"""With so many cells per perturbation and controls."""
SHAPES |= BY_CELLS


def batch_key(adata: AnnData) -> str | None:
    """Return ``"batch"`` if there is more than one."""
    return "batch" if adata.obs["batch"].nunique() > 1 else None
