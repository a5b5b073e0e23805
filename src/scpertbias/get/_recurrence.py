"""The table of :func:`scpertbias.tl.recurrence`."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _store


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
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> spb.tl.recurrence(profiles)
    >>> spb.get.recurrence(profiles)["n_perturbations"].unique().tolist()
    [25]
    """
    return _store.table(data, "recurrence", made_by="spb.tl.recurrence")
