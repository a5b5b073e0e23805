"""Cross-fitting: each perturbation is predicted by a fit that excludes it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ... import _results
from ..._core.arrays import BoolArray, FloatArray
from ..._log import info, progress
from ..._models._base import Problem, Solution, closed_forms, from_cells, problem, specs
from ..._models._net import graphs_of
from ..._models._noise_weights import closed_form
from ..._models._smoothing import smoothers
from ..._moments import Screen
from ...pp._split import first_of_targets
from ...pp._split import folds as assign_folds
from .jobs import Arrays, Job, JobKey, digest, run
from .low_memory import Spill, SpilledSolution
from .settings import AuditSettings

N_FOLDS = 5
FEW_PERTURBATIONS = 25
ALL_PERTURBATIONS = "all"
"""Number of the fit on all perturbations, which is not scored."""


@dataclass(frozen=True)
class Variant:
    """A model to fit: name of its results, kind and parameters."""

    name: str
    kind: str
    params: dict[str, Any]

    @property
    def needs_net(self) -> bool:
        """Whether it cannot be fitted without a net."""
        return "net" in specs()[self.kind].needs and not self.from_cells

    @property
    def from_cells(self) -> bool:
        """Whether it is trained on cells, which is expensive, so that it uses one split."""
        return self.kind in from_cells()

    @property
    def fits_genes_separately(self) -> bool:
        """Whether the prediction of a gene is independent of the other genes."""
        return specs()[self.kind].fits_genes_separately(**self.params)


@dataclass(frozen=True)
class Fits:
    """The cross-fitted models of one regime, and reasons for models left out.

    ``in_sample`` contains the predictions of fits on all perturbations, which are not scored.
    """

    solutions: dict[str, Solution | SpilledSolution] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    in_sample: dict[str, FloatArray] = field(default_factory=dict)


def variants(models: Sequence[str], model_params: Mapping[str, Mapping[str, Any]]) -> list[Variant]:
    """Return the models to fit; those that smooth over a net follow once more, over perturbations.

    Everything is checked here, before any work.
    """
    known = [*closed_forms(), *from_cells()]
    unknown = [name for name in models if name not in known]
    if unknown:
        msg = f"`models`: {unknown} are unknown; choose from {known}. Pass the predictions of other models with predictions=."
        raise ValueError(msg)
    own: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in models}
    for name in models:
        own |= {f"{name}_{axis}": (name, {"axis": axis}) for axis in list(specs()[name].unseen_by_axis)[1:]}
    strange = [name for name in model_params if name not in own]
    if strange:
        msg = f"`model_params`: {strange} are not fitted; choose from {list(own)}."
        raise ValueError(msg)
    return [_variant(name, kind, extra, model_params) for name, (kind, extra) in own.items()]


def _variant(name: str, kind: str, extra: Mapping[str, Any], model_params: Mapping[str, Mapping[str, Any]]) -> Variant:
    changes = {**model_params.get(kind, {}), **extra, **model_params.get(name, {})}
    defaults = _defaults(kind)
    unknown = [key for key in changes if key not in defaults]
    if unknown:
        msg = f"`model_params`: {name!r} has no parameters {unknown}; it has {list(defaults)}."
        raise ValueError(msg)
    if np.ndim(changes.get("gamma", 0)):
        msg = (
            f"`model_params`: gamma of {name!r} is a sequence, but an audit has no validation split to select a value. "
            f"Pass one value."
        )
        raise ValueError(msg)
    params = {**defaults, **changes}
    specs()[kind].check(**params)
    return Variant(specs()[kind].stored_as(name, **params), kind, params)


def _defaults(kind: str) -> dict[str, Any]:
    """Return the defaults of a model's own parameters, from the signature of its fit."""
    shared = {"adata", "net", "key_added", "copy", "rng", *_results.DATA}
    signature = inspect.signature(specs()[kind].fit).parameters.values()
    return {p.name: p.default for p in signature if p.name not in shared}


