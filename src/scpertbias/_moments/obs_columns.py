"""Selection of columns of ``obs`` for the test of balance, by their values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from .._columns import BATCH, CONTEXT, role
from .._core.arrays import BoolArray, IntArray

MIN_CONTROLS = 10
UNTESTED = 0.2
CELLS_PER_LEVEL = 20
MOST_NUMBERS = 50
"""A column of whole numbers with more than 50 levels is treated as a measurement, unless its name suggests a batch."""
NEARLY_ALL = 0.99
BATCHES = (BATCH, CONTEXT)
TESTED, LABELS, INSEPARABLE = "tested", "labels", "inseparable"


@dataclass(frozen=True)
class ObsColumn:
    """A column that was considered for the test.

    ``status`` is ``TESTED`` where enough levels have enough control cells, ``LABELS`` where the labels determine the
    column or it determines them, ``INSEPARABLE`` where the control lies in one level of a batch and many perturbed cells in
    others. ``level`` (cells,) numbers the levels with enough control cells, anew in each batch; −1 for all others.
    """

    name: str
    n_levels: int
    status: str
    level: IntArray


def examine(obs: pd.DataFrame, label: IntArray, batch: IntArray, *, leave_out: Collection[str]) -> list[ObsColumn]:
    """Examine all columns of ``obs`` except some.

    Parameters
    ----------
    obs
        One row per cell.
    label
        Perturbation of each cell: 0 the control, −1 left out.
    batch
        Batch of each cell.
    leave_out
        Columns that the screen is read by: labels, guides, splits, batches.
    """
    columns = []
    for name in obs.columns:
        if str(name) in leave_out:
            continue
        code = _codes(obs[name], is_batch=role(str(name)) in BATCHES)
        if code is not None and (column := _examined(str(name), code, label, batch)) is not None:
            columns.append(column)
    return columns


def levels(columns: Iterable[ObsColumn]) -> list[IntArray]:
    """Return the levels of each column whose cells are counted: of all but those that labels determine."""
    return [column.level for column in columns if column.status != LABELS]


def _codes(values: pd.Series, *, is_batch: bool) -> IntArray | None:
    """Number the values of a column, −1 where one is missing; None for columns of measurements."""
    kind = values.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return values.cat.codes.to_numpy(np.int64)
    if pd.api.types.is_float_dtype(kind):
        if not is_batch or ((known := values.dropna()) != known.round()).any():
            return None
    elif pd.api.types.is_object_dtype(kind) or isinstance(kind, pd.StringDtype):
        if pd.api.types.infer_dtype(values, skipna=True) not in ("string", "boolean", "integer"):
            return None
    elif not (pd.api.types.is_integer_dtype(kind) or pd.api.types.is_bool_dtype(kind)):
        return None
    code, names = pd.factorize(values, sort=True)
    if pd.api.types.is_integer_dtype(kind) and len(names) > MOST_NUMBERS and not is_batch:
        return None
    return code.astype(np.int64)


def _examined(name: str, code: IntArray, label: IntArray, batch: IntArray) -> ObsColumn | None:
    """Say whether a column can be tested; None where it has nothing to do with balance."""
    counts = label >= 0
    known = counts & (code >= 0)
    present = np.bincount(code[known]) > 0
    n_levels, n_labels = int(present.sum()), int(label.max()) + 1
    if not 2 <= n_levels <= counts.sum() / CELLS_PER_LEVEL:
        return None
    levels = np.where(known, (np.cumsum(present) - 1)[np.maximum(code, 0)], -1)
    cells = sparse.coo_array(
        (np.ones(known.sum(), dtype=np.int64), (label[known], levels[known])), (n_labels, n_levels)
    )
    if _determined(cells.tocsr()):
        return ObsColumn(name, n_levels, LABELS, np.full(len(code), -1))
    level, several = _with_controls(levels, label == 0, batch)
    if several:
        return ObsColumn(name, n_levels, TESTED, level)
    # Batches and effects of perturbations differ only by the name of the column; batches can be inseparable.
    untested = (level[label > 0] < 0).mean() if (label > 0).any() else 0.0
    if role(name) in BATCHES and untested > UNTESTED:
        return ObsColumn(name, n_levels, INSEPARABLE, level)
    return None


def _determined(table: sparse.csr_array) -> bool:
    """Whether nearly all cells of each label are in one level, the control's too, or nearly all of each level have one label."""
    cells, most = table.sum(axis=1), table.max(axis=1).toarray().ravel()
    by_label = [most[0] / max(cells[0], 1), most[1:].sum() / max(cells[1:].sum(), 1)]
    return min(by_label) >= NEARLY_ALL or table.max(axis=0).toarray().sum() >= NEARLY_ALL * cells.sum()


def _with_controls(levels: IntArray, control: BoolArray, batch: IntArray) -> tuple[IntArray, bool]:
    """Number the levels of each batch with enough control cells; also return whether a batch has several of them."""
    n_levels, n_batches = int(levels.max()) + 1, int(batch.max()) + 1
    joint = np.where(levels >= 0, batch * n_levels + levels, -1)
    enough = np.bincount(joint[(levels >= 0) & control], minlength=n_levels * n_batches) >= MIN_CONTROLS
    number = np.where(enough, np.cumsum(enough) - 1, -1)
    level = np.where(joint >= 0, number[joint], -1)
    return level, bool(enough.reshape(n_batches, n_levels).sum(axis=1).max() > 1)
