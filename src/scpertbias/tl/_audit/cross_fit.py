"""Cross-fitting: each perturbation is predicted by a fit that excludes it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ... import _results
from ..._keys import WITHOUT_GENES
from ..._log import progress
from ..._models._base import Problem, closed_forms, from_cells, problem, specs
from ..._models._net import Graphs, graphs_of
from ..._models._noise_weights import closed_form, noise_weights_alone
from ..._models._products import products_of
from ..._models._smoothing import smoothers
from ..._moments import Screen
from ...pp._split import first_of_targets
from ...pp._split import folds as assign_folds
from .fits import ALL_PERTURBATIONS, Assembly, Fits, Layout, rows_of_folds
from .jobs import Arrays, Job, JobKey, digest, run
from .low_memory import Spill
from .settings import AuditSettings

N_FOLDS = 5
FEW_PERTURBATIONS = 25


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
            f"`min_cells`: the perturbations with enough cells ({', '.join(names[:3]) or 'none'}) have fewer than 2 "
            "targets; an audit needs at least 2. Lower min_cells."
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
    files. Without some genes, what is fitted to each gene separately is not fitted again.
    """
    spill = None if settings.keep_predictions else Spill()
    rows, layouts = rows_of_folds(screens["full"].names, folds), {}
    n_fits = len(rows) + settings.keep_predictions
    maker = _JobMaker.of(screens["full"], models, folds, net, settings)

    def jobs() -> Iterator[Job]:
        for regime in screens:  # a regime is freed before the next one is made: nothing here refers to it
            layouts[regime] = Layout.of(screens[regime], screens["full"])
            yield from maker.jobs(regime, screens[regime])

    results: dict[JobKey, Arrays | str] = {}
    n_slices = sum(_is_slice(regime, model) for regime in screens for model in models)
    with progress("fits", len(screens) * len(models) * n_fits - n_slices * settings.keep_predictions) as bar:
        for key, result in run(jobs(), n_jobs=settings.n_jobs, cache=settings.cache):
            if spill is not None and not isinstance(result, str) and "predictions" in result:
                regime, model, fold = key
                values = result.pop("predictions")
                spill.fill((regime, model), layouts[regime].before_any_fit, rows[fold], values)
            results[key] = result
            bar.update()
    fits: dict[str, Fits] = {}
    for regime, layout in layouts.items():
        slices = {model.name for model in models if _is_slice(regime, model)}
        assembly = Assembly(regime, layout, folds, results, spill)
        fits[regime] = assembly.fits([model.name for model in models], fits.get("full"), slices)
    return fits


def _is_slice(regime: str, model: Variant) -> bool:
    """Whether the model has in a regime the predictions that it has with all genes."""
    return regime in WITHOUT_GENES and model.fits_genes_separately


@dataclass(frozen=True)
class _JobMaker:
    """Makes the jobs of a regime, model × fold; regimes with all ``genes`` share the graphs of the net.

    ``net_digest`` is None without a cache.
    """

    models: Sequence[Variant]
    folds: Mapping[str, int]
    net: pd.DataFrame | None
    settings: AuditSettings
    genes: pd.Index
    graphs: Graphs | None
    net_digest: str | None

    @classmethod
    def of(
        cls,
        full: Screen,
        models: Sequence[Variant],
        folds: Mapping[str, int],
        net: pd.DataFrame | None,
        settings: AuditSettings,
    ) -> _JobMaker:
        """Prepare what the regimes share."""
        use_net = any(model.needs_net for model in models)
        graphs = graphs_of(full, net, quiet=False) if use_net else None
        net_digest = digest(net) if settings.cache is not None and use_net else None
        return cls(models, folds, net, settings, full.genes, graphs, net_digest)

    def jobs(self, regime: str, screen: Screen) -> Iterator[Job]:
        """Make the jobs of a regime."""
        has_all_genes = len(screen.genes) == len(self.genes)
        graphs = self.graphs if has_all_genes or self.graphs is None else graphs_of(screen, self.net, quiet=True)
        screen_digest = screen.digest() if self.settings.cache is not None else None
        fits, products = rows_of_folds(screen.names, self.folds), products_of(screen)
        if self.settings.keep_predictions:
            fits[ALL_PERTURBATIONS] = np.ones(len(screen.names), dtype=bool)
        for fold, rows in fits.items():
            train = rows if fold == ALL_PERTURBATIONS else ~rows
            training = problem(
                screen, train[screen.perturbation], graphs=graphs, rows=np.flatnonzero(rows), products=products
            )
            if fold == ALL_PERTURBATIONS:
                training = replace(training, noise=None)  # which only scores need
            for model in self.models:
                is_slice = _is_slice(regime, model)
                if is_slice and fold == ALL_PERTURBATIONS:
                    continue
                inputs = [screen_digest, model.kind, model.params, self.net_digest if model.needs_net else None, rows]
                work = partial(_fit, model, training, coefficients=fold == ALL_PERTURBATIONS, is_slice=is_slice)
                prepare = partial(_make_smoothers, model, training)
                yield Job((regime, model.name, fold), work, None if screen_digest is None else inputs, prepare)


def _make_smoothers(model: Variant, training: Problem) -> None:
    """Compute what fits on the same net share, so that workers do not repeat it."""
    if model.needs_net and training.graphs is not None:
        smoothers(training, model.params["axis"], model.params["laplacian"])


def _fit(model: Variant, training: Problem, *, coefficients: bool, is_slice: bool) -> Arrays:
    """Fit a model, and return its predictions; of a slice only how much noise they hold, which depends on the genes."""
    if model.needs_net and training.graphs is None:
        msg = "no net was passed, and it cannot be estimated from profiles"
        raise ValueError(msg)
    if is_slice and training.noise is not None:
        return {"noise_weights": noise_weights_alone(model.kind, training, training.noise, **model.params)}
    solution = closed_form(model.kind)(training, **model.params)
    arrays = {
        "predictions": solution.predictions,
        "note": np.array(solution.note),
        "constant": np.array(solution.constant),
    }
    if solution.noise_weights is not None:
        arrays["noise_weights"] = solution.noise_weights
    if coefficients:
        arrays |= {f"chosen/{name}": np.array(value) for name, value in solution.chosen.items()}
        if solution.coef is not None:
            arrays["coef"] = solution.coef
    return arrays
