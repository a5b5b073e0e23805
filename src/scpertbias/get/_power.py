"""Reproducibility, and numbers of cells that are needed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _tables
from .._docs import docs
from ._select import select


@docs.dedent
def power(
    data: AnnData | MuData,
    *,
    level: str | Sequence[str] | None = None,
    perturbation: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the expected reproducibility of effects by number of cells.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.power`, or the result of :func:`scpertbias.tl.audit`.
    level
        ``"screen"`` or ``"perturbation"``; by default both.
    perturbation
        Names of perturbations; by default all.

    Returns
    -------
    %(table_power)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.power(profiles, n_cells=(50, 500))
    >>> spb.get.power(profiles, level="screen")["reproducibility"].round(2).tolist()
    [0.58, 0.92]
    """
    return select(_tables.read(data, "power"), level=level, perturbation=perturbation)


@docs.dedent
def cells_needed(
    data: AnnData | MuData,
    *,
    level: str | Sequence[str] | None = None,
    perturbation: str | Sequence[str] | None = None,
    status: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the number of cells that are needed for a given reproducibility.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.power`, or the result of :func:`scpertbias.tl.audit`.
    level
        ``"screen"`` or ``"perturbation"``; by default both.
    perturbation
        Names of perturbations; by default all.
    status
        Values of ``status``, such as ``"more cells"``; by default all.

    Returns
    -------
    %(table_cells_needed)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.power(profiles)
    >>> spb.get.cells_needed(profiles, status="more controls")["perturbation"].item()
    'TNFRSF14'
    """
    return select(_tables.read(data, "cells_needed"), level=level, perturbation=perturbation, status=status)
