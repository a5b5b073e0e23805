"""Scores by user-defined functions, probes, and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _tables
from .._docs import docs
from ._select import select


@docs.dedent
def metric(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    metric: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the scores of models by user-defined functions.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.metric`.
    models
        Name or names of models; by default all.
    metric
        Name or names of functions; by default all.

    Returns
    -------
    %(table_metric)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import numpy as np
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> def error(predicted, observed, control):
    ...     return np.abs(predicted - observed).mean(axis=1)
    >>> spb.tl.metric(profiles, error, name="error", best="lower", uses_control=False, n_boot=0)
    >>> spb.get.metric(profiles)[["model", "metric", "scaled"]].values.tolist()
    [['mean', 'error', 0.0]]
    """
    return select(_tables.read(data, "metric"), models=models, metric=metric)


@docs.dedent
def probes(
    data: AnnData | MuData,
    *,
    probe: str | Sequence[str] | None = None,
    metric: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the scores of probes, predictions that contain a single piece of information about each perturbation.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.probes`, or the result of :func:`scpertbias.tl.audit`.
    probe
        Name or names of probes; by default all.
    metric
        Name or names of metrics; by default all.

    Returns
    -------
    %(table_probes)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.probes(profiles, metrics="mse")
    >>> spb.get.probes(profiles, probe=["replicate_flipped", "mean"])["scaled"].round().tolist()
    [0.0, -3.0]
    """
    return select(_tables.read(data, "probes"), probe=probe, metric=metric)


@docs.dedent
def calibration(
    data: AnnData | MuData,
    *,
    question: str | Sequence[str] | None = None,
    models: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return how often the audit answers yes on null screens, which consist of control cells and have no effects.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.calibrate`, or the result of ``scpertbias audit --calibrate N``.
    question
        Name or names of questions; by default all.
    models
        Name or names of models; by default all.

    Returns
    -------
    %(table_calibration)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.tl.calibrate(adata, n_screens=2, models=(), covariates=(), batch_key="bio_rep")
    >>> spb.get.calibration(adata, question="shared")["metric"].tolist()
    ['yes', 'partly or yes']
    """
    return select(_tables.read(data, "calibration"), question=question, models=models)
