"""The whole audit: every model in every regime, cross-fitted, scored beside baseline and ceiling."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from mudata import MuData

from ... import _held_out, _moments, _results, _store, _validate
from ..._docs import docs
from ..._log import warn
from ..._models._base import closed_forms, from_cells
from ..._models.external.add_predictions import add_predictions
from ...pp._regimes import Plan, plan
from .cross_fit import Variant, variants
from .deep_models import train_all
from .jobs import Cache
from .make_tables import ask
from .prepare import DEFAULT_COVARIATES, prepare
from .regimes import at_once, complete, on_demand

MODELS = ("no_change", "mean", "ridge", "grn_linear", "two_stage", "bilinear")


@docs.dedent
def audit(
    adata: AnnData,
    net: pd.DataFrame | None = None,
    *,
    sets: pd.DataFrame | None = None,
    models: Sequence[str] = MODELS,
    predictions: Mapping[str, Any] | None = None,
    regimes: Sequence[str] | None = None,
    model_params: Mapping[str, Mapping[str, Any]] | None = None,
    covariates: Sequence[str] = DEFAULT_COVARIATES,
    fit_on: str = "control",
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    guide_key: str | None = None,
    normalize: bool = False,
    size_factors: str | None = None,
    target_sum: float = 1e4,
    n_folds: int | None = None,
    n_top_genes: int = 1000,
    n_boot: int = 1000,
    n_random: int = 20,
    keep_predictions: bool = True,
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    chunk_memory: float = 0.5,
    rng: int | np.random.Generator | None = 0,
) -> MuData:
    """Ask of a screen what its models learn: every model, in every feature regime, held-out perturbation by perturbation.

    The cells are read once. Closed-form models are cross-fitted: the prediction of a perturbation is that of a fit that
    never saw it. Each regime is compared with the full model on that regime's own genes.

    Parameters
    ----------
    %(adata)s
    net
        Gene network of the graph models (``source``, ``target``, optional ``weight``); by default co-expression in
        control cells. On profiles, graph models are left out without one.
    sets
        Gene sets whose share of the response is asked (``source``, ``target``); by default
        :func:`scpertbias.ds.confounder_sets`.
    models
        Names of models (see :func:`scpertbias.tl.show_models`). The graph models are also fitted on the perturbations
        axis, as ``grn_linear_perturbations`` and ``two_stage_perturbations``. GEARS and scGPT are trained from the cells
        of every regime, on the split in ``obs`` (where there is none, 80 / 10 / 10 % of the perturbations), and compared
        on its test perturbations. Also keys of models that are stored in ``adata``, which are then not fitted again;
        those of profiles are compared in any case. ``()``: the screen alone.
    predictions
        Other models' predictions by name, each as :func:`scpertbias.tl.add_predictions` takes them. They are held out
        where the split column says ``test``.
    regimes
        See :func:`scpertbias.pp.regimes`. By default all four; those that the data cannot define are left out, with
        the reason. One asked for by name that cannot be defined is an error.
    model_params
        Arguments of the fits, by model; those of ``grn_linear`` also hold for ``grn_linear_perturbations``. In a
        ``checkpoint_dir`` every regime gets a folder of its own.
    covariates
        Columns of ``obs`` for the regime ``regressed``.
    fit_on
        Cells that the regression is fitted on: ``"control"``, or ``"train"``, which also sees perturbations that some
        fold holds out.
    %(cells)s
    guide_key
        Column of ``obs`` with guides; see :func:`scpertbias.pp.profiles`.
    normalize
        Whether the values are raw counts, to be normalized on the fly.
    size_factors
        Column of ``obs`` with each cell's size, for ``normalize``.
    target_sum
        Counts to which each cell is scaled, for ``normalize``.
    n_folds
        Folds; by default 5, with 25 perturbations or fewer one fold each.
    n_top_genes
        Scores are over so many genes of highest mean in control.
    n_boot
        Resamples of perturbations for the intervals.
    n_random
        Random removals of as many other genes of the same expression, beside the regime without the most genes; 0: none.
    keep_predictions
        Whether to store predictions and attributions, or tables only.
    n_jobs
        Fits and random removals that run at once; by default that of ``joblib.parallel_config``, else
        ``scanpy.settings.n_jobs``. They run on threads, or on the backend that ``joblib.parallel_config`` names
        (``"loky"``, ``"dask"``); no result depends on either.
    cache
        Folder in which every finished fit and removal, and every epoch of a training, is kept. An audit that was interrupted, or is asked for again with
        other models or regimes, does not repeat what is there; nothing else is read from it.
    chunk_memory
        Gigabytes of cells held at a time where they are not in memory; see :func:`scpertbias.pp.profiles`.
    %(rng)s

    Returns
    -------
    A :class:`mudata.MuData`, one modality of profiles for each regime, with predictions in ``layers`` and attributions
    in ``varm``. In ``uns['scpertbias']``, to be read with :mod:`scpertbias.get`: ``check``, ``perturbations``,
    ``models``, ``scores``, ``summary``, ``retraining``, ``ranking``, ``random_removals`` and
    ``error_by_n_genes``; ``recurrence`` and
    ``variance_ratio`` of every regime; ``confounding`` of ``full`` and ``regressed``; ``specificity``, ``target_response``,
    ``attribution_check`` and ``attribution_agreement`` of ``full``; ``coupling`` between regimes. Beside them
    ``regimes_left_out``, ``models_left_out`` and ``audit`` (parameters and notes).

    Raises
    ------
    ValueError
        If a model, a parameter of one or a regime is not known, a regime asked for cannot be defined, ``fit_on="all"``,
        ``cache`` is a file, or the input is on the wrong scale.

    References
    ----------
    Kavirayuni & Venturelli 2025.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> mdata = spb.tl.audit(adata, batch_key="bio_rep", covariates=["p_mito"], models=("mean", "ridge"))
    >>> sorted(mdata.mod)
    ['full', 'no_mt', 'regressed']
    """
    data = {name: value for name, value in locals().items() if name in _results.DATA}
    _check_words(fit_on, models, n_random)
    kept = None if cache is None else Cache(cache)
    models, stored = _stored(adata, models)
    wanted = variants(models, model_params or {})
    brought = {**stored, **{name: {"predictions": table} for name, table in (predictions or {}).items()}}
    _check_names(brought, wanted)
    closed, costly = [v for v in wanted if not v.from_cells], [v for v in wanted if v.from_cells]
    ready = prepare(
        adata,
        data=data,
        covariates=covariates,
        normalize=normalize,
        size_factors=size_factors,
        target_sum=target_sum,
        guide_key=guide_key,
        with_net=net is None and any(v.needs_net for v in closed),
        trained=[v.name for v in costly],
        rng=rng,
        chunk_memory=chunk_memory,
    )
    for name, given in brought.items():
        add_predictions(ready.profiles, key_added=name, **given)
    _check_held_out(ready.profiles, brought, {v.name for v in wanted}, split_key)
    planned = plan(ready.profiles, regimes, fit_on=fit_on)
    _check_size(ready.profiles.n_obs, planned, len(wanted), keep_predictions)
    lean = not keep_predictions and not costly
    mdata, screens = (on_demand if lean else at_once)(ready.profiles, planned, fit_on=fit_on)
    untrained = train_all(ready, mdata, costly, net, fit_on=fit_on, cache=kept, rng=rng)
    net, notes = ready.net if net is None else net, ready.notes
    del ready
    how = {"n_top_genes": n_top_genes, "n_boot": n_boot, "n_random": n_random}
    running = {"n_jobs": n_jobs, "cache": kept, "keep_predictions": keep_predictions, "rng": rng}
    n_made = ask(mdata, screens, closed, net, untrained=untrained, sets=sets, n_folds=n_folds, **how, **running)
    record = {k: v for k, v in screens["full"].record.items() if k in _results.DATA}
    record |= {"n_folds": n_made, **how, "fit_on": fit_on, "rng": rng if isinstance(rng, int) else None, "notes": notes}
    _store.put(mdata, audit=record)
    del screens
    return complete(mdata, planned, fit_on=fit_on) if lean else mdata


def _stored(adata: AnnData, models: Sequence[str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Return the models to fit, and of those stored in the data what :func:`add_predictions` needs to take them over."""
    known = _store.models(adata) if isinstance(adata, AnnData) else {}
    keys = [name for name in models if name in known and name not in closed_forms()]
    fitted = [*closed_forms(), *from_cells()]
    missing = [name for name in models if name not in known and name not in fitted]
    if missing:
        msg = (
            f"`models`: {missing} are not known; there are {fitted}, and stored in the data {list(known)}. Other "
            "models' predictions go to predictions=."
        )
        raise ValueError(msg)
    if isinstance(adata, AnnData) and _store.profiles_record(adata) is not None:
        return [name for name in models if name not in keys], {}
    taken = {key: {"predictions": _results.predictions(adata, key), "test": known[key].get("test")} for key in keys}
    return [name for name in models if name not in keys], taken


