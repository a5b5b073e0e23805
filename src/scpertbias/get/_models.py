"""Models: predictions, attributions, training history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _held_out, _moments, _results, _store, _tables, _validate
from .._docs import docs
from ._select import modality, select


def predictions(data: AnnData | MuData, key: str, *, regime: str | None = None) -> pd.DataFrame:
    """Return the predictions of a model.

    Parameters
    ----------
    data
        Cells or profiles with a fitted model, or the result of :func:`scpertbias.tl.audit`.
    key
        Name of the model.
    regime
        For an audit: the regime; by default ``"full"``.

    Returns
    -------
    Perturbations (and the control) × genes, in the units of the data; NaN for perturbations without a prediction.

    Raises
    ------
    KeyError
        If the model is not stored, or the regime does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.get.predictions(profiles, "ridge").loc["STAT1", "PSMB9"].round(2).item()
    1.05
    """
    return _results.predictions(modality(data, regime), key)


def attributions(data: AnnData | MuData, key: str, *, regime: str | None = None) -> pd.DataFrame:
    """Return the attributions of a model: the importance of each gene for each perturbation.

    Parameters
    ----------
    data
        Cells or profiles with a fitted model, or the result of :func:`scpertbias.tl.audit`.
    key
        Name of the model.
    regime
        For an audit: the regime; by default ``"full"``.

    Returns
    -------
    Genes × perturbations; the column of a perturbation is NaN if the model has no attributions for it.

    Raises
    ------
    KeyError
        If the model is not stored, has no attributions, or the regime does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.get.attributions(profiles, "ridge")["STAT1"].idxmax()
    'STAT1'
    """
    adata = modality(data, regime)
    record = _results.model_records(adata, key)[key]
    values = _store.attributions(adata, key)
    if values is None:
        msg = f"The model {key!r} has no attributions."
        raise KeyError(msg)
    names = pd.Index([str(p) for p in np.asarray(record["perturbations"])], name="perturbation")
    return pd.DataFrame(values, index=adata.var_names, columns=names)


def history(data: AnnData | MuData, key: str, *, regime: str | None = None) -> pd.DataFrame:
    """Return the training history of a model, by epoch.

    Parameters
    ----------
    data
        Cells with a model trained on them, or the result of :func:`scpertbias.tl.audit`.
    key
        Name of the model.
    regime
        For an audit: the regime; by default ``"full"``.

    Returns
    -------
    One row per epoch. The columns are ``epoch``, ``train_loss``, validation losses (``val_…``), ``learning_rate``,
    ``seconds``, ``seconds_validation``, ``peak_memory`` and ``best``. ``peak_memory`` is in MB: the peak of the GPU in
    this epoch or, without a GPU, the peak of the process up to this epoch. ``best`` is true if the epoch was better
    than all earlier epochs. The model keeps the weights of the last epoch for which ``best`` is true.

    Raises
    ------
    KeyError
        If the model is not stored, was not trained in epochs, or the regime does not exist.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.simulate(1_000, 60, 8)
    >>> spb.tl.fit_gears(adata, spb.ds.simulate_net(adata), epochs=2)
    >>> spb.get.history(adata, "gears")["learning_rate"].tolist()
    [0.001, 0.0005]
    """
    epochs = _results.model_records(modality(data, regime), key)[key].get("history")
    if not isinstance(epochs, pd.DataFrame):
        msg = f"The model {key!r} has no training history, because it was not trained in epochs."
        raise KeyError(msg)
    return epochs.reset_index(drop=True).copy()


@docs.dedent
def models(
    data: AnnData | MuData,
    *,
    models: str | Sequence[str] | None = None,
    regime: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the stored models.

    Parameters
    ----------
    data
        Cells or profiles with a fitted model, or the result of :func:`scpertbias.tl.audit`.
    %(models_and_regime)s

    Returns
    -------
    %(table_models)s

    Raises
    ------
    KeyError
        If no model is stored, or a value is not in the table.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.get.models(profiles)["note"].item()
    'same prediction for every unseen perturbation'
    """
    if isinstance(data, MuData):
        table = _tables.read(data, "models")
    else:
        records = _results.model_records(data, None)
        rows = [
            (name, str(r["kind"]), len(r.get("unpredicted", [])), str(r.get("note", ""))) for name, r in records.items()
        ]
        table = pd.DataFrame(rows, columns=_tables.columns("models"))
    return select(table, models=models, regime=regime)


def cell_eval(data: AnnData | MuData, key: str, *, regime: str | None = None) -> tuple[AnnData, AnnData]:
    """Return observed and predicted profiles of the held-out perturbations in the format of cell-eval.

    With ``skip_de=True``, cell-eval computes metrics of means. These metrics then score the same values as
    :func:`scpertbias.tl.score`. Metrics of differential expression do not apply, because they require predicted cells,
    not predicted means.

    Parameters
    ----------
    data
        Cells or profiles with a fitted model, or the result of :func:`scpertbias.tl.audit`.
    key
        Name of the model.
    regime
        For an audit: the regime; by default ``"full"``.

    Returns
    -------
    Two :class:`anndata.AnnData`: observed and predicted values, in the units of the data. The rows are the control and
    every held-out perturbation that the model predicts, with names in ``obs["perturbation"]``; the columns are genes.
    The row of the control contains observed values in both.

    Raises
    ------
    KeyError
        If the model is not stored, or the regime does not exist.
    ValueError
        If the model predicts no unseen perturbation.

    References
    ----------
    Adduri et al. 2025.

    Examples
    --------
    Input for ``MetricsEvaluator(predicted, real, pert_col="perturbation", control_pert="non-targeting",
    skip_de=True)``:

    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata)
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> real, predicted = spb.get.cell_eval(profiles, "ridge")
    >>> real.obs["perturbation"].tolist() == predicted.obs["perturbation"].tolist()
    True
    """
    adata = modality(data, regime)
    _validate.cells_or_profiles(adata)
    records = _results.model_records(adata, key)
    screen = _moments.of(adata, **_results.agreed_data(records))
    predictions = _held_out.unseen_predictions(adata, key, records[key], screen, _results.folds(adata, records))
    merged = screen.merged
    observed = merged.moments.mean
    rows = np.flatnonzero(np.isfinite(predictions).all(axis=1) & merged.used & (np.arange(len(observed)) > 0))
    if not len(rows):
        msg = f"{key!r} predicts only perturbations of its training data. Call spb.pp.split before fitting, or use spb.tl.audit."
        raise ValueError(msg)
    rows = np.concatenate([[0], rows])
    predictions = np.concatenate([observed[:1], predictions[rows[1:]]])
    names = [merged.names[row] for row in rows]
    return _profiles(observed[rows], names, merged.genes), _profiles(predictions, names, merged.genes)


def _profiles(values: np.ndarray, names: list[str], genes: pd.Index) -> AnnData:
    obs = pd.DataFrame({"perturbation": pd.Categorical(names)}, index=names)
    return AnnData(X=values.copy(), obs=obs, var=pd.DataFrame(index=genes))