def make_folds(screen: Screen, n_folds: int | None, rng: int | np.random.Generator | None) -> dict[str, int]:
    """Return the fold of every perturbation that is used; few perturbations get one fold each."""
    names = sorted({screen.names[p] for p in screen.perturbation[screen.used] if p > 0})
    same_targets = first_of_targets(screen.names, screen.targets)
    if len({same_targets[name] for name in names}) < 2:
        msg = (
            f"The perturbations with min_cells cells ({', '.join(names[:3]) or 'none'}) have fewer than 2 targets; an audit needs at "
            "least 2. Lower min_cells."
        )
        raise ValueError(msg)
    if n_folds is None:
        n_targets = len({same_targets[name] for name in names})
        n_folds = n_targets if n_targets <= FEW_PERTURBATIONS else N_FOLDS
    return assign_folds(names, same_targets, n_folds, rng=rng)


def cross_fit_all(
    screens: Mapping[str, Screen],
    models: Sequence[Variant],
    folds: Mapping[str, int],
    net: pd.DataFrame | None,
    settings: AuditSettings,
) -> dict[str, Fits]:
    """Fit every model in every regime without each fold: row p of its predictions is from a fit that excludes p.

    Each fit is a separate job, and results do not depend on the order or number of jobs. If predictions are kept, each
    model is also fitted once on all perturbations, for the coefficients. Otherwise predictions are written to temporary
    files.
    """
    spill = None if settings.keep_predictions else Spill()
    n_fits = len(set(folds.values())) + settings.keep_predictions
    jobs = _make_jobs(screens, models, folds, net, settings)
    results: dict[JobKey, Arrays | str] = {}
    with progress("fits", len(screens) * len(models) * n_fits) as bar:
        for key, result in run(jobs, n_jobs=settings.n_jobs, cache=settings.cache):
            if spill is not None and not isinstance(result, str):
                regime, model, fold = key
                screen = screens[regime]
                rows = _rows_of_folds(screen, folds)[fold]
                spill.fill((regime, model), partial(_before_any_fit, screen), rows, result.pop("predictions"))
            results[key] = result
            bar.update()
    return {regime: _assemble(regime, screens[regime], models, folds, results, spill) for regime in screens}


def _before_any_fit(screen: Screen) -> FloatArray:
    """Return predictions before any fit: the control's, and NaN."""
    predictions = np.full((len(screen.names), len(screen.genes)), np.nan)
    predictions[0] = screen.moments.control
    return predictions


def _fill(
    table: FloatArray, name: str, by_fold: Mapping[str, Arrays | str], rows: Mapping[str, BoolArray]
) -> FloatArray:
    """Fill the rows of each fold with the predictions of its fit."""
    for fold, arrays in by_fold.items():
        if not isinstance(arrays, str):
            table[rows[fold]] = arrays[name]
    return table


def _make_jobs(
    screens: Mapping[str, Screen],
    models: Sequence[Variant],
    folds: Mapping[str, int],
    net: pd.DataFrame | None,
    settings: AuditSettings,
) -> Iterator[Job]:
    """Make the jobs, model × regime × fold; regimes with the same genes share the graphs of the net."""
    hashed = settings.cache is not None
    use_net = any(model.needs_net for model in models)
    full_graphs = graphs_of(screens["full"], net, quiet=False) if use_net else None
    net_digest = digest(net) if hashed and use_net else None
    for regime, screen in screens.items():
        all_genes = len(screen.genes) == len(screens["full"].genes)
        graphs = full_graphs if all_genes or not use_net else graphs_of(screen, net, quiet=True)
        screen_digest = screen.digest() if hashed else None
        fits = _rows_of_folds(screen, folds)
        if settings.keep_predictions:
            fits[ALL_PERTURBATIONS] = np.ones(len(screen.names), dtype=bool)
        for fold, rows in fits.items():
            train = rows if fold == ALL_PERTURBATIONS else ~rows
            training = problem(screen, train[screen.perturbation], graphs=graphs)
            if fold == ALL_PERTURBATIONS:
                training = replace(training, noise=None)  # which only scores need
            for model in models:
                inputs = [screen_digest, model.kind, model.params, net_digest if model.needs_net else None, rows]
                work = partial(_fit, model, training, rows, coefficients=fold == ALL_PERTURBATIONS)
                prepare = partial(_make_smoothers, model, training)
                yield Job((regime, model.name, fold), work, inputs if hashed else None, prepare)


