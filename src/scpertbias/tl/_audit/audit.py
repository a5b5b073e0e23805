"""The whole audit: every model in every regime, cross-fitted, scored beside baseline and ceiling."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from threadpoolctl import threadpool_limits

from ... import _held_out, _moments, _results, _store
from ..._docs import docs
from ..._log import warn
from ..._models._base import closed_forms, from_cells
from ..._models.external.add_predictions import add_predictions
from ...pp._regimes import plan_regimes
from .cross_fit import Variant, cross_fit_all, make_folds, variants
from .deep_models import train_deep
from .jobs import Cache
from .make_tables import collect_results, make_tables, score_models, store_results
from .prepare import prepare
from .questions import ask_questions
from .regimes import add_regimes, make_screens
from .settings import DEFAULT_COVARIATES, AuditSettings, check_arguments

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
    batch_key: str | Sequence[str] | None = "auto",
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
    %(cells_of_audit)s
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
    ``balance``, ``models``, ``scores``, ``summary``, ``retraining``, ``ranking``, ``random_removals`` and
    ``error_by_n_genes``; ``recurrence`` and
    ``variance_ratio`` of every regime; ``confounding`` of ``full`` and ``regressed``; ``specificity``, ``target_response``,
    ``attribution_check`` and ``attribution_agreement`` of ``full``; ``coupling`` between regimes. Beside them
    ``regimes_left_out``, ``models_left_out`` and ``audit`` (parameters, ``adopted_columns`` and notes).

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
    check_arguments(fit_on, models, n_random)
    settings = AuditSettings(
        sets=sets,
        regimes=regimes,
        covariates=covariates,
        fit_on=fit_on,
        groupby=groupby,
        reference=reference,
        batch_key=batch_key,
        min_cells=min_cells,
        layer=layer,
        split_key=split_key,
        gene_symbols=gene_symbols,
        guide_key=guide_key,
        normalize=normalize,
        size_factors=size_factors,
        target_sum=target_sum,
        n_folds=n_folds,
        n_top_genes=n_top_genes,
        n_random=n_random,
        keep_predictions=keep_predictions,
        n_jobs=n_jobs,
        cache=None if cache is None else Cache(cache),
        chunk_memory=chunk_memory,
        rng=rng,
    )
    return _run(adata, net, models, model_params or {}, predictions or {}, settings)


def _run(
    adata: AnnData,
    net: pd.DataFrame | None,
    model_names: Sequence[str],
    model_params: Mapping[str, Mapping[str, Any]],
    predictions: Mapping[str, Any],
    settings: AuditSettings,
) -> MuData:
    """Do an audit, step by step."""
    models, external = _plan_models(adata, model_names, model_params, predictions)
    audit_input = prepare(adata, models, net, settings)
    _add_external(audit_input.profiles, external, models, settings.split_key)
    plan = plan_regimes(audit_input.profiles, settings.regimes, fit_on=settings.fit_on)
    mdata, screens = make_screens(audit_input.profiles, plan, models, settings)
    failures = train_deep(audit_input, mdata, models, net, settings)
    net, notes = audit_input.net, audit_input.notes
    del audit_input  # and with it the cells
    closed_form_models = [model for model in models if not model.from_cells]
    with threadpool_limits(1, user_api="blas"):  # small systems: more threads only wait for each other
        folds = make_folds(screens["full"], settings.n_folds, settings.rng)
        fits = cross_fit_all(screens, closed_form_models, folds, net, settings)
        results = collect_results(mdata, screens, closed_form_models, net, folds, fits)
        scored = score_models(screens, results.predictions, results.records, folds, settings.n_top_genes)
        answers = ask_questions(results, settings)
        tables = make_tables(results, scored, answers, settings, failures)
        store_results(mdata, results, tables, settings, notes)
    del screens, fits, results  # before regimes are added
    return add_regimes(mdata, plan, fit_on=settings.fit_on)


def _plan_models(
    adata: AnnData,
    model_names: Sequence[str],
    model_params: Mapping[str, Mapping[str, Any]],
    predictions: Mapping[str, Any],
) -> tuple[list[Variant], dict[str, dict[str, Any]]]:
    """Return the models to fit, and of external ones what :func:`add_predictions` takes.

    External are ``predictions``, and those of ``model_names`` that are stored in cells.
    """
    to_fit, external = _split_stored(adata, model_names)
    models = variants(to_fit, model_params)
    external |= {name: {"predictions": table} for name, table in predictions.items()}
    duplicates = sorted(set(external) & {model.name for model in models})
    if duplicates:
        msg = f"`predictions`: {duplicates} are names of models that the audit fits; give them other names."
        raise ValueError(msg)
    return models, external


def _split_stored(adata: AnnData, models: Sequence[str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Return the models to fit, and of those stored in the data what :func:`add_predictions` needs to take them over."""
    records = _store.models(adata) if isinstance(adata, AnnData) else {}
    stored_models = [name for name in models if name in records and name not in closed_forms()]
    model_kinds = [*closed_forms(), *from_cells()]
    unknown = [name for name in models if name not in records and name not in model_kinds]
    if unknown:
        msg = (
            f"`models`: {unknown} are not known; there are {model_kinds}, and stored in the data {list(records)}. Other "
            "models' predictions go to predictions=."
        )
        raise ValueError(msg)
    to_fit = [name for name in models if name not in stored_models]
    if isinstance(adata, AnnData) and _store.profiles_record(adata) is not None:
        return to_fit, {}
    return to_fit, {name: _arguments_of(adata, name, records[name]) for name in stored_models}


def _arguments_of(adata: AnnData, name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :func:`add_predictions` takes; changes against control stay changes, as their ceiling is another one."""
    arguments = {"predictions": _results.predictions(adata, name), "test": record.get("test"), "record": record}
    if not _results.are_changes(record):
        return arguments
    control = _moments.of(adata, **_results.agreed_data({name: record})).moments.control
    return {**arguments, "predictions": arguments["predictions"] - control, "kind": "delta"}


def _add_external(
    profiles: AnnData, external: Mapping[str, dict[str, Any]], models: Collection[Variant], split_key: str
) -> None:
    """Add external predictions to the profiles; of all models there something must say what they have not seen."""
    for name, arguments in external.items():
        record = arguments.pop("record", {})
        add_predictions(profiles, key_added=name, **arguments)
        _results.copy_batch_weights(profiles, name, record)
    _check_held_out(profiles, external, {model.name for model in models}, split_key)


def _check_held_out(profiles: AnnData, external: Mapping[str, Any], fitted: Collection[str], split_key: str) -> None:
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
        if name not in external:
            warn(f"{msg}; it is in none of the scores.")
            continue
        msg = (
            f"`predictions`: {msg}. Say in obs[{split_key!r}] what it was trained on ('train', 'val', 'test'; see "
            "spb.pp.split), or add it to profiles with spb.tl.add_predictions(…, test=[…])."
        )
        raise ValueError(msg)