def _check_words(fit_on: str, models: Sequence[str], n_random: int) -> None:
    if n_random < 0:
        msg = f"`n_random` is {n_random}; it must be 0 (no random removals) or more."
        raise ValueError(msg)
    if fit_on == "all":
        msg = "`fit_on='all'` fits the regression on test cells too, which an audit must not see; use 'control' or 'train'."
        raise ValueError(msg)
    _validate.choice(fit_on, ("control", "train"), argument="fit_on")
    if isinstance(models, str):
        msg = f"`models` is {models!r}; pass a sequence of names, such as ({models!r},)."
        raise TypeError(msg)


def _check_names(brought: Mapping[str, Any], wanted: Sequence[Variant]) -> None:
    """Refuse brought predictions that would be taken for a model of the audit."""
    twice = sorted(set(brought) & {v.name for v in wanted})
    if twice:
        msg = f"`predictions`: {twice} are names of models that the audit fits; give them other names."
        raise ValueError(msg)


def _check_held_out(profiles: AnnData, brought: Mapping[str, Any], fitted: Collection[str], split_key: str) -> None:
    """Refuse models of which nothing says what they have not seen; those that lie in profiles are only named.

    What the audit fits anew takes the place of what lies there.
    """
    records = {
        name: r for name, r in _store.models(profiles).items() if name not in fitted and not r.get("cross_fitted")
    }
    if not records:
        return
    screen = _moments.of(profiles, split_key=split_key)
    for name in [name for name, record in records.items() if not _held_out.unseen(record, screen, None)]:
        msg = (
            f"nothing says which perturbations {name!r} has not seen: no perturbation is 'test' in the split column "
            f"({split_key!r}), so it cannot be judged"
        )
        if name not in brought:
            warn(f"{msg}; it is in none of the scores.")
            continue
        msg = (
            f"`predictions`: {msg}. Say in obs[{split_key!r}] what it was trained on ('train', 'val', 'test'; see "
            "spb.pp.split), or add it to profiles with spb.tl.add_predictions(…, test=[…])."
        )
        raise ValueError(msg)


def _check_size(n_profiles: int, planned: Plan, n_models: int, keep: bool) -> None:
    """Refuse, before anything is fitted, predictions and attributions that would not fit into memory."""
    n_genes = sum(int(genes.sum()) for genes in planned.genes.values())
    size = n_profiles * n_genes * 8 * (n_models * 1.5 + 4) / 1e9
    if keep and size > sc.settings.max_memory:
        msg = (
            f"The predictions of this audit take {size:.1f} GB, above scanpy.settings.max_memory = "
            f"{sc.settings.max_memory} GB; pass keep_predictions=False (tables only)."
        )
        raise ValueError(msg)