def _rows_of_folds(screen: Screen, folds: Mapping[str, int]) -> dict[str, BoolArray]:
    """Return the perturbations that each fold predicts: those that it does not see."""
    fold = np.array([folds.get(name, -1) for name in screen.names])
    return {str(number): fold == number for number in sorted(set(folds.values()))}


def _make_smoothers(model: Variant, training: Problem) -> None:
    """Compute what fits on the same net share, so that workers do not repeat it."""
    if model.needs_net and training.graphs is not None:
        smoothers(training, model.params["axis"], model.params["laplacian"])


def _fit(model: Variant, training: Problem, rows: BoolArray, *, coefficients: bool) -> Arrays:
    """Fit a model, and return its predictions for some perturbations."""
    if model.needs_net and training.graphs is None:
        msg = "no net was passed, and it cannot be estimated from profiles"
        raise ValueError(msg)
    solution = closed_form(model.kind)(training, **model.params)
    arrays = {
        "predictions": solution.predictions[rows],
        "note": np.array(solution.note),
        "constant": np.array(solution.constant),
    }
    if solution.noise_weights is not None:
        arrays["noise_weights"] = solution.noise_weights[rows]
    if coefficients:
        arrays |= {f"chosen/{name}": np.array(value) for name, value in solution.chosen.items()}
        if solution.coef is not None:
            arrays["coef"] = solution.coef
    return arrays


def _assemble(
    regime: str,
    screen: Screen,
    models: Sequence[Variant],
    folds: Mapping[str, int],
    results: dict[JobKey, Arrays | str],
    spill: Spill | None,
) -> Fits:
    """Put the results of a regime together (they are taken out of ``results``); a failure leaves its model out."""
    fits = Fits()
    rows_of_folds = _rows_of_folds(screen, folds)
    for model in models:
        on_all = results.pop((regime, model.name, ALL_PERTURBATIONS), {})
        by_fold = {fold: results.pop((regime, model.name, fold)) for fold in rows_of_folds}
        reasons = [result for result in (*by_fold.values(), on_all) if isinstance(result, str)]
        if reasons or isinstance(on_all, str):
            fits.left_out[model.name] = reasons[0]
            info(f"{model.name} is left out: {reasons[0]}")
            continue
        notes = {str(arrays["note"]) for arrays in by_fold.values() if not isinstance(arrays, str)}
        note = notes.pop() if len(notes) == 1 else ""
        constant = all(bool(arrays["constant"]) for arrays in by_fold.values() if not isinstance(arrays, str))
        chosen = {k.removeprefix("chosen/"): a.item() for k, a in on_all.items() if k.startswith("chosen/")}
        noise_weights = np.full((len(screen.names), len(screen.moments.n_control) + 1), np.nan)
        facts: dict[str, Any] = {"note": note, "chosen": chosen, "constant": constant}
        facts |= {"noise_weights": _fill(noise_weights, "noise_weights", by_fold, rows_of_folds)}
        if spill is not None:
            fits.solutions[model.name] = spill.solution((regime, model.name), **facts)
            continue
        predictions = _fill(_before_any_fit(screen), "predictions", by_fold, rows_of_folds)
        fits.solutions[model.name] = Solution(predictions, on_all.get("coef"), **facts)
        if "predictions" in on_all:
            fits.in_sample[model.name] = on_all["predictions"]
    return fits
