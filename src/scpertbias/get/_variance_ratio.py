"""The table of :func:`scpertbias.tl.variance_ratio`."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _store


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
    >>> profiles = spb.pp.pseudobulk(adata, strata="bio_rep")
    >>> spb.tl.fit_control(profiles)
    >>> spb.tl.variance_ratio(profiles)
    >>> spb.get.variance_ratio(profiles).loc[0, "collapsed_to"]
    'control'
    """
    return _store.table(data, "variance_ratio", made_by="spb.tl.variance_ratio")
