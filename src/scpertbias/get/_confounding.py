"""Read which axes carry the response."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _store


def confounding(data: AnnData | MuData) -> pd.DataFrame:
    """Return the shares of the response on each axis.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.confounding` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    One row an axis, and an axis and perturbation (of an audit also regime); columns as in
    :func:`scpertbias.tl.confounding`.

    Raises
    ------
    KeyError
        If it was not run yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> spb.tl.confounding(profiles)
    >>> table = spb.get.confounding(profiles)
    >>> sorted(table.loc[table["kind"] == "direction", "axis"].unique())
    ['depth', 'leading_1', 'leading_2', 'leading_3', 'leading_4', 'leading_5', 'systematic']
    """
    return _store.table(data, "confounding", made_by="spb.tl.confounding")
