"""Inspection of a file or an AnnData."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from anndata import AnnData

from .. import _validate
from .._docs import docs
from .._inspect import inspect as rows_of
from .._labels import LabelMap


@docs.dedent
def inspect(
    data: AnnData | str | os.PathLike[str],
    *,
    groupby: str | None = None,
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    modality: str | None = None,
) -> pd.DataFrame:
    """Inspect a screen before an audit: scale of values, columns of ``obs``, labels, and cells that would be left out.

    Of the matrices, only a sample of rows is read. On the command line, ``scpertbias inspect FILE`` prints the same
    table.

    Parameters
    ----------
    data
        Cells, or a file with cells (``.h5ad``, ``.zarr``, ``.h5mu``, the ``.h5`` of Cell Ranger).
    groupby
        Column of ``obs`` with the perturbation of each cell; by default the most likely one.
    %(reference)s
    modality
        Modality of an ``.h5mu`` file. By default ``rna`` or ``gex``; if both are missing, the modality with the most
        features.

    Returns
    -------
    One row per inspected item, with four columns. ``about``: kind of the item (``data``, ``values``, ``genes``,
    ``obs``, ``labels``, ``left out``, ``note``, ``problem`` or ``command``). ``name``: name of the item, such as a
    column of ``obs``. ``guess``: interpretation of the item. ``detail``: further description.

    Raises
    ------
    KeyError
        If the column ``groupby`` does not exist.
    ValueError
        If the file cannot be read, or lacks the modality.

    Examples
    --------
    >>> import scpertbias as spb
    >>> rows = spb.pp.inspect(spb.ds.papalexi_2021())
    >>> rows[rows["about"] == "obs"].set_index("name")["guess"].loc[["perturbation", "guide", "bio_rep"]].tolist()
    ['perturbation', 'guide', 'batch (a batch)']
    """
    if not isinstance(data, str | os.PathLike):
        _validate.cells_or_profiles(data, lazy=True)
    return rows_of(
        data if isinstance(data, AnnData) else Path(data),
        groupby=groupby,
        reference=reference,
        combination_sep=combination_sep,
        label_map=label_map,
        modality=modality,
    )
