"""The table of :func:`scpertbias.tl.on_target`."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _store


def on_target(data: AnnData | MuData) -> pd.DataFrame:
    """Return how each perturbed gene moves in its own column and in those beside it.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.on_target` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    One row a model, block and shift, and one a model and target (of an audit also regime); columns as in
    :func:`scpertbias.tl.on_target`.

    Raises
    ------
    KeyError
        If that was not asked yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> spb.tl.on_target(profiles)
    >>> spb.get.on_target(profiles).query("level == 'perturbation'")["percentile"].min().round(1).item()
    1.0
    """
    return _store.table(data, "on_target", made_by="spb.tl.on_target")
