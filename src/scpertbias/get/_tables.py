"""Stored results as data frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _results, _store


def predictions(data: AnnData | MuData, key: str, *, regime: str | None = None) -> pd.DataFrame:
    """Return a model's predictions.

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
    Perturbations × genes, the reference included, in the units of the data; NaN where the model cannot predict.

    Raises
    ------
    KeyError
        If no such model is stored, or there is no such regime.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.get.predictions(profiles, "ridge").loc["STAT1", "PSMB9"].round(2).item()
    1.05
    """
    return _results.predictions(modality(data, regime), key)


def attributions(data: AnnData | MuData, key: str, *, regime: str | None = None) -> pd.DataFrame:
    """Return a model's attributions: how much each gene matters to it for each perturbation.

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
    Genes × perturbations; NaN where the model has no parameters for a perturbation.

    Raises
    ------
    KeyError
        If no such model is stored, it has no attributions, or there is no such regime.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.get.attributions(profiles, "ridge")["STAT1"].idxmax()
    'STAT1'
    """
    adata = modality(data, regime)
    record = _results.chosen(adata, key)[key]
    values = _store.attributions(adata, key)
    if values is None:
        msg = f"The model {key!r} has no attributions."
        raise KeyError(msg)
    names = pd.Index([str(p) for p in np.asarray(record["perturbations"])], name="perturbation")
    return pd.DataFrame(values, index=adata.var_names, columns=names)


def history(data: AnnData | MuData, key: str, *, regime: str | None = None) -> pd.DataFrame:
    """Return how a model was trained, epoch by epoch.

    Parameters
    ----------
    data
        Cells with a model that was trained on them, or what :func:`scpertbias.tl.audit` returned.
    key
        Name of the model.
    regime
        Of an audit, the regime; by default ``"full"``.

    Returns
    -------
    One row an epoch: ``epoch``, ``train_loss``, what the model is validated by (``val_…``), ``learning_rate``,
    ``seconds``, ``seconds_validation``, ``peak_memory`` (MB; without a GPU that of the process so far) and ``best``
    (whether it was the best epoch until then; the last of these is the model).

    Raises
    ------
    KeyError
        If no such model is stored, it was not trained in epochs, or there is no such regime.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.simulate(1_000, 60, 8)
    >>> spb.tl.fit_gears(adata, spb.ds.simulate_net(adata), epochs=2)
    >>> spb.get.history(adata, "gears")["learning_rate"].tolist()
    [0.001, 0.0005]
    """
    kept = _results.chosen(modality(data, regime), key)[key].get("history")
    if not isinstance(kept, pd.DataFrame):
        msg = f"The model {key!r} has no history: it was not trained in epochs."
        raise KeyError(msg)
    return kept.reset_index(drop=True).copy()


def scores(data: AnnData | MuData) -> pd.DataFrame:
    """Return the scores of every model on every perturbation.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.score` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    One row a model, perturbation and split (of an audit also regime); columns as in :func:`scpertbias.tl.score`.

    Raises
    ------
    KeyError
        If nothing was scored yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> spb.tl.fit_control(profiles)
    >>> spb.tl.score(profiles)
    >>> spb.get.scores(profiles).set_index("perturbation")["l2"].idxmax()
    'STAT1'
    """
    return _store.table(data, "scores", made_by="spb.tl.score")


def summary(data: AnnData | MuData) -> pd.DataFrame:
    """Return the summary of the scores: the table for a paper.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.score` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    One row a model, subset and metric (of an audit also regime); columns as in :func:`scpertbias.tl.score`.

    Raises
    ------
    KeyError
        If nothing was scored yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> spb.tl.fit_control(profiles)
    >>> spb.tl.score(profiles)
    >>> "l2_skill" in set(spb.get.summary(profiles)["metric"])
    False
    """
    return _store.table(data, "summary", made_by="spb.tl.score")


def check(data: AnnData | MuData) -> pd.DataFrame:
    """Return what :func:`scpertbias.pp.check` found.

    Parameters
    ----------
    data
        What :func:`scpertbias.pp.check` or :func:`scpertbias.tl.audit` was run on.

    Returns
    -------
    One row a finding and a perturbation; columns as in :func:`scpertbias.pp.check`.

    Raises
    ------
    KeyError
        If nothing was checked yet.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.check(adata, strata="bio_rep")
    >>> found = spb.get.check(adata).set_index("perturbation")
    >>> found.loc["IFNGR1", "top_genes"]
    'PSMB9↓ STAT1↓ UBE2L6↓ JAK2↓ TNFRSF14↓'
    """
    return _store.table(data, "check", made_by="spb.pp.check")


def regimes(data: MuData) -> pd.DataFrame:
    """Return what retraining in each regime changed.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    One row a model, regime and metric: ``full`` (the model trained on all genes, scored on the regime's genes),
    ``retrained``, ``gain`` (full − retrained; positive: retraining helps) with its interval, p and q.

    Raises
    ------
    KeyError
        If ``data`` is not an audit.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), strata="bio_rep", covariates=["p_mito"])
    >>> regimes = spb.get.regimes(mdata).set_index(["model", "regime"])
    >>> regimes.loc[("ridge", "no_mt"), "gain"].item()
    0.0
    """
    return _store.table(data, "regimes", made_by="spb.tl.audit")


def models(data: AnnData | MuData) -> pd.DataFrame:
    """Return which models are stored.

    Parameters
    ----------
    data
        Cells or profiles with a fitted model, or what :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    One row a model (of an audit also regime): ``kind``, ``n_cannot_predict`` (perturbations without a prediction) and
    ``note`` (such as: same prediction for every unseen perturbation).

    Raises
    ------
    KeyError
        If no model is stored.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.get.models(profiles)["note"].item()
    'same prediction for every unseen perturbation'
    """
    if isinstance(data, MuData):
        return _store.table(data, "models", made_by="spb.tl.audit")
    records = _results.chosen(data, None)
    rows = [
        (name, str(r["kind"]), len(r.get("cannot_predict", [])), str(r.get("note", ""))) for name, r in records.items()
    ]
    return pd.DataFrame(rows, columns=["model", "kind", "n_cannot_predict", "note"])


def modality(data: AnnData | MuData, regime: str | None) -> AnnData:
    """Return the profiles of a regime, or the data themselves where they are not an audit."""
    if isinstance(data, MuData):
        wanted = "full" if regime is None else regime
        if wanted not in data.mod:
            msg = f"`regime`: there is no {wanted!r}; there are {list(data.mod)}."
            raise KeyError(msg)
        return data.mod[wanted]
    if regime is not None:
        msg = f"`regime={regime!r}` was given, but this is not an audit."
        raise ValueError(msg)
    return data
