"""Attributions of models, and the gene sets among them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _results, _tables
from .._docs import docs
from ._select import select


@docs.dedent
def attribution_agreement(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    perturbation: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the agreement of attributions between models.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.attribution_agreement`, or the result of :func:`scpertbias.tl.audit`.
    models
        Names of models. Two or more names select the pairs among them; one name selects all pairs that contain it. By
        default all pairs.
    regime
        For an audit: the regime or regimes; by default all.
    perturbation
        Names of perturbations; ``""`` selects the mean over perturbations. By default all.

    Returns
    -------
    %(table_attribution_agreement)s

    Raises
    ------
    KeyError
        If the table was not computed (also for audits with ``keep_predictions=False``), or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.fit_ridge(profiles, coding="reference", key_added="ridge_reference")
    >>> spb.tl.attribution_agreement(profiles)
    >>> spb.get.attribution_agreement(profiles)["n"].iloc[0].item()
    25
    """
    table = _results.table_of_models(data, "attribution_agreement")
    return select(table, models=models, regime=regime, perturbation=perturbation)


@docs.dedent
def attribution_check(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return which attributions are not informative, and why.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.attribution_check`, or the result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s

    Returns
    -------
    %(table_attribution_check)s

    Raises
    ------
    KeyError
        If the table was not computed (also for audits with ``keep_predictions=False``), or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.attribution_check(profiles)
    >>> spb.get.attribution_check(profiles)["flag"].item()
    'ok'
    """
    table = _results.table_of_models(data, "attribution_check")
    return select(table, models=models, regime=regime)


@docs.dedent
def enrich(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    perturbation: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the gene sets that are over-represented among the top genes of models.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.enrich`.
    %(models_and_regime)s
    perturbation
        Names of perturbations; ``""`` selects lists about all perturbations (mean attribution, or recurrent genes). By
        default all.

    Returns
    -------
    %(table_enrich)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.enrich(profiles)
    >>> spb.get.enrich(profiles)["background"].unique().tolist()
    [303]
    """
    table = _tables.read(data, "enrich")
    return select(table, models=models, regime=regime, perturbation=perturbation)
