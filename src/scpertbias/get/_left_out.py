"""Read which regimes and models an audit left out, and why."""

from __future__ import annotations

import pandas as pd
from mudata import MuData

from .. import _store


def regimes_left_out(data: MuData) -> pd.DataFrame:
    """Return which feature regimes were left out, and why.

    Parameters
    ----------
    data
        What :func:`scpertbias.pp.regimes` or :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    One row a regime that could not be made: ``regime`` and ``reason``; no row if all were made.

    Raises
    ------
    KeyError
        If ``data`` was made by neither.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), strata="bio_rep", models=("mean",))
    >>> spb.get.regimes_left_out(mdata).set_index("regime").loc["no_mt_ribo", "reason"]
    "no ribosomal gene is measured, so it equals 'no_mt'"
    """
    return _store.table(data, "regimes_left_out", made_by="spb.pp.regimes or spb.tl.audit")


def models_left_out(data: MuData) -> pd.DataFrame:
    """Return which models an audit left out in which regime, and why.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    One row a model and regime: ``model``, ``regime`` and ``reason``; no row if all were fitted everywhere.

    Raises
    ------
    KeyError
        If ``data`` is not an audit.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> mdata = spb.tl.audit(profiles, models=("ridge", "grn_linear"))
    >>> spb.get.models_left_out(mdata)[["model", "regime"]].iloc[0].tolist()
    ['grn_linear', 'full']
    """
    return _store.table(data, "models_left_out", made_by="spb.tl.audit")
