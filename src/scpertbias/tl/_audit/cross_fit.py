"""Predict every perturbation by a fit that never saw it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ... import _results
from ..._core.arrays import BoolArray, FloatArray
from ..._log import info, progress
from ..._models._base import Problem, Solution, closed_form, closed_forms, from_cells, problem, specs
from ..._models._net import graphs_of
from ..._models._smoothing import smoothers
from ..._moments import Screen
from ...pp._split import folds as cut
from .jobs import Arrays, Cache, Part, Place, digest, run
from .low_memory import Shelf, Shelved

N_FOLDS = 5
FEW_PERTURBATIONS = 25
EVERYTHING = "all"
"""The fit on all perturbations, which is never scored."""


@dataclass(frozen=True)
class Variant:
    """A model as it is fitted: the name of its results, its kind, and its parameters."""

    name: str
    kind: str
    params: dict[str, Any]

    @property
    def needs_net(self) -> bool:
        """Whether it cannot be fitted without a net."""
        return "net" in specs()[self.kind].needs and not self.from_cells

    @property
    def from_cells(self) -> bool:
        """Whether it is trained from cells, which costs, so that it keeps one split."""
        return self.kind in from_cells()

    @property
    def fits_genes_separately(self) -> bool:
        """Whether no gene's prediction depends on which other genes there are."""
        return specs()[self.kind].fits_genes_separately(**self.params)


@dataclass(frozen=True)
class Fits:
    """The cross-fitted models of one regime, and why others are left out.

    ``in_sample`` holds the predictions of the fits on all perturbations, which are never scored.
    """

    solutions: dict[str, Solution | Shelved] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    in_sample: dict[str, FloatArray] = field(default_factory=dict)


def variants(models: Sequence[str], model_params: Mapping[str, Mapping[str, Any]]) -> list[Variant]:
    """Return the models to fit; those that smooth over a net follow once more, over perturbations.

    Everything is checked here, before any work.
    """
    known = [*closed_forms(), *from_cells()]
    unknown = [name for name in models if name not in known]
    if unknown:
        msg = f"`models`: {unknown} are not known; there are {known}. Other models' predictions go to predictions=."
        raise ValueError(msg)
    own: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in models}
    for name in models:
        own |= {f"{name}_{axis}": (name, {"axis": axis}) for axis in list(specs()[name].axes)[1:]}
    strange = [name for name in model_params if name not in own]
    if strange:
        msg = f"`model_params`: {strange} are not among the models fitted, {list(own)}."
        raise ValueError(msg)
    return [_variant(name, kind, extra, model_params) for name, (kind, extra) in own.items()]


def _variant(name: str, kind: str, extra: Mapping[str, Any], model_params: Mapping[str, Mapping[str, Any]]) -> Variant:
    given = {**model_params.get(kind, {}), **extra, **model_params.get(name, {})}
    defaults = _defaults(kind)
    strange = [key for key in given if key not in defaults]
    if strange:
        msg = f"`model_params`: {name!r} has no parameters {strange}; it has {list(defaults)}."
        raise ValueError(msg)
    if np.ndim(given.get("gamma", 0)):
        msg = (
            f"`model_params`: gamma of {name!r} is a sequence; an audit has no validation split to choose by. Pass one."
        )
        raise ValueError(msg)
    params = {**defaults, **given}
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
    if len(names) < 2:
        msg = f"{len(names)} perturbation has min_cells cells; an audit needs at least 2."
        raise ValueError(msg)
    if n_folds is None:
        n_folds = len(names) if len(names) <= FEW_PERTURBATIONS else N_FOLDS
    return cut(names, n_folds, rng=rng)


def cross_fit_all(
    screens: Mapping[str, Screen],
    wanted: Sequence[Variant],
    folds: Mapping[str, int],
    net: pd.DataFrame | None,
    *,
    coefficients: bool,
    n_jobs: int | None = None,
    cache: Cache | None = None,
    shelf: Shelf | None = None,
) -> dict[str, Fits]:
    """Fit every model in every regime without each fold: row p of its predictions is that of the fit that never saw p.

    Each fit is a part of its own: none depends on the order or the number of jobs. With ``coefficients``, those of one
    further fit on all perturbations; with a ``shelf`` predictions are put there as they come, and not held.
    """
    n_fits = len(set(folds.values())) + coefficients
    parts = _parts(screens, wanted, folds, net, coefficients=coefficients, hashed=cache is not None)
    results: dict[Place, Arrays | str] = {}
    with progress("fits", len(screens) * len(wanted) * n_fits) as bar:
        for place, result in run(parts, n_jobs=n_jobs, cache=cache):
            if shelf is not None and not isinstance(result, str):
                regime, model, fold = place
                screen = screens[regime]
                values = result.pop("predictions")
                shelf.fill((regime, model), partial(_unfilled, screen), _held_out(screen, folds, False)[fold], values)
            results[place] = result
            bar.update()
    return {regime: _assembled(regime, screens[regime], wanted, folds, results, shelf) for regime in screens}


