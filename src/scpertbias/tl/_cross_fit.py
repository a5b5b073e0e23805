"""Predict every perturbation by a fit that never saw it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scanpy as sc
from tqdm.auto import tqdm

from .. import _results
from .._log import info
from .._models._problem import Graphs, Problem, Solution, check_net, problem
from .._models._registry import closed_form, closed_forms, specs
from .._moments import Screen
from ..pp._split import folds as cut

FloatArray = npt.NDArray[np.float64]
N_FOLDS = 5
FEW_PERTURBATIONS = 25
SECOND_AXIS = "perturbations"


@dataclass(frozen=True)
class Variant:
    """A model as it is fitted: the name of its results, its kind, and its parameters."""

    name: str
    kind: str
    params: dict[str, Any]

    @property
    def needs_net(self) -> bool:
        """Whether it smooths over a net."""
        return "net" in specs()[self.kind].needs


@dataclass(frozen=True)
class Fits:
    """The cross-fitted models of one regime, and why others are left out.

    ``in_sample`` holds the predictions of the fits on all perturbations, which are never scored.
    """

    solutions: dict[str, Solution] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    in_sample: dict[str, FloatArray] = field(default_factory=dict)


def variants(models: Sequence[str], model_params: Mapping[str, Mapping[str, Any]]) -> list[Variant]:
    """Return the models to fit; those that smooth over a net follow once more, over perturbations.

    Everything is checked here, before any work.
    """
    unknown = [name for name in models if name not in closed_forms()]
    if unknown:
        msg = f"`models`: {unknown} are not known; there are {closed_forms()}. Other models' predictions go to predictions=."
        raise ValueError(msg)
    own: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in models}
    for name in models:
        if "axis" in _defaults(name):
            own[f"{name}_{SECOND_AXIS}"] = (name, {"axis": SECOND_AXIS})
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
    return Variant(name, kind, params)


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


def graphs_of(screen: Screen, net: pd.DataFrame | None, *, quiet: bool) -> Graphs | None:
    """Return the graphs of a net; with ``quiet`` edges to genes that a regime lacks are no news."""
    if net is None:
        return None
    if quiet and {"source", "target"} <= set(net.columns):
        known = {*screen.symbols.tolist(), *(gene for targets in screen.targets for gene in targets)}
        net = net[net["source"].astype(str).isin(known) & net["target"].astype(str).isin(known)]
    return Graphs(check_net(net, screen.symbols, screen.targets), screen.symbols, screen.targets)


def cross_fit_all(
    screens: Mapping[str, Screen],
    wanted: Sequence[Variant],
    folds: Mapping[str, int],
    net: pd.DataFrame | None,
    *,
    coefficients: bool,
) -> dict[str, Fits]:
    """Cross-fit the models in every regime; regimes with the same genes share the graphs of the net."""
    fits = {}
    use_net = any(v.needs_net for v in wanted)
    full = graphs_of(screens["full"], net, quiet=False) if use_net else None
    with tqdm(total=len(screens) * len(wanted), desc="fits", disable=int(sc.settings.verbosity) < 1) as progress:
        for regime, screen in screens.items():
            same = len(screen.genes) == len(screens["full"].genes)
            graphs = full if same or not use_net else graphs_of(screen, net, quiet=True)
            fits[regime] = cross_fit(screen, wanted, folds, graphs=graphs, coefficients=coefficients, progress=progress)
    return fits


def cross_fit(
    screen: Screen,
    wanted: Sequence[Variant],
    folds: Mapping[str, int],
    *,
    graphs: Graphs | None,
    coefficients: bool,
    progress: Any,
) -> Fits:
    """Fit every model on the folds of a screen.

    Row p of the predictions is that of the fit that never saw p. With ``coefficients``, those of one further fit on all
    perturbations.
    """
    fold = np.array([folds.get(name, -1) for name in screen.names])
    parts = [
        (fold == r, problem(screen, fold[screen.perturbation] != r, graphs=graphs)) for r in sorted(set(folds.values()))
    ]
    everything = problem(screen, np.ones(len(screen.perturbation), dtype=bool), graphs=graphs) if coefficients else None
    fits = Fits()
    for variant in wanted:
        try:
            if variant.needs_net and graphs is None:
                msg = "no net was given, and profiles have no cells to make one from"
                raise ValueError(msg)
            fits.solutions[variant.name], seen = _solve(variant, parts, everything)
            if seen is not None:
                fits.in_sample[variant.name] = seen
        except ValueError as err:
            fits.left_out[variant.name] = str(err)
            info(f"{variant.name} is left out: {err}")
        progress.update()
    return fits


def _solve(
    variant: Variant, parts: Sequence[tuple[npt.NDArray[np.bool_], Problem]], everything: Problem | None
) -> tuple[Solution, FloatArray | None]:
    """Return the cross-fitted solution, and the predictions of the fit on everything, if that is asked for."""
    solve = closed_form(variant.kind)
    first = parts[0][1]
    predictions = np.full((len(first.names), len(first.control)), np.nan)
    predictions[0] = first.control
    notes = set()
    for held_out, part in parts:
        solution = solve(part, **variant.params)
        predictions[held_out] = solution.predictions[held_out]
        notes.add(solution.note)
    note = notes.pop() if len(notes) == 1 else ""
    if everything is None:
        return Solution(predictions, note=note), None
    in_sample = solve(everything, **variant.params)
    return replace(in_sample, predictions=predictions, note=note), in_sample.predictions
