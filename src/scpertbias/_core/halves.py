"""Assign cells to halves and control blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

from scpertbias._core import threads
from scpertbias._core.accumulators import stable_order
from scpertbias._core.arrays import FloatArray, IntArray

N_BLOCKS = 20


@dataclass(frozen=True)
class HalfAssignment:
    """Group of each cell, and a description of each group.

    A perturbed group is one half of a row (with guides, what one guide half has in it), a control group one batch of one
    control block.
    """

    group: IntArray
    row: IntArray
    half: IntArray
    block: IntArray
    batch: IntArray
    counts: FloatArray
    """Groups × batches: number of cells."""
    guide: IntArray
    """Guide half of each group; −1 for the control, and for all groups if there are no guides."""


def assign_halves(
    row: IntArray,
    n_rows: int,
    reference: int,
    hashes: npt.NDArray[np.uint64],
    *,
    batch: IntArray,
    n_batches: int,
    guide_half: IntArray | None = None,
) -> HalfAssignment:
    """Assign cells to two halves per row, and the control to blocks, balanced within batches.

    Cells of a row are ordered by batch, then by hash, and assigned alternately, so neither file order nor
    chunks matter. ``guide_half`` (0 or 1; −1: as the cell's half) keeps the cells of either half of a row's guides
    apart besides. Each half of the control has 10 blocks; with few cells a quarter of all of them, and none is empty.
    """
    half = np.full(len(row), -1, dtype=np.int64)
    assigned_cells = np.flatnonzero(row >= 0)
    codes = row[assigned_cells] * n_batches + batch[assigned_cells]
    order = assigned_cells[stable_order(codes, n_rows * n_batches)]
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=n_rows * n_batches))])
    threads.run(_sort_within, n_rows * n_batches, hashes, order, starts, n_values=len(order))
    place = _place_within(row[order])
    half[order] = place % 2

    control = order[row[order] == reference]
    halves = [control[half[control] == a] for a in (0, 1)]
    n_blocks = 2 * max(min(N_BLOCKS // 2, len(control) // 4, *map(len, halves)), 1)
    block = np.full(len(row), -1, dtype=np.int64)
    for a, cells in enumerate(halves):
        block[cells] = a * (n_blocks // 2) + np.arange(len(cells)) % (n_blocks // 2)

    is_control = row == reference
    n_guides = 1 if guide_half is None else 2
    guide = np.zeros_like(half) if guide_half is None else np.where(guide_half >= 0, guide_half, half)
    n_perturbed = 2 * n_guides * n_rows
    group = np.where(row >= 0, (2 * row + half) * n_guides + guide, -1)
    group[is_control] = n_perturbed + block[is_control] * n_batches + batch[is_control]
    n_groups = n_perturbed + n_blocks * n_batches
    counts = np.bincount(group[assigned_cells] * n_batches + batch[assigned_cells], minlength=n_groups * n_batches)
    groups = np.arange(n_groups)
    in_control = groups >= n_perturbed
    block_of = np.where(in_control, (groups - n_perturbed) // n_batches, -1)
    return HalfAssignment(
        group=group,
        row=np.where(in_control, reference, groups // (2 * n_guides)),
        half=np.where(in_control, (block_of >= n_blocks // 2).astype(np.int64), groups // n_guides % 2),
        block=block_of,
        batch=np.where(in_control, (groups - n_perturbed) % n_batches, -1),
        guide=np.where(in_control | (n_guides == 1), -1, groups % n_guides),
        counts=counts.reshape(n_groups, n_batches).astype(np.float64),
    )


@nb.njit(cache=True, nogil=True)
def _sort_within(start: Any, stop: Any, hashes: Any, order: Any, starts: Any) -> None:  # pragma: no cover - compiled
    for k in range(start, stop):
        part = order[starts[k] : starts[k + 1]]
        # Stable: cells of one name stay as they come.
        order[starts[k] : starts[k + 1]] = part[np.argsort(hashes[part], kind="mergesort")]


def _place_within(sorted_groups: IntArray) -> IntArray:
    """Position of each entry within its run of equal values."""
    if len(sorted_groups) == 0:
        return np.empty(0, dtype=np.int64)
    starts = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]])
    return np.arange(len(sorted_groups)) - np.repeat(starts, np.diff(np.r_[starts, len(sorted_groups)]))
