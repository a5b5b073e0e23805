"""The table of :func:`scpertbias.tl.enrich`."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _store


def enrich(data: AnnData | MuData) -> pd.DataFrame:
    """Return which gene sets the top genes of a model belong to.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.enrich` was run on.

    Returns
    -------
    One row a model, perturbation and set with a gene in common; columns as in :func:`scpertbias.tl.enrich`.

    Raises
    ------
    KeyError
        If that was not asked yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.enrich(profiles)
    >>> spb.get.enrich(profiles)["background"].unique().tolist()
    [303]
    """
    return _store.table(data, "enrich", made_by="spb.tl.enrich")
