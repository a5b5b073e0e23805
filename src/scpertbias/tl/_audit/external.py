"""Models that the audit does not fit: predictions that are passed or stored in the data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from anndata import AnnData

from ... import _held_out, _moments, _results, _store
from ..._log import warn
from ..._models._base import closed_forms, from_cells
from ..._models.external.add_predictions import add_predictions
from .cross_fit import Variant


def split_stored(adata: AnnData, models: Sequence[str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Return the models to fit, and arguments of :func:`add_predictions` for those stored in the data."""
    records = _store.models(adata) if isinstance(adata, AnnData) else {}
    stored_models = [name for name in models if name in records and name not in closed_forms()]
    model_kinds = [*closed_forms(), *from_cells()]
    unknown = [name for name in models if name not in records and name not in model_kinds]
    if unknown:
        msg = (
            f"`models`: {unknown} are unknown; choose from {model_kinds}, or from models stored in the data, {list(records)}. "
            f"Pass predictions of other models as predictions=."
        )
        raise ValueError(msg)
    to_fit = [name for name in models if name not in stored_models]
    if isinstance(adata, AnnData) and _store.profiles_record(adata) is not None:
        return to_fit, {}
    return to_fit, {name: _arguments_of(adata, name, records[name]) for name in stored_models}


def _arguments_of(adata: AnnData, name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of :func:`add_predictions`; changes against control stay changes, as their ceiling differs."""
    arguments = {"predictions": _results.predictions(adata, name), "test": record.get("test"), "record": record}
    arguments |= {"fitted_on": record.get("params", {}).get("fitted_on", _results.THIS)}
    if not _results.are_changes(record):
        return arguments
    control = _moments.of(adata, **_results.agreed_data({name: record})).moments.control
    return {**arguments, "predictions": arguments["predictions"] - control, "kind": "delta"}


def add_external(
    profiles: AnnData, external: Mapping[str, dict[str, Any]], models: Collection[Variant], split_key: str
) -> None:
    """Add external predictions to the profiles; the held-out perturbations of all models must be known."""
    for name, arguments in external.items():
        record = arguments.pop("record", {})
        cross_fitted = arguments.pop("cross_fitted", False)
        add_predictions(profiles, key_added=name, **arguments)
        _store.add_to_model(profiles, name, cross_fitted=cross_fitted)
        _results.copy_batch_weights(profiles, name, record)
    _check_held_out(profiles, external, {model.name for model in models}, split_key)


def _check_held_out(profiles: AnnData, external: Mapping[str, Any], fitted: Collection[str], split_key: str) -> None:
    """Refuse models without known held-out perturbations; those in profiles are named only.

    Models fitted by the audit replace stored ones.
    """
    records = {
        name: r for name, r in _store.models(profiles).items() if name not in fitted and not r.get("cross_fitted")
    }
    if not records:
        return
    screen = _moments.of(profiles, split_key=split_key)
    for name in [name for name, record in records.items() if not _held_out.unseen(record, screen, None)]:
        if _held_out_as_predicted(profiles, name, records[name], screen, split_key):
            continue
        why = _held_out.why_all_seen(screen, split_key)
        msg = f"The held-out perturbations of {name!r} are unknown, because {why}"
        if name not in external:
            warn(f"{msg}. The model is not scored.")
            continue
        msg = (
            f"`predictions`: {msg}. Mark the held-out perturbations as 'test' in obs[{split_key!r}] (see "
            "spb.pp.split), or pass test=[…]."
        )
        raise ValueError(msg)


def _held_out_as_predicted(
    profiles: AnnData, name: str, record: Mapping[str, Any], screen: _moments.Screen, split_key: str
) -> bool:
    """Assume that the predicted perturbations are held out if there is no split and some perturbations are not predicted."""
    if record.get("test") is not None or split_key in profiles.obs and (screen.split != "train").any():
        return False
    table = _results.predictions(profiles, name, screen).iloc[1:]
    predicted = table.index[table.notna().all(axis=1)].astype(str).tolist()
    if not 0 < len(predicted) < len(table):
        return False
    warn(
        f"{name!r}: there is no split. The {len(predicted)} predicted perturbations are assumed to be held out, and "
        f"the other {len(table) - len(predicted)} to be its training data. If this is wrong, pass test=."
    )
    _store.add_to_model(profiles, name, test=predicted)
    return True
