"""Contribution of gene sets to the response of each perturbation."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _tables
from .._docs import docs
from ._select import select


@docs.dedent
def composition(
    data: AnnData | MuData,
    *,
    group: str | Sequence[str] | None = None,
    perturbation: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the contribution of groups of genes to the response of each perturbation, as shares that add up to 1.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.confounding`, or the result of :func:`scpertbias.tl.audit`.
    group
        Names of groups; by default all.
    perturbation
        Names of perturbations; by default all.

    Returns
    -------
    %(table_composition)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.confounding(profiles)
    >>> stat1 = spb.get.composition(profiles, perturbation="STAT1")
    >>> stat1.nlargest(1, "share")[["group", "share"]].round(2).values.tolist()
    [['HALLMARK_INTERFERON_GAMMA_RESPONSE', 0.84]]
    """
    return select(_tables.read(data, "composition"), group=group, perturbation=perturbation)
