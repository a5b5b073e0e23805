"""Effects of retraining, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from mudata import MuData

from .. import _results, _tables
from .._docs import docs
from ._select import select


@docs.dedent
def retraining(
    data: MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    metric: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the change of scores due to retraining in each regime.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s
    metric
        Names of metrics; by default all.

    Returns
    -------
    %(table_retraining)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"])
    >>> spb.get.retraining(mdata, models="ridge", regime="no_mt")["gain"].item()
    0.0
    """
    table = _tables.read(data, "retraining")
    return select(table, models=models, regime=regime, metric=metric)


@docs.dedent
def coupling(
    data: MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    rows: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return how much retraining without some genes changes the predictions for the remaining genes.

    Parameters
    ----------
    data
        Data after :func:`scpertbias.tl.coupling`, or the result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s
    rows
        ``"training"`` or ``"unseen"``; by default both.

    Returns
    -------
    %(table_coupling)s

    Raises
    ------
    KeyError
        If the table was not computed (also for audits with ``keep_predictions=False``), or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"], models=("mean",))
    >>> spb.tl.coupling(mdata)
    >>> spb.get.coupling(mdata, rows="unseen")["regime"].tolist()
    ['no_mt', 'regressed']
    """
    table = _results.table_of_models(data, "coupling")
    return select(table, models=models, regime=regime, rows=rows)


@docs.dedent
def regimes_left_out(data: MuData) -> pd.DataFrame:
    """Return which feature regimes were left out, and why.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.pp.regimes` or :func:`scpertbias.tl.audit`.

    Returns
    -------
    %(table_regimes_left_out)s

    Raises
    ------
    KeyError
        If ``data`` is not the result of one of these functions.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("mean",))
    >>> spb.get.regimes_left_out(mdata).set_index("regime").loc["no_mt_ribo", "reason"]
    'no ribosomal gene is measured, so this regime equals the regime without mitochondrial genes'
    """
    return _tables.read(data, "regimes_left_out")


@docs.dedent
def models_left_out(data: MuData) -> pd.DataFrame:
    """Return which models an audit left out in which regime, and why.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`.

    Returns
    -------
    %(table_models_left_out)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> mdata = spb.tl.audit(profiles, models=("ridge", "grn_linear"))
    >>> spb.get.models_left_out(mdata)[["model", "regime"]].iloc[0].tolist()
    ['grn_linear', 'full']
    """
    return _tables.read(data, "models_left_out")


@docs.dedent
def random_removals(
    data: MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the gains from retraining if random genes are removed, for comparison with the smallest feature regime.

    Compare the ``gain`` of the regime with the gains from random removals. If the regime has a larger gain than all
    random removals, the gain depends on which genes are left out.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s

    Returns
    -------
    %(table_random_removals)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit, if a value is not in the table, or if the audit has no random removals. The latter
        is the case with ``n_random=0``, without a requested regime of fewer genes, or if no mitochondrial or ribosomal
        gene is measured.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("ridge", "bilinear"))
    >>> spb.get.random_removals(mdata).set_index("model")["n_random"].to_dict()
    {'ridge': 0, 'bilinear': 20}
    """
    table = _tables.read(data, "random_removals")
    return select(table, models=models, regime=regime)


@docs.dedent
def ranking(
    data: MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
    metric: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return whether retraining reverses the order of two models.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`.
    models
        Names of models. Two or more names select the pairs among them; one name selects all pairs that contain it. By
        default all pairs.
    regime
        The regime or regimes; by default all.
    metric
        Names of metrics; by default all.

    Returns
    -------
    %(table_ranking)s

    Raises
    ------
    KeyError
        If ``data`` is not an audit, if the audit has no models, or if a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("no_change", "mean"))
    >>> spb.get.ranking(mdata, regime="no_mt")["order"].item()
    'kept'
    """
    table = _tables.read(data, "ranking")
    return select(table, models=models, regime=regime, metric=metric)
