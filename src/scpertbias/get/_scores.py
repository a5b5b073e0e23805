"""Scores of models, and how they do on what is specific to a perturbation."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _store
from ._retraining import AUDIT


def scores(data: AnnData | MuData) -> pd.DataFrame:
    """Return the scores of every model on every perturbation.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.score` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    One row a model, perturbation and split (of an audit also regime); columns as in :func:`scpertbias.tl.score`.

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
    return _store.table(data, "scores", made_by="spb.tl.score")


def summary(data: AnnData | MuData) -> pd.DataFrame:
    """Return the summary of the scores: the table for a paper.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.score` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    One row a model, subset and metric (of an audit also regime); columns as in :func:`scpertbias.tl.score`.

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
    return _store.table(data, "summary", made_by="spb.tl.score")


def error_by_n_genes(data: MuData) -> pd.DataFrame:
    """Return how errors grow with the number of genes that are looked at.

    A model that beats the baseline only over few or only over all genes owes that to the choice of genes.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    One row a model, regime, subset and ``n_genes``, those of highest mean in control (``ranked_by``); medians over the
    ``n`` held-out perturbations that the model predicts (``subset`` ``all``), or that all models do (``common``): ``l2``, ``l2_baseline``, ``l2_ceiling`` (of the truth itself),
    ``l2_ratio`` (to the mean baseline), ``l2_ratio_ceiling``.

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
    return _store.table(data, "error_by_n_genes", made_by=f"{AUDIT} with models")


def recurrence(data: AnnData | MuData) -> pd.DataFrame:
    """Return in how many perturbations each gene is among the strongest.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.recurrence` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    One row a model, scale and gene (of an audit also regime); columns as in :func:`scpertbias.tl.recurrence`.

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
    return _store.table(data, "recurrence", made_by="spb.tl.recurrence")


def specificity(data: AnnData | MuData) -> pd.DataFrame:
    """Return what models gain by knowing which perturbation is which.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.specificity` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    One row a model and metric (of an audit also regime); columns as in :func:`scpertbias.tl.specificity`.

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
    return _store.table(data, "specificity", made_by="spb.tl.specificity")


def variance_ratio(data: AnnData | MuData) -> pd.DataFrame:
    """Return how much predictions vary between perturbations, beside how much the perturbations do.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.variance_ratio` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    One row a model, and one a model and gene (of an audit also regime); columns as in
    :func:`scpertbias.tl.variance_ratio`.

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
    return _store.table(data, "variance_ratio", made_by="spb.tl.variance_ratio")
