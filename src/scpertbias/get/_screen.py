"""The screen itself: checks, perturbations, confounders, response of the target gene."""

from __future__ import annotations

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _tables
from .._docs import docs


@docs.dedent
def check(data: AnnData | MuData) -> pd.DataFrame:
    """Return what :func:`scpertbias.pp.check` found.

    Parameters
    ----------
    data
        What :func:`scpertbias.pp.check` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    %(table_check)s

    Raises
    ------
    KeyError
        If nothing was checked yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.check(adata, batch_key="bio_rep")
    >>> found = spb.get.check(adata).set_index("perturbation")
    >>> found.loc["IFNGR1", "top_genes"]
    'PSMB9↓ STAT1↓ UBE2L6↓ JAK2↓ TNFRSF14↓'
    """
    return _tables.read(data, "check")


@docs.dedent
def confounding(data: AnnData | MuData) -> pd.DataFrame:
    """Return the shares of the response on each axis.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.confounding` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    %(table_confounding)s

    Raises
    ------
    KeyError
        If it was not run yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.confounding(profiles)
    >>> table = spb.get.confounding(profiles)
    >>> sorted(table.loc[table["kind"] == "direction", "axis"].unique())
    ['depth', 'leading_1', 'leading_2', 'leading_3', 'leading_4', 'leading_5', 'systematic']
    """
    return _tables.read(data, "confounding")


@docs.dedent
def target_response(data: AnnData | MuData) -> pd.DataFrame:
    """Return how each perturbed gene moves in its own column and in those beside it.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.target_response` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    %(table_target_response)s

    Raises
    ------
    KeyError
        If that was not asked yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.target_response(profiles)
    >>> spb.get.target_response(profiles).query("level == 'perturbation'")["percentile"].min().round(1).item()
    1.0
    """
    return _tables.read(data, "target_response")


@docs.dedent
def perturbations(data: MuData) -> pd.DataFrame:
    """Return what became of each perturbation, before any model: the table for whoever ran the screen.

    ``kind`` says in a word what to do with it: judge models on ``specific`` ones, mistrust the rest.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    %(table_perturbations)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("mean",))
    >>> spb.get.perturbations(mdata).set_index("perturbation").loc["STAT1", "target_gene"]
    'STAT1'
    """
    return _tables.read(data, "perturbations")
