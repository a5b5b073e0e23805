"""The whole audit: every model in every regime, cross-fitted, scored beside baseline and ceiling."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from threadpoolctl import threadpool_limits

from ..._docs import docs
from ..._keys import FULL
from ..._labels import LabelMap, stored_map
from ..._log import warn_once
from ...pp._regimes import plan_regimes
from .._external_model import ExternalModel
from .by_regime import Arguments, Retrained, add_retrained, split_predictions
from .cross_fit import Variant, cross_fit_all, make_folds, variants
from .deep_models import train_deep
from .external import add_external, split_stored
from .jobs import Cache
from .make_tables import collect_results, make_tables, score_models, store_results
from .prepare import prepare
from .questions import ask_questions
from .regimes import add_regimes, make_screens
from .settings import DEFAULT_COVARIATES, AuditSettings, check_arguments
from .train_external import train_external

MODELS = ("no_change", "mean", "ridge", "grn_linear", "two_stage", "bilinear")


@docs.dedent
def audit(
    adata: AnnData,
    net: pd.DataFrame | None = None,
    *,
    sets: pd.DataFrame | None = None,
    models: Sequence[str | ExternalModel] = MODELS,
    predictions: Mapping[str, Any] | None = None,
    regimes: Sequence[str] | None = None,
    model_params: Mapping[str, Mapping[str, Any]] | None = None,
    covariates: Sequence[str] = DEFAULT_COVARIATES,
    fit_on: str = "control",
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
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
        Gene sets (``source``, ``target``) whose share of the response is computed beside
        :func:`scpertbias.ds.confounder_sets` and :func:`scpertbias.ds.hallmark`.
    models
        Names of models (see :func:`scpertbias.tl.show_models`). The graph models are also fitted on the perturbations
        axis, as ``grn_linear_perturbations`` and ``two_stage_perturbations``. GEARS and scGPT are trained from the cells
        of every regime, on the split in ``obs`` (where there is none, 80 / 10 / 10 % of the perturbations), and compared
        on its test perturbations. Also keys of models that are stored in ``adata``, which are then not fitted again;
        those of profiles are compared in any case. A model of your own is what
        :func:`scpertbias.tl.external_model` returns: it is trained in every regime. ``()``: the screen alone.
    predictions
        Other models' predictions by name, each as :func:`scpertbias.tl.add_predictions` takes them, or a dict of its
        arguments: ``{"predictions": table, "kind": "delta"}``. They are held out where the split column says ``test``.
        Of a model that was trained again, a dict by regime: ``{"full": …, "no_mt_ribo": …}``; ``"full#2"`` is another
        seed, ``"random_1"``, … are without random genes (:func:`scpertbias.pp.write_regimes` writes the cells of each).
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
        Fits and random removals that run at once, on threads or the backend that ``joblib.parallel_config`` names; by
        default its number, else ``scanpy.settings.n_jobs``. No result depends on either.
    cache
        Folder in which every finished fit and removal, and every epoch of a training, is kept. An audit that was
        interrupted, or runs again with other models, does not repeat what is there; nothing else is read from it.
    chunk_memory
        Gigabytes of cells held at a time where they are not in memory; see :func:`scpertbias.pp.profiles`.
    %(rng)s

    Returns
    -------
    A :class:`mudata.MuData`, one modality of profiles for each regime, with predictions in ``layers`` and attributions
    in ``varm``. In ``uns['scpertbias']``, to be read with :mod:`scpertbias.get`: ``check``, ``labels``, ``perturbations``,
    ``balance``, ``models``, ``scores``, ``summary``, ``retraining``, ``ranking``, ``random_removals`` and
    ``error_by_n_genes``; ``recurrence`` and
    ``variance_ratio`` of every regime; ``confounding`` of ``full`` and ``regressed``; ``specificity``, ``target_response``,
    ``attribution_check`` and ``attribution_agreement`` of ``full``; ``coupling`` between regimes. Beside them
    ``regimes_left_out``, ``models_left_out`` and ``audit`` (parameters, ``adopted_columns`` and notes).

    Raises
    ------
    ValueError
        If an argument is not known or cannot be met, ``cache`` is a file, or the input is on the wrong scale.

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
        combination_sep=combination_sep,
        label_map=stored_map(label_map),
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
    with warn_once():
        return _run(adata, net, models, model_params or {}, predictions or {}, settings)


def _run(
    adata: AnnData,
    net: pd.DataFrame | None,
    model_names: Sequence[str | ExternalModel],
    model_params: Mapping[str, Mapping[str, Any]],
    predictions: Mapping[str, Any],
    settings: AuditSettings,
) -> MuData:
    """Do an audit, step by step."""
    models, to_train, external, retrained = _plan_models(adata, model_names, model_params, predictions)
    audit_input = prepare(adata, models, net, settings, to_train)
    add_external(audit_input.profiles, external, models, settings.split_key)
    plan = plan_regimes(audit_input.profiles, settings.regimes, fit_on=settings.fit_on)
    in_regimes = bool(retrained or to_train)
    mdata, screens = make_screens(audit_input.profiles, plan, models, settings, retrained=in_regimes)
    without_random = add_retrained(mdata, retrained, plan)
    failures = train_deep(audit_input, mdata, models, net, settings)
    folds = make_folds(screens["full"], settings.n_folds, settings.rng)
    if audit_input.source is not None:
        trained = train_external(audit_input.source, mdata, plan, to_train, folds, settings)
        add_external(mdata[FULL], {name: one.full for name, one in trained.items()}, models, settings.split_key)
        without_random |= add_retrained(mdata, {name: one.retrained for name, one in trained.items()}, plan)
        failures += [(name, *failure) for name, one in trained.items() for failure in one.failures]
    net, notes = audit_input.net, audit_input.notes
    del audit_input  # and with it the cells
    closed_form_models = [model for model in models if not model.from_cells]
    with threadpool_limits(1, user_api="blas"):  # small systems: more threads only wait for each other
        fits = cross_fit_all(screens, closed_form_models, folds, net, settings)
        over_folds = [model.name for model in to_train if model.folds]
        results = collect_results(mdata, screens, closed_form_models, net, folds, fits, without_random, over_folds)
        scored = score_models(screens, results.predictions, results.records, folds, settings.n_top_genes)
        answers = ask_questions(results, settings)
        tables = make_tables(results, scored, answers, settings, failures)
        store_results(mdata, results, tables, settings, notes)
    del screens, fits, results  # before regimes are added
    return add_regimes(mdata, plan, fit_on=settings.fit_on)


def _plan_models(
    adata: AnnData,
    model_names: Sequence[str | ExternalModel],
    model_params: Mapping[str, Mapping[str, Any]],
    predictions: Mapping[str, Any],
) -> tuple[list[Variant], list[ExternalModel], dict[str, Arguments], dict[str, Retrained]]:
    """Return the models to fit and to train, of external ones what :func:`add_predictions` takes, and what was trained again.

    External are ``predictions``, and those of ``model_names`` that are stored in cells.
    """
    to_train = [model for model in model_names if isinstance(model, ExternalModel)]
    to_fit, external = split_stored(adata, [name for name in model_names if isinstance(name, str)])
    models = variants(to_fit, model_params)
    predicted, retrained = split_predictions(predictions)
    external |= predicted
    names = [*(model.name for model in models), *(model.name for model in to_train)]
    duplicates = sorted({name for name in names if names.count(name) > 1} | (set(external) & set(names)))
    if duplicates:
        msg = f"`predictions`: {duplicates} are names of models that the audit fits; give them other names."
        raise ValueError(msg)
    return models, to_train, external, retrained
