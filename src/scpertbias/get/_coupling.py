"""The table of :func:`scpertbias.tl.coupling`."""

from __future__ import annotations

import pandas as pd
from mudata import MuData

from .. import _results


def coupling(data: MuData) -> pd.DataFrame:
    """Return how much retraining without some genes changes each model's predictions of the others.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.coupling` was run on.

    Returns
    -------
    One row a model, regime and kind of rows; columns as in :func:`scpertbias.tl.coupling`.

    Raises
    ------
    KeyError
        If that was not asked yet, or of an audit that kept only tables.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), strata="bio_rep", covariates=["p_mito"], models=("mean",))
    >>> spb.tl.coupling(mdata)
    >>> sorted(set(spb.get.coupling(mdata)["rows"]))
    ['training', 'unseen']
    """
    return _results.table_of_models(data, "coupling")
