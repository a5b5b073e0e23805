"""Scores of models, specificity, recurrence and variation."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _tables
from .._docs import docs
from ._select import select


@docs.dedent
def scores(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    trained_on: str | Sequence[str] | None = None,
    split: str | Sequence[str] | None = None,
    perturbation: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the scores of every model for every perturbation.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.score`, or the result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s
    trained_on
        For an audit: the regime in which the model was trained, ``"full"`` or the regime of the row; by default both.
    split
        ``"train"``, ``"val"`` or ``"test"``; by default all.
    perturbation
        Names of perturbations; by default all.

    Returns
    -------
    %(table_scores)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_no_change(profiles)
    >>> spb.tl.score(profiles)
    >>> spb.get.scores(profiles).set_index("perturbation")["l2"].idxmax()
    'STAT1'
    """
    table = _tables.read(data, "scores")
    return select(table, models=models, regime=regime, trained_on=trained_on, split=split, perturbation=perturbation)


@docs.dedent
def summary(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    subset: str | Sequence[str] | None = None,
    metric: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the average scores of each model, with intervals.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.score`, or the result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s
    subset
        Subsets of the held-out perturbations: ``"all"``, ``"common"`` or ``"detected"``; by default each of them.
    metric
        Names of metrics; by default all.

    Returns
    -------
    %(table_summary)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_no_change(profiles)
    >>> spb.tl.score(profiles)
    >>> "l2_skill" in set(spb.get.summary(profiles)["metric"])
    False
    """
    table = _tables.read(data, "summary")
    return select(table, models=models, regime=regime, subset=subset, metric=metric)


@docs.dedent
def error_by_n_genes(
    data: MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    subset: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the errors of predictions as a function of the number of scored genes.

    Genes are ranked by their mean expression in control. If a model is better than another one only for some numbers of
    genes, the comparison depends on the selection of genes.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s
    subset
        Subsets of the held-out perturbations: ``"all"`` or ``"common"``; by default both.

    Returns
    -------
    %(table_error_by_n_genes)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit, if the audit has no models, or if a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("no_change", "mean"))
    >>> int(spb.get.error_by_n_genes(mdata)["n_genes"].max())
    303
    """
    table = _tables.read(data, "error_by_n_genes")
    return select(table, models=models, regime=regime, subset=subset)


@docs.dedent
def recurrence(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    by: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the number of perturbations in which each gene is among the genes with the strongest effects.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.recurrence`, or the result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s
    by
        Scales on which effects are ranked: ``"delta"``, ``"z"`` or ``"centered"``; by default all.

    Returns
    -------
    %(table_recurrence)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.recurrence(profiles)
    >>> spb.get.recurrence(profiles)["n_perturbations"].unique().tolist()
    [25]
    """
    table = _tables.read(data, "recurrence")
    return select(table, models=models, regime=regime, by=by)


@docs.dedent
def specificity(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    metric: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return how specific predictions are to their perturbations.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.specificity`, or the result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s
    metric
        Names of metrics; by default all.

    Returns
    -------
    %(table_specificity)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.specificity(profiles)
    >>> spb.get.specificity(profiles, models="mean", metric="l2")["specific_gain"].item()
    0.0
    """
    table = _tables.read(data, "specificity")
    return select(table, models=models, regime=regime, metric=metric)


@docs.dedent
def variance_ratio(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    level: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return how much predictions vary between perturbations, compared with the data.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.variance_ratio`, or the result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s
    level
        ``"screen"`` or ``"gene"``; by default both.

    Returns
    -------
    %(table_variance_ratio)s

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
    >>> spb.tl.fit_no_change(profiles)
    >>> spb.tl.variance_ratio(profiles)
    >>> spb.get.variance_ratio(profiles, level="screen")["collapsed_to"].item()
    'no_change'
    """
    table = _tables.read(data, "variance_ratio")
    return select(table, models=models, regime=regime, level=level)
