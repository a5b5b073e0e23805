"""What retraining without some genes changes, and what was left out."""

from __future__ import annotations

import pandas as pd
from mudata import MuData

from .. import _results, _tables
from .._docs import docs


@docs.dedent
def retraining(data: MuData) -> pd.DataFrame:
    """Return what retraining in each regime changed.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    %(table_retraining)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"])
    >>> retraining = spb.get.retraining(mdata).set_index(["model", "regime"])
    >>> retraining.loc[("ridge", "no_mt"), "gain"].item()
    0.0
    """
    return _tables.read(data, "retraining")


@docs.dedent
def coupling(data: MuData) -> pd.DataFrame:
    """Return how much retraining without some genes changes each model's predictions of the others.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.coupling` was run on.

    Returns
    -------
    %(table_coupling)s

    Raises
    ------
    KeyError
        If that was not asked yet, or of an audit that kept only tables.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"], models=("mean",))
    >>> spb.tl.coupling(mdata)
    >>> sorted(set(spb.get.coupling(mdata)["rows"]))
    ['training', 'unseen']
    """
    return _results.table_of_models(data, "coupling")


@docs.dedent
def regimes_left_out(data: MuData) -> pd.DataFrame:
    """Return which feature regimes were left out, and why.

    Parameters
    ----------
    data
        What :func:`scpertbias.pp.regimes` or :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    %(table_regimes_left_out)s

    Raises
    ------
    KeyError
        If ``data`` was made by neither.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("mean",))
    >>> spb.get.regimes_left_out(mdata).set_index("regime").loc["no_mt_ribo", "reason"]
    "no ribosomal gene is measured, so it equals 'no_mt'"
    """
    return _tables.read(data, "regimes_left_out")


@docs.dedent
def models_left_out(data: MuData) -> pd.DataFrame:
    """Return which models an audit left out in which regime, and why.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    %(table_models_left_out)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> mdata = spb.tl.audit(profiles, models=("ridge", "grn_linear"))
    >>> spb.get.models_left_out(mdata)[["model", "regime"]].iloc[0].tolist()
    ['grn_linear', 'full']
    """
    return _tables.read(data, "models_left_out")


@docs.dedent
def random_removals(data: MuData) -> pd.DataFrame:
    """Return what retraining without random genes changed, beside the regime without the most confounder genes.

    A regime's ``gain`` above all of the random ones says that it is these genes, and not any genes of their expression.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    %(table_random_removals)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit, or one without random removals (no mitochondrial or ribosomal gene is measured, no
        such regime was asked for, or ``n_random=0``).

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("ridge", "bilinear"))
    >>> spb.get.random_removals(mdata).set_index("model")["n_random"].to_dict()
    {'ridge': 0, 'bilinear': 20}
    """
    return _tables.read(data, "random_removals")


@docs.dedent
def ranking(data: MuData) -> pd.DataFrame:
    """Return whether retraining in a regime turns the order of two models round.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    %(table_ranking)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit, or one without models.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("no_change", "mean"))
    >>> spb.get.ranking(mdata).set_index("regime").loc["no_mt", "order"]
    'kept'
    """
    return _tables.read(data, "ranking")
