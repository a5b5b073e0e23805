"""Comparison of models."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _tables
from .._docs import docs
from ._select import select


@docs.dedent
def comparison(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    metric: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the paired differences between models, on the held-out perturbations that both predict.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.score`, or the result of :func:`scpertbias.tl.audit`.
    models
        Names of models. Two or more names select the pairs among them; one name selects all pairs that contain it. By
        default all pairs.
    regime
        For an audit: the regime or regimes; by default all.
    metric
        Names of metrics; by default all.

    Returns
    -------
    %(table_comparison)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.score(profiles)
    >>> spb.get.comparison(profiles, metric="l2_ratio")[["model_a", "model_b", "n"]].values.tolist()
    [['mean', 'ridge', 12]]
    """
    return select(_tables.read(data, "comparison"), models=models, regime=regime, metric=metric)
