"""Training of models without a closed form, on the cells of each regime."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from ... import _held_out, _moments, _results, _store, pp
from ..._core.arrays import FloatArray
from ..._log import info
from ..._models._base import specs
from ...pp._regimes import REGRESSED
from .cross_fit import Variant
from .jobs import Cache, Job
from .prepare import AuditInput
from .settings import AuditSettings

FULL = "full"
OTHER_SEED = "full_other_seed"


def train_deep(
    audit_input: AuditInput,
    mdata: MuData,
    models: Sequence[Variant],
    net: pd.DataFrame | None,
    settings: AuditSettings,
) -> list[tuple[str, str, str]]:
    """Train every deep model on the cells of every regime, and store it with its unseen perturbations.

    Return the failures: model, regime and reason. All regimes start from the same seed, so that only genes and values
    differ. ``full`` is trained once more from another seed, to measure the effect of the seed.
    """
    deep = [model for model in models if model.from_cells]
    rng = settings.rng
    seed = int(rng) if isinstance(rng, int | np.integer) else int(np.random.default_rng(rng).integers(2**31))
    failures: list[tuple[str, str, str]] = []
    for regime in mdata.mod if deep else ():
        cells, data = _cells_of(audit_input, mdata[regime], regime, settings.fit_on)
        screen = _moments.of(mdata[regime])
        for model in deep:
            fit = partial(_fit, model=model, net=net, data=data, screen=screen, cache=settings.cache)
            try:
                fit(cells, run_name=regime, seed=seed)
            except (ValueError, FloatingPointError) as err:  # the latter: a loss that is not finite
                failures.append((model.name, regime, str(err)))
                info(f"{model.name} is left out of regime {regime!r}: {err}")
                continue
            other_seed = None
            if regime == FULL:
                cells_of_other_seed = cells.copy()
                fit(cells_of_other_seed, run_name=OTHER_SEED, seed=seed + 1)
                other_seed = _predictions(cells_of_other_seed, model.name, screen)
            _store_in_profiles(cells, mdata[regime], model.name, regime, other_seed)
    return failures


def _cells_of(audit_input: AuditInput, profiles: AnnData, regime: str, fit_on: str) -> tuple[AnnData, dict[str, Any]]:
    """Return the cells of a regime, and the settings for reading them."""
    cells, data = audit_input.cells, audit_input.data
    if cells is None:
        msg = "The cells were not prepared."
        raise RuntimeError(msg)
    if regime != REGRESSED:
        return cells[:, cells.var_names.isin(profiles.var_names)].copy(), data
    cells = cells.copy()
    pp.regress_mt_ribo(cells, covariates=audit_input.covariates, fit_on=fit_on, key_added=REGRESSED, **data)
    return cells, {**data, "layer": REGRESSED}


def _fit(
    cells: AnnData,
    *,
    model: Variant,
    net: pd.DataFrame | None,
    data: Mapping[str, Any],
    screen: _moments.Screen,
    run_name: str,
    seed: int,
    cache: Cache | None,
) -> None:
    """Train a model in its own folder (of the user or the cache), and continue an earlier training there."""
    spec = specs()[model.kind]
    params = dict(model.params)
    if params.get("checkpoint_dir") is not None:
        params["checkpoint_dir"] = f"{params['checkpoint_dir']}/{run_name}"
    elif cache is not None and "checkpoint_dir" in params:
        job = Job((run_name, model.name), dict, [params, seed, net, screen.digest(), screen.split.tolist()])
        params |= {"checkpoint_dir": cache.folder / f"{model.kind}-{cache.file_name(job)}", "resume": True}
    if "net" in spec.needs:
        params["net"] = net
    spec.fit(cells, **data, **params, key_added=model.name, rng=seed)


def _predictions(cells: AnnData, name: str, screen: _moments.Screen) -> FloatArray:
    return _results.predictions(cells, name).reindex(list(screen.names)).to_numpy(np.float64)


def _store_in_profiles(
    cells: AnnData, profiles: AnnData, name: str, regime: str, other_seed: FloatArray | None
) -> None:
    """Store in the profiles what a model of the cells predicts and attributes."""
    screen = _moments.of(profiles)
    names = list(screen.names)
    record = _store.models(cells)[name]
    attributions = _store.attributions(cells, name)
    if attributions is not None:
        by_perturbation = pd.DataFrame(attributions, columns=[str(p) for p in record["perturbations"]])
        attributions = by_perturbation.reindex(columns=names).to_numpy()
    record |= {
        "data": {**{key: screen.record.get(key) for key in _results.DATA}, "reference_name": screen.reference},
        "perturbations": names,
        "test": _held_out.unseen({}, screen, None),
        "regime": regime,
    }
    if other_seed is not None:
        record["other_seed"] = other_seed.astype(np.float32)
    predictions = _predictions(cells, name, screen)
    _store.put_model(
        profiles, name, rows=screen.codes, predictions=predictions, attributions=attributions, record=record
    )


def trained_in(profiles: AnnData, regime: str, cross_fitted: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Return the models of a regime that the audit does not fit: those trained there, and in ``full`` external ones.

    Of those that are cross-fitted only the ones named, which are so over the folds of this audit.
    """
    return {
        name: record
        for name, record in _store.models(profiles).items()
        if (name in cross_fitted or not record.get("cross_fitted"))
        and (regime == FULL or record.get("regime") == regime)
    }
