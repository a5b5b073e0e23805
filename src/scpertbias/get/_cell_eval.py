"""Observed and predicted profiles, as cell-eval reads them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _moments, _results, _validate
from ._tables import modality


def cell_eval(data: AnnData | MuData, key: str, *, regime: str | None = None) -> tuple[AnnData, AnnData]:
    """Return observed and predicted profiles of the held-out perturbations, as cell-eval reads them.

    Its metrics of means (``skip_de=True``) then score what :func:`scpertbias.tl.score` scores. A model of means predicts
    no cells, so those of differential expression do not apply.

    Parameters
    ----------
    data
        Cells or profiles with a fitted model, or what :func:`scpertbias.tl.audit` returned.
    key
        Name of the model.
    regime
        Of an audit, the regime; by default ``"full"``.

    Returns
    -------
    Two :class:`anndata.AnnData`, observed and predicted: the control (observed in both) and every held-out perturbation
    that the model predicts × genes, in the units of the data; ``obs["perturbation"]`` names each row.

    Raises
    ------
    KeyError
        If no such model is stored, or there is no such regime.
    ValueError
        If the model predicts no perturbation that it has not seen.

    References
    ----------
    Adduri et al. 2025.

    Examples
    --------
    ``MetricsEvaluator(predicted, real, pert_col="perturbation", control_pert="non-targeting", skip_de=True)`` takes:

    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata)
    >>> profiles = spb.pp.pseudobulk(adata, strata="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> real, predicted = spb.get.cell_eval(profiles, "ridge")
    >>> real.obs["perturbation"].tolist() == predicted.obs["perturbation"].tolist()
    True
    """
    adata = modality(data, regime)
    _validate.cells_or_profiles(adata)
    records = _results.chosen(adata, key)
    screen = _moments.of(adata, **_results.agreed_data(records))
    predictions = _results.unseen(adata, key, records[key], screen, _results.folds(adata, records))
    merged = screen.merged()
    observed = merged.moments.mean
    rows = np.flatnonzero(np.isfinite(predictions).all(axis=1) & merged.used & (np.arange(len(observed)) > 0))
    if not len(rows):
        msg = (
            f"{key!r} predicts no perturbation that it has not seen. Call spb.pp.split before fitting, or spb.tl.audit."
        )
        raise ValueError(msg)
    rows = np.concatenate([[0], rows])
    predictions = np.concatenate([observed[:1], predictions[rows[1:]]])
    names = [merged.names[row] for row in rows]
    return _profiles(observed[rows], names, merged.genes), _profiles(predictions, names, merged.genes)


def _profiles(values: np.ndarray, names: list[str], genes: pd.Index) -> AnnData:
    obs = pd.DataFrame({"perturbation": pd.Categorical(names)}, index=names)
    return AnnData(X=values.copy(), obs=obs, var=pd.DataFrame(index=genes))
