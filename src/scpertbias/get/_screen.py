"""The screen itself: checks, perturbations, confounders, response of the target gene."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _tables
from .._docs import docs
from ._select import select


@docs.dedent
def check(
    data: AnnData | MuData,
    *,
    check: str | Sequence[str] | None = None,
    status: str | Sequence[str] | None = None,
    perturbation: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the findings of :func:`scpertbias.pp.check`.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.pp.check`, or the result of :func:`scpertbias.tl.audit`.
    check
        Names of checks; by default all.
    status
        ``"ok"``, ``"note"`` or ``"warning"``; by default all.
    perturbation
        Names of perturbations; ``""`` selects the findings on the whole screen. By default all.

    Returns
    -------
    %(table_check)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.check(adata, batch_key="bio_rep")
    >>> spb.get.check(adata, perturbation="IFNGR1")["top_genes"].item()
    'PSMB9↓ STAT1↓ JAK2↓ UBE2L6↓ TNFRSF14↓'
    """
    table = _tables.read(data, "check")
    return select(table, check=check, status=status, perturbation=perturbation)


@docs.dedent
def labels(
    data: AnnData | MuData,
    *,
    label: str | Sequence[str] | None = None,
    meaning: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return how the labels of the cells were interpreted.

    Parameters
    ----------
    data
        Profiles, data after :func:`scpertbias.pp.check`, or the result of :func:`scpertbias.tl.audit`.
    label
        Labels as in ``obs``; by default all.
    meaning
        Interpretations of labels, such as ``"combination"``; by default all.

    Returns
    -------
    %(table_labels)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.get.labels(profiles)["meaning"].value_counts().to_dict()
    {'target': 25, 'control': 1}
    """
    return select(_tables.read(data, "labels"), label=label, meaning=meaning)


@docs.dedent
def balance(
    data: AnnData | MuData,
    *,
    column: str | Sequence[str] | None = None,
    kind: str | Sequence[str] | None = None,
    status: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the share of the response that is accounted for by differences in cell composition.

    Perturbed and control cells can differ in their proportions over batches or cell types, and in their sequencing
    depth.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.balance`, or the result of :func:`scpertbias.tl.audit`.
    column
        Names of columns of ``obs``; by default all columns, depth and mitochondrial counts.
    kind
        ``"column"``, ``"depth"`` or ``"mt_percent"``; by default all.
    status
        Values of ``status``, such as ``"confounded"``; by default all.

    Returns
    -------
    %(table_balance)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.balance(profiles)
    >>> spb.get.balance(profiles, status="adopted")["column"].tolist()
    ['bio_rep']
    """
    return select(_tables.read(data, "balance"), column=column, kind=kind, status=status)


@docs.dedent
def confounding(
    data: AnnData | MuData,
    *,
    regime: str | Sequence[str] | None = None,
    level: str | Sequence[str] | None = None,
    kind: str | Sequence[str] | None = None,
    perturbation: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the shares of the response in gene sets and along directions.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.confounding`, or the result of :func:`scpertbias.tl.audit`.
    regime
        For an audit: the regime or regimes; by default all.
    level
        ``"screen"`` or ``"perturbation"``; by default both.
    kind
        ``"genes"`` or ``"direction"``; by default both.
    perturbation
        Names of perturbations; by default all.

    Returns
    -------
    %(table_confounding)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.confounding(profiles)
    >>> sorted(spb.get.confounding(profiles, kind="direction")["axis"].unique())
    ['depth', 'leading_1', 'leading_2', 'leading_3', 'leading_4', 'leading_5', 'systematic']
    """
    table = _tables.read(data, "confounding")
    return select(table, regime=regime, level=level, kind=kind, perturbation=perturbation)


@docs.dedent
def target_response(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    level: str | Sequence[str] | None = None,
    perturbation: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the effect of each perturbation in the column of its target gene, and in neighboring columns.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.target_response`, or the result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s
    level
        ``"scan"`` or ``"perturbation"``; by default both.
    perturbation
        Names of perturbations; by default all.

    Returns
    -------
    %(table_target_response)s

    Raises
    ------
    KeyError
        If the table was not computed, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.target_response(profiles)
    >>> spb.get.target_response(profiles, level="perturbation")["percentile"].min().round(1).item()
    1.0
    """
    table = _tables.read(data, "target_response")
    return select(table, models=models, regime=regime, level=level, perturbation=perturbation)


@docs.dedent
def perturbations(
    data: MuData,
    *,
    kind: str | Sequence[str] | None = None,
    perturbation: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return a quality summary for each perturbation.

    The column ``kind`` is the category of each perturbation. Evaluate models on the ``specific`` perturbations.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`.
    kind
        Categories, such as ``"specific"``; by default all.
    perturbation
        Names of perturbations; by default all.

    Returns
    -------
    %(table_perturbations)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("mean",))
    >>> spb.get.perturbations(mdata, perturbation="STAT1")["target_gene"].item()
    'STAT1'
    """
    table = _tables.read(data, "perturbations")
    return select(table, kind=kind, perturbation=perturbation)
