"""Cells as an audit was given them, for models that are trained from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anndata import AnnData

from ... import _store
from ...pp._cell_files import COUNTS
from .settings import AuditSettings


@dataclass(frozen=True)
class CellSource:
    """Cells, in memory or not, with settings for reading them; ``counts`` belong to log-normalized values."""

    cells: AnnData
    data: dict[str, Any]
    reading: dict[str, Any]
    counts: Any = None


def cell_source(
    adata: AnnData, cells: AnnData, data: Mapping[str, Any], settings: AuditSettings, size_factors: str | None
) -> CellSource:
    """Return the cells that were prepared of ``adata``, before they are normalized."""
    reading = {"normalize": settings.normalize, "size_factors": size_factors, "target_sum": settings.target_sum}
    reading |= {"chunk_memory": settings.chunk_memory}
    with_counts = not settings.normalize and _store.has_layer(adata, COUNTS) and adata.n_vars == cells.n_vars
    return CellSource(cells, dict(data), reading, _store.matrix(adata, COUNTS) if with_counts else None)
