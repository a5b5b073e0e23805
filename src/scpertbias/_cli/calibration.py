"""Null screens for an audit of the command line, with those of its arguments that apply to them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _store, get, tl

MODELS = ("no_change", "mean", "ridge")
"""Models of the audit that are also fitted on null screens, because they are fast."""
UNUSED = ("guide_key", "n_jobs", "cache", "n_random", "regimes", "keep_predictions", "covariates")


def null_rates(adata: AnnData, mdata: MuData, options: Mapping[str, Any], args: argparse.Namespace) -> pd.DataFrame:
    """Return how often each answer is yes on null screens, with the batches of the audit."""
    models = [name for name in MODELS if name in options.get("models", MODELS)]
    settings = {key: value for key, value in options.items() if key not in UNUSED}
    params = {name: value for name, value in (options.get("model_params") or {}).items() if name in models}
    stored = _store.root(mdata)["audit"]["batch_key"]
    batches = [] if stored is None else [stored] if isinstance(stored, str) else [str(column) for column in stored]
    settings |= {"models": models, "model_params": params, "batch_key": batches or None, "covariates": ()}
    tl.calibrate(adata, n_screens=args.calibrate, n_jobs=args.n_jobs, **settings)
    return get.calibration(adata)
