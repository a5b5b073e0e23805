"""The audit: fits of every model in every regime, with scores, tests and tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from threadpoolctl import threadpool_limits

from ... import _store, _tables
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
from .regimes import make_screens
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
    """Audit a screen and models: fit every model in every feature regime, and compute all scores and tests.

    The cells are read once. Closed-form models are cross-fitted: each perturbation is predicted by a fit that excludes
    it. In each regime, the retrained model is compared with the model trained on all genes, over the genes of the
    regime.

    Parameters
    ----------
    %(adata)s
    net
        Gene network of the graph models (``source``, ``target``, optional ``weight``); by default co-expression in
        control cells. If ``adata`` contains profiles and ``net`` is missing, graph models are left out.
    sets
        Gene sets (``source``, ``target``) for the table ``confounding``, in addition to
        :func:`scpertbias.ds.confounder_sets` and :func:`scpertbias.ds.hallmark`.
    models
        Names of models (see :func:`scpertbias.tl.show_models`). The graph models are fitted twice. The second fits
        smooth over perturbed genes (``axis="perturbations"``), and are named ``grn_linear_perturbations`` and
        ``two_stage_perturbations``. GEARS and scGPT are trained on the cells of every regime, and evaluated on the
        held-out perturbations of the split in ``obs``. Without a split, one is made by :func:`scpertbias.pp.split`.
        You can also name models that are stored in ``adata``; these are not fitted again. Models stored in profiles
        are always evaluated. To train a model of your own in every regime, pass the result of
        :func:`scpertbias.tl.external_model`. With ``()``, only the screen is audited.
    predictions
        Predictions of other models: a dict from name to predictions, in any format of
        :func:`scpertbias.tl.add_predictions`. To pass further arguments of this function, use a dict:
        ``{"predictions": table, "kind": "delta"}``. Predictions are evaluated on perturbations that are ``test`` in the
        split column. For a model that was retrained, pass a dict by regime: ``{"full": …, "no_mt_ribo": …}``. The key
        ``"full#2"`` is for a second training with another seed. The keys ``"random_1"``, … are for trainings that leave
        out random genes. :func:`scpertbias.pp.write_regimes` writes the cells for each of these trainings.
    regimes
        See :func:`scpertbias.pp.regimes`. By default all four; regimes that cannot be created are left out, and the
        table ``regimes_left_out`` contains the reason. A requested regime that cannot be created raises an error.
    model_params
        Arguments of the fits, by model. Arguments of ``grn_linear`` also apply to ``grn_linear_perturbations``. In a
        ``checkpoint_dir``, the audit makes one folder per regime.
    covariates
        Columns of ``obs`` for the regime ``regressed``.
    fit_on
        Cells for fitting the regression: ``"control"`` or ``"train"``. With ``"train"``, the regression also uses
        perturbations that are held out in a fold, so that these are not completely unseen.
    %(cells_of_audit)s
    guide_key
        Column of ``obs`` with guides; see :func:`scpertbias.pp.profiles`.
    normalize
        Whether the values are raw counts. If True, they are normalized as in :func:`scpertbias.pp.profiles`.
    size_factors
        Column of ``obs`` with the size factor of each cell, for ``normalize``.
    target_sum
        Total counts per cell after scaling, for ``normalize``.
    n_folds
        Number of folds. By default 5; with at most 25 targets, one fold per target.
    n_top_genes
        Number of genes to score: the genes with the highest mean expression in control cells.
    n_random
        Number of random removals, for comparison with the removal of confounder genes. In a random removal, models are
        retrained without a random set of genes. This set has the same size as the confounder genes of the smallest
        regime, and a similar mean expression. With 0, there are no random removals.
    keep_predictions
        Whether to store predictions, attributions and the profiles of all regimes. If False, only tables and the
        profiles of ``full`` are stored. However, the profiles of all regimes are also stored if there are GEARS, scGPT
        or external models that were retrained.
    n_jobs
        Number of fits and random removals that run in parallel, in threads or in the backend of
        ``joblib.parallel_config``. Scores and tests use the same number of threads. By default, the number of
        ``joblib.parallel_config``, otherwise ``scanpy.settings.n_jobs``. Results do not depend on ``n_jobs``.
    cache
        Folder for finished fits, random removals and training epochs. The next audit reads these instead of repeating
        them, for example after an interruption.
    chunk_memory
        Limit in gigabytes for cells that are read in parts; see :func:`scpertbias.pp.profiles`.
    %(rng)s

    Returns
    -------
    A :class:`mudata.MuData`, one modality of profiles for each regime, with predictions in ``layers`` and attributions
    in ``varm``. The tables are in ``uns['scpertbias']``; read them with :mod:`scpertbias.get`:

    - About the screen: ``check``, ``labels``, ``perturbations``, ``power``, ``cells_needed`` and ``balance``.
    - About models: ``models``, ``scores``, ``summary``, ``retraining``, ``ranking``, ``random_removals`` and
      ``error_by_n_genes``.
    - For every regime: ``recurrence`` and ``variance_ratio``.
    - For the regimes ``full`` and ``regressed``: ``confounding``.
    - For the regime ``full``: ``specificity``, ``target_response``, ``probes``, ``attribution_check`` and
      ``attribution_agreement``.
    - Comparison of regimes: ``coupling``.
    - About the audit: ``regimes_left_out``, ``models_left_out`` and ``audit`` (parameters, ``adopted_columns`` and
      notes).

    Raises
    ------
    ValueError
        If an argument is unknown or cannot be applied, ``cache`` is a file, or the input is on the wrong scale.

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
    """Run an audit."""
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
    del audit_input  # releases the cells
    closed_form_models = [model for model in models if not model.from_cells]
    with threadpool_limits(1, user_api="blas"):  # small systems: more threads only wait for each other
        fits = cross_fit_all(screens, closed_form_models, folds, net, settings)
        over_folds = [model.name for model in to_train if model.folds]
        results = collect_results(mdata, screens, closed_form_models, net, folds, fits, without_random, over_folds)
        scored = score_models(results, settings)
        answers = ask_questions(results, settings)
        tables = make_tables(results, scored, answers, settings, failures)
        # Null screens are audited before, on the cells: the report states their rates with the verdicts.
        tables["calibration"] = _tables.read(adata, "calibration") if _store.has_table(adata, "calibration") else None
        n_genes = {regime: int(genes.sum()) for regime, genes in plan.genes.items()}
        store_results(mdata, results, tables, settings, notes, n_genes)
    return mdata


def _plan_models(
    adata: AnnData,
    model_names: Sequence[str | ExternalModel],
    model_params: Mapping[str, Mapping[str, Any]],
    predictions: Mapping[str, Any],
) -> tuple[list[Variant], list[ExternalModel], dict[str, Arguments], dict[str, Retrained]]:
    """Return the models to fit, to train and to add, and external models that were retrained.

    External models are ``predictions``, and models of ``model_names`` that are stored in cells.
    """
    to_train = [model for model in model_names if isinstance(model, ExternalModel)]
    to_fit, external = split_stored(adata, [name for name in model_names if isinstance(name, str)])
    models = variants(to_fit, model_params)
    predicted, retrained = split_predictions(predictions)
    external |= predicted
    names = [*(model.name for model in models), *(model.name for model in to_train)]
    duplicates = sorted({name for name in names if names.count(name) > 1} | (set(external) & set(names)))
    if duplicates:
        msg = f"`predictions`: {duplicates} are also names of models that the audit fits. Use other names."
        raise ValueError(msg)
    return models, to_train, external, retrained
