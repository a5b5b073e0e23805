"""Settings of an audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ... import _results, _validate
from ..._labels import LabelMap
from ..._moments.streaming import CHUNK_MEMORY
from .jobs import Cache

AUTO = "auto"
"""Value of ``batch_key`` that adopts the columns of ``obs`` with which labels are confounded."""
DEFAULT_COVARIATES = ("pct_counts_mt", "pct_counts_ribo")


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditSettings:
    """The arguments of :func:`scpertbias.tl.audit` with its defaults; ``cache`` is an open cache."""

    sets: pd.DataFrame | None = None
    regimes: Sequence[str] | None = None
    covariates: Sequence[str] = DEFAULT_COVARIATES
    fit_on: str = "control"
    groupby: str = "perturbation"
    reference: str | Sequence[str] | None = None
    combination_sep: str | None = None
    label_map: LabelMap | None = None
    batch_key: str | Sequence[str] | None = AUTO
    min_cells: int = 20
    layer: str | None = None
    split_key: str = "split"
    gene_symbols: str | None = None
    guide_key: str | None = None
    normalize: bool = False
    size_factors: str | None = None
    target_sum: float = 1e4
    n_folds: int | None = None
    n_top_genes: int = 1000
    n_random: int = 20
    keep_predictions: bool = True
    n_jobs: int | None = None
    cache: Cache | None = None
    chunk_memory: float = CHUNK_MEMORY
    rng: int | np.random.Generator | None = 0

    @property
    def data(self) -> dict[str, Any]:
        """The arguments for reading the screen, which every step needs; without a ``batch_key`` if it is ``"auto"``."""
        data = {name: getattr(self, name) for name in _results.DATA}
        return {**data, "batch_key": None} if self.batch_key == AUTO else data


def check_arguments(fit_on: str, models: Sequence[object], n_random: int) -> None:
    """Refuse invalid arguments before anything is read or written."""
    if n_random < 0:
        msg = f"`n_random` is {n_random}; it must be 0 (no random removals) or more."
        raise ValueError(msg)
    if fit_on == "all":
        msg = "`fit_on='all'` would fit the regression also on test cells; pass 'control' or 'train'."
        raise ValueError(msg)
    _validate.choice(fit_on, ("control", "train"), argument="fit_on")
    if isinstance(models, str):
        msg = f"`models` is {models!r}; pass a sequence of names, such as ({models!r},)."
        raise TypeError(msg)
