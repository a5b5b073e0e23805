"""Read what models know beyond the shared axis."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _store


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
    >>> profiles = spb.pp.pseudobulk(adata, strata="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.specificity(profiles)
    >>> spb.get.specificity(profiles).set_index(["model", "metric"]).loc[("mean", "l2"), "specific_gain"].item()
    0.0
    """
    return _store.table(data, "specificity", made_by="spb.tl.specificity")
