"""Predictions of a model that was retrained in several regimes, stored by regime."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
from anndata import AnnData
from mudata import MuData

from ... import _held_out, _moments, _results, _store
from ..._core.arrays import BoolArray, FloatArray
from ..._keys import FULL, RANDOM, REGIMES, WITHOUT_GENES
from ..._log import some
from ..._models.external.add_predictions import add_predictions
from ..._models.external.readers import measured
from ...pp._regimes import RegimePlan, removed

Arguments = dict[str, Any]
"""Arguments of :func:`add_predictions`."""
TRAINING = re.compile(rf"({'|'.join(REGIMES)}|{RANDOM}_[1-9]\d*)(?:#([1-9]\d*))?")
OTHER_SEED = f"{FULL}#2"


@dataclass
class Retrained:
    """The predictions of a model that was trained more than once.

    ``regimes`` contains the predictions by regime except ``full``, ``other_seed`` those of a second training in ``full``, and
    ``random`` those of trainings without random genes, by number.
    """

    regimes: dict[str, Arguments] = field(default_factory=dict)
    other_seed: Arguments | None = None
    random: dict[int, Arguments] = field(default_factory=dict)


def split_predictions(predictions: Mapping[str, Any]) -> tuple[dict[str, Arguments], dict[str, Retrained]]:
    """Return the arguments of :func:`add_predictions` for each full model, and the retrained predictions."""
    external: dict[str, Arguments] = {}
    retrained: dict[str, Retrained] = {}
    for name, value in predictions.items():
        shared = _arguments(value)
        if not _is_by_regime(shared["predictions"]):
            external[name] = shared
            continue
        parts = {str(training): {**shared, **_arguments(part)} for training, part in shared["predictions"].items()}
        _check_trainings(name, parts)
        external[name] = parts.pop(FULL)
        retrained[name] = Retrained(other_seed=parts.pop(OTHER_SEED, None))
        for training, arguments in parts.items():
            if training in REGIMES:
                retrained[name].regimes[training] = arguments
            else:
                retrained[name].random[int(training.removeprefix(f"{RANDOM}_"))] = arguments
    return external, retrained


def _arguments(value: Any) -> Arguments:
    return dict(value) if isinstance(value, Mapping) and "predictions" in value else {"predictions": value}


def _is_by_regime(predictions: Any) -> bool:
    return isinstance(predictions, Mapping) and any(TRAINING.fullmatch(str(key)) for key in predictions)


def _check_trainings(name: str, parts: Mapping[str, Any]) -> None:
    """Raise an error for unknown regimes, and for trainings without predictions in ``full``."""
    for training in parts:
        match = TRAINING.fullmatch(training)
        if match is None:
            near = get_close_matches(training, REGIMES, 1)
            msg = (
                f"`predictions`: {name}@{training} is unknown; choose from {list(REGIMES)}, '{OTHER_SEED}' (another seed) "
                f"and '{RANDOM}_1', '{RANDOM}_2', …" + (f". Did you mean {near[0]!r}?" if near else "")
            )
            raise ValueError(msg)
        if match[2] is not None and training != OTHER_SEED:
            msg = f"`predictions`: {name}@{training}: a second seed is only compared in the regime 'full'. Pass it as '{OTHER_SEED}'."
            raise ValueError(msg)
    if FULL not in parts:
        msg = (
            f"`predictions`: {name!r} has {list(parts)}, but not 'full'. Add the predictions of the model trained on "
            "all genes, because the other predictions are compared with these."
        )
        raise ValueError(msg)


def add_retrained(
    mdata: MuData, retrained: Mapping[str, Retrained], plan: RegimePlan
) -> dict[str, dict[int, FloatArray]]:
    """Store the predictions of each regime in its profiles, and those of the second seed with the full model.

    Return by model, and by number, what was predicted without random genes (perturbations × all genes, NaN: removed).
    """
    full = mdata[FULL]
    for name, model in retrained.items():
        for regime, arguments in model.regimes.items():
            _check_regime(name, regime, arguments, full, plan)
            _add(mdata[regime], name, regime, arguments, full)
        if model.other_seed is not None:
            _store.add_to_model(full, name, other_seed=_predicted(full, name, OTHER_SEED, model.other_seed))
    return {
        name: {
            number: _without_random(full, name, number, model.random[number], plan) for number in sorted(model.random)
        }
        for name, model in retrained.items()
        if model.random
    }


def _check_regime(name: str, regime: str, arguments: Arguments, full: AnnData, plan: RegimePlan) -> None:
    """Raise an error for a regime that this audit does not have, and for predictions of genes that it leaves out."""
    if regime not in plan.genes:
        reason = plan.left_out.get(regime, "it is not in regimes=")
        msg = f"`predictions`: {name}@{regime}: this audit has no regime {regime!r} ({reason})."
        raise ValueError(msg)
    predicted = _measured(full, name, regime, arguments) & ~plan.genes[regime]
    if predicted.any():
        msg = (
            f"`predictions`: {name}@{regime} predicts {int(predicted.sum())} genes that this regime leaves out "
            f"({some(full.var_names[predicted])}), so the model was not trained without them. Pass the predictions of a "
            "model that was retrained without these genes. The audit itself scores the full model on the kept genes."
        )
        raise ValueError(msg)


def _measured(full: AnnData, name: str, training: str, arguments: Arguments) -> BoolArray:
    options = {key: arguments.get(key) for key in ("gene_names", "obsm")}
    mask: BoolArray = _named(f"{name}@{training}", lambda: measured(full, arguments["predictions"], **options))
    return mask


def _named(training: str, work: Callable[[], Any]) -> Any:
    """Do some work; an error names the training."""
    try:
        return work()
    except (ValueError, KeyError, TypeError) as err:
        msg = f"{training}: {err.args[0] if err.args else err}"
        raise type(err)(msg) from err


def _add(adata: AnnData, name: str, regime: str, arguments: Arguments, full: AnnData) -> None:
    """Add predictions to the profiles of their regime, with the held-out perturbations of ``full``."""
    of_full = _store.models(full)[name]
    if arguments.get("test") is None:
        arguments = {**arguments, "test": of_full.get("test")}
    cross_fitted, arguments = _cross_fitted(arguments)
    _named(f"{name}@{regime}", lambda: add_predictions(adata, key_added=name, **arguments))
    _store.add_to_model(adata, name, cross_fitted=cross_fitted)
    record = _store.models(adata)[name]
    unseen = [_held_out.unseen(one, _moments.of(full), None) for one in (of_full, record)]
    if unseen[0] != unseen[1]:
        msg = (
            f"`predictions`: the held-out perturbations of {name}@{regime} differ from those of {name}@full. Use the same "
            "split for both."
        )
        raise ValueError(msg)
    _store.add_to_model(adata, name, regime=regime)


def _cross_fitted(arguments: Arguments) -> tuple[bool, Arguments]:
    """Return whether predictions are cross-fitted, and the arguments of :func:`add_predictions`."""
    return arguments.get("cross_fitted", False), {k: v for k, v in arguments.items() if k != "cross_fitted"}


def _predicted(adata: AnnData, name: str, training: str, arguments: Arguments) -> FloatArray:
    """Return predictions as they would be stored (perturbations × genes)."""
    part, (_, arguments) = adata.copy(), _cross_fitted(arguments)
    _named(f"{name}@{training}", lambda: add_predictions(part, key_added=name, **arguments))
    return _results.predictions(part, name, _moments.of(part)).to_numpy(np.float64)


def _without_random(full: AnnData, name: str, number: int, arguments: Arguments, plan: RegimePlan) -> FloatArray:
    """Return predictions of a random removal, whose missing genes must be as many as the smallest feature regime leaves out."""
    training = f"{RANDOM}_{number}"
    regimes = [regime for regime in WITHOUT_GENES if regime in plan.genes]
    if not regimes:
        msg = (
            f"`predictions`: {name}@{training}: random removals need the regime 'no_mt' or 'no_mt_ribo', but this "
            "audit has neither."
        )
        raise ValueError(msg)
    present, confounders = _measured(full, name, training, arguments), removed(full, WITHOUT_GENES[-1])
    if (~present & confounders).any():
        msg = (
            f"`predictions`: {name}@{training} lacks mitochondrial or ribosomal genes "
            f"({some(full.var_names[~present & confounders])}); a random removal must keep these genes, and leave out others."
        )
        raise ValueError(msg)
    n_genes = int((~plan.genes[regimes[-1]]).sum())
    if (~present).sum() != n_genes:
        msg = (
            f"`predictions`: {name}@{training} lacks {int((~present).sum())} genes of the data; a random removal must "
            f"leave out {n_genes} genes, as many as {regimes[-1]!r}. spb.pp.write_regimes selects them."
        )
        raise ValueError(msg)
    values = np.full((len(_moments.of(full).names), full.n_vars), np.nan)
    values[:, present] = _predicted(full[:, present], name, training, arguments)
    return values