def _unfilled(screen: Screen) -> FloatArray:
    """Return predictions before any fit: the control's, and NaN."""
    predictions = np.full((len(screen.names), len(screen.genes)), np.nan)
    predictions[0] = screen.moments.control
    return predictions


def _parts(
    screens: Mapping[str, Screen],
    wanted: Sequence[Variant],
    folds: Mapping[str, int],
    net: pd.DataFrame | None,
    *,
    coefficients: bool,
    hashed: bool,
) -> Iterator[Part]:
    """Make the parts, model × regime × fold; regimes with the same genes share the graphs of the net."""
    use_net = any(v.needs_net for v in wanted)
    full = graphs_of(screens["full"], net, quiet=False) if use_net else None
    net_digest = digest(net) if hashed and use_net else None
    for regime, screen in screens.items():
        same = len(screen.genes) == len(screens["full"].genes)
        graphs = full if same or not use_net else graphs_of(screen, net, quiet=True)
        screen_digest = screen.digest() if hashed else None
        for fold, held_out in _held_out(screen, folds, coefficients).items():
            train = np.ones(len(held_out), dtype=bool) if fold == EVERYTHING else ~held_out
            seen = problem(screen, train[screen.perturbation], graphs=graphs)
            for v in wanted:
                inputs = [screen_digest, v.kind, v.params, net_digest if v.needs_net else None, held_out]
                work = partial(_fit, v, seen, held_out, coefficients=fold == EVERYTHING)
                yield Part((regime, v.name, fold), work, inputs if hashed else None, partial(_graphs, v, seen))


def _held_out(screen: Screen, folds: Mapping[str, int], coefficients: bool) -> dict[str, BoolArray]:
    """Return by fold which perturbations it predicts: those that it does not see, and of the fit on everything all."""
    fold = np.array([folds.get(name, -1) for name in screen.names])
    cuts = {str(r): fold == r for r in sorted(set(folds.values()))}
    return cuts | ({EVERYTHING: np.ones(len(fold), dtype=bool)} if coefficients else {})


def _graphs(variant: Variant, seen: Problem) -> None:
    """Make what fits over the same net share, before they are handed out: workers would each make it anew."""
    if variant.needs_net and seen.graphs is not None:
        smoothers(seen, variant.params["axis"], variant.params["laplacian"])


def _fit(variant: Variant, seen: Problem, predicted: BoolArray, *, coefficients: bool) -> Arrays:
    """Fit a model, and return its predictions for some perturbations."""
    if variant.needs_net and seen.graphs is None:
        msg = "no net was given, and profiles have no cells to make one from"
        raise ValueError(msg)
    solution = closed_form(variant.kind)(seen, **variant.params)
    arrays = {
        "predictions": solution.predictions[predicted],
        "note": np.array(solution.note),
        "constant": np.array(solution.constant),
    }
    if coefficients:
        arrays |= {f"chosen/{name}": np.array(value) for name, value in solution.chosen.items()}
        if solution.coef is not None:
            arrays["coef"] = solution.coef
    return arrays


def _assembled(
    regime: str,
    screen: Screen,
    wanted: Sequence[Variant],
    folds: Mapping[str, int],
    results: dict[Place, Arrays | str],
    shelf: Shelf | None,
) -> Fits:
    """Put the parts of a regime together (they are taken out of ``results``); one that failed leaves its model out."""
    fits = Fits()
    for v in wanted:
        everything = results.pop((regime, v.name, EVERYTHING), {})
        held_out = _held_out(screen, folds, coefficients=False)
        by_fold = {fold: results.pop((regime, v.name, fold)) for fold in held_out}
        failed = [result for result in (*by_fold.values(), everything) if isinstance(result, str)]
        if failed or isinstance(everything, str):
            fits.left_out[v.name] = failed[0]
            info(f"{v.name} is left out: {failed[0]}")
            continue
        notes = {str(arrays["note"]) for arrays in by_fold.values() if not isinstance(arrays, str)}
        note = notes.pop() if len(notes) == 1 else ""
        constant = all(bool(arrays["constant"]) for arrays in by_fold.values() if not isinstance(arrays, str))
        chosen = {k.removeprefix("chosen/"): a.item() for k, a in everything.items() if k.startswith("chosen/")}
        if shelf is not None:
            fits.solutions[v.name] = shelf.solution((regime, v.name), note, chosen, constant=constant)
            continue
        predictions = _unfilled(screen)
        for fold, arrays in by_fold.items():
            if not isinstance(arrays, str):
                predictions[held_out[fold]] = arrays["predictions"]
        fits.solutions[v.name] = Solution(predictions, everything.get("coef"), note, chosen, constant)
        if "predictions" in everything:
            fits.in_sample[v.name] = everything["predictions"]
    return fits
