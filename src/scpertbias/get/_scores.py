"""Scores of models, and how they do on what is specific to a perturbation."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _tables
from .._docs import docs


@docs.dedent
def scores(data: AnnData | MuData) -> pd.DataFrame:
    """Return the scores of every model on every perturbation.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.score` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    %(table_scores)s

    Raises
    ------
    KeyError
        If nothing was scored yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_no_change(profiles)
    >>> spb.tl.score(profiles)
    >>> spb.get.scores(profiles).set_index("perturbation")["l2"].idxmax()
    'STAT1'
    """
    return _tables.read(data, "scores")


@docs.dedent
def summary(data: AnnData | MuData) -> pd.DataFrame:
    """Return the summary of the scores: the table for a paper.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.score` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    %(table_summary)s

    Raises
    ------
    KeyError
        If nothing was scored yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_no_change(profiles)
    >>> spb.tl.score(profiles)
    >>> "l2_skill" in set(spb.get.summary(profiles)["metric"])
    False
    """
    return _tables.read(data, "summary")


@docs.dedent
def error_by_n_genes(data: MuData) -> pd.DataFrame:
    """Return how errors grow with the number of genes that are looked at.

    A model that beats the baseline only over few or only over all genes owes that to the choice of genes.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    %(table_error_by_n_genes)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit, or one without models.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("no_change", "mean"))
    >>> int(spb.get.error_by_n_genes(mdata)["n_genes"].max())
    303
    """
    return _tables.read(data, "error_by_n_genes")


@docs.dedent
def recurrence(data: AnnData | MuData) -> pd.DataFrame:
    """Return in how many perturbations each gene is among the strongest.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.recurrence` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    %(table_recurrence)s

    Raises
    ------
    KeyError
        If that was not asked yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.recurrence(profiles)
    >>> spb.get.recurrence(profiles)["n_perturbations"].unique().tolist()
    [25]
    """
    return _tables.read(data, "recurrence")


@docs.dedent
def specificity(data: AnnData | MuData) -> pd.DataFrame:
    """Return what models gain by knowing which perturbation is which.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.specificity` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    %(table_specificity)s

    Raises
    ------
    KeyError
        If it was not run yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.specificity(profiles)
    >>> spb.get.specificity(profiles).set_index(["model", "metric"]).loc[("mean", "l2"), "specific_gain"].item()
    0.0
    """
    return _tables.read(data, "specificity")


@docs.dedent
def variance_ratio(data: AnnData | MuData) -> pd.DataFrame:
    """Return how much predictions vary between perturbations, beside how much the perturbations do.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.variance_ratio` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    %(table_variance_ratio)s

    Raises
    ------
    KeyError
        If that was not asked yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_no_change(profiles)
    >>> spb.tl.variance_ratio(profiles)
    >>> spb.get.variance_ratio(profiles).loc[0, "collapsed_to"]
    'no_change'
    """
    return _tables.read(data, "variance_ratio")
