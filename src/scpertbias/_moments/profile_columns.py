"""Columns of ``obs`` in profiles: covariates, levels for the test of balance, depth and MT %."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData

from .. import _keys, _store
from .._core.arrays import FloatArray
from .._core.cell_columns import Covariates, Levels, Quality
from .._core.moments import Moments

_LEVELS = ("obsm/levels", f"varm/{_keys.CONTROL_LEVELS}", f"varm/{_keys.CONTROL_LEVELS_VAR}")
_QUALITY = ("obsm/quality", "obsm/quality_var")


def slots(moments: Moments, prefix: str) -> dict[str, FloatArray]:
    """Return the arrays by the name of their slot; of a layer, only what depends on its values."""
    slots: dict[str, FloatArray] = {}
    if (quality := moments.quality) is not None:
        slots |= {f"varm/{prefix}{name}_slopes": quality.slopes[:, j].T for j, name in enumerate(quality.names)}
        slots |= dict(zip(_QUALITY, (quality.mean, quality.var), strict=True))
    if (levels := moments.levels) is not None:
        slots |= dict(zip(_LEVELS, (levels.counts, levels.mean.T, levels.var.T), strict=True))
    if (c := moments.covariates) is not None:
        slots |= {f"layers/{_keys.CROSS}_{j + 1}": c.cross[:, j] for j in range(c.cross.shape[1])}
        slots["obsm/covariates"] = c.mean
        slots["obsm/covariates_half_1"], slots["obsm/covariates_half_2"] = c.half
        slots["obsm/covariates_ss"] = c.ss.reshape(len(c.ss), -1)
        slots["obsm/covariates_by_batch"] = c.by_row.reshape(len(c.by_row), -1)
        slots[f"varm/{_keys.CONTROL_CROSS}"] = c.control_cross.reshape(-1, c.control_cross.shape[2]).T
    return slots


def record(moments: Moments) -> dict[str, Any]:
    """Return the entries with neither one row per profile nor one row per gene."""
    record: dict[str, Any] = {}
    if (quality := moments.quality) is not None:
        record |= {
            "quality": list(quality.names),
            "quality_control_mean": quality.control_mean,
            "quality_control_var": quality.control_var,
        }
    if (levels := moments.levels) is not None:
        record |= {f"levels_{name}": getattr(levels, name) for name in ("column", "batch", "n_control")}
    if (c := moments.covariates) is not None:
        record |= {
            "covariates_blocks": c.blocks,
            "covariates_control_half": c.control_half.reshape(len(c.control_half), -1),
            "covariates_control_ss": c.control_ss.reshape(len(c.control_ss), -1),
        }
    return record


def levels(adata: AnnData, record: Mapping[str, Any]) -> Levels | None:
    """Return the numbers of cells per level of columns of ``obs`` from profiles, or None."""
    counts, mean, var = (_store.profile_slot(adata, slot) for slot in _LEVELS)
    if counts is None or mean is None or var is None:
        return None
    return Levels(
        column=np.asarray(record["levels_column"], dtype=np.int64),
        batch=np.asarray(record["levels_batch"], dtype=np.int64),
        counts=counts,
        n_control=np.asarray(record["levels_n_control"], dtype=np.float64),
        mean=mean.T,
        var=var.T,
    )


def quality(adata: AnnData, record: Mapping[str, Any], prefix: str) -> Quality | None:
    """Return depth and MT % of the profiles, and the slopes of the values of one prefix, or None."""
    names = tuple(map(str, record.get("quality", ())))
    mean, var = (_store.profile_slot(adata, slot) for slot in _QUALITY)
    slopes = [_store.profile_slot(adata, f"varm/{prefix}{name}_slopes") for name in names]
    arrays = [array.T for array in slopes if array is not None]
    if mean is None or var is None or not arrays or len(arrays) < len(slopes):
        return None
    return Quality(
        names=names,
        mean=mean,
        var=var,
        control_mean=np.asarray(record["quality_control_mean"], dtype=np.float64),
        control_var=np.asarray(record["quality_control_var"], dtype=np.float64),
        slopes=np.stack(arrays, axis=1),
    )


def covariates(adata: AnnData, record: Mapping[str, Any]) -> Covariates | None:
    """Return the moments of the covariates in profiles, or None."""
    mean = _store.profile_slot(adata, "obsm/covariates")
    if mean is None:
        return None
    k = mean.shape[1]
    slots = ["obsm/covariates_ss", "obsm/covariates_by_batch", f"varm/{_keys.CONTROL_CROSS}"]
    slots += [f"obsm/covariates_{half}" for half in _keys.HALVES]
    arrays = [array for slot in slots if (array := _store.profile_slot(adata, slot)) is not None]
    cross = _store.profile_stack(adata, [f"layers/{_keys.CROSS}_{j + 1}" for j in range(k)], axis=1)
    if cross is None or len(arrays) < len(slots):
        return None
    ss, by_batch, control_cross, half_1, half_2 = arrays
    n_batches = by_batch.shape[1] // k
    return Covariates(
        mean=mean,
        half=np.stack([half_1, half_2]),
        control_half=np.asarray(record["covariates_control_half"], dtype=np.float64).reshape(2, n_batches, k),
        by_row=by_batch.reshape(len(mean), n_batches, k),
        blocks=np.asarray(record["covariates_blocks"], dtype=np.float64),
        ss=ss.reshape(len(mean), k, k),
        control_ss=np.asarray(record["covariates_control_ss"], dtype=np.float64).reshape(n_batches, k, k),
        cross=cross,
        control_cross=control_cross.T.reshape(n_batches, k, -1),
    )
