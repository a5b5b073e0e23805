"""Scores of probes: predictions that contain a single piece of information about each perturbation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _moments, _results, _store, _tables, _validate
from .._core.any_metric import MetricFunction
from .._core.probe_scores import DEFAULT, KNOWN, score_probes
from .._core.resampling import MIN_PERTURBATIONS
from .._docs import docs
from .._log import added
from .._moments import Screen
from ._audit.cross_fit import make_folds
from ._probe_data import probe_data

UNKNOWN = {"axis_only": "no shared axis is measurable", "off_axis_only": "no shared axis is measurable"}
UNKNOWN |= {"depth_only": "the sequencing depth is unknown"}


@docs.dedent
def probes(
    adata: AnnData,
    *,
    metrics: str | Sequence[str] | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    n_boot: int = 1000,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> AnnData | None:
    """Score probes: predictions that contain a single piece of information about each perturbation.

    A high score of a probe means that the metric rewards this information. Probes are computed from half of the cells
    of each perturbation and scored on the other half. Of a large screen, only 150 random perturbations and the 1,000
    genes with the highest mean in control are used.

    Parameters
    ----------
    adata
        Profiles made by :func:`scpertbias.pp.profiles`, or cells.
    metrics
        Names of metrics. By default ``mse``, ``mae``, ``pearson_delta``, ``pearson_delta_perturbed``,
        ``discrimination``, ``pds_cosine`` (discrimination by cosine) and the four ``de_*`` scores.
    functions
        Functions of your own, as a mapping from name to function. They are called as in :func:`scpertbias.tl.metric`.
    n_boot
        Number of resamples of perturbations for the interval; 0: no interval.
    %(rng)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_probes)s

    Raises
    ------
    ValueError
        If a metric is unknown, or fewer than three perturbations have cells in both halves.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.probes(profiles, metrics=["mse", "pearson_delta_perturbed"])
    >>> table = spb.get.probes(profiles).set_index(["probe", "metric"])["scaled"]
    >>> bool(table["no_change", "mse"] < 0 < 0.2 < table["no_change", "pearson_delta_perturbed"])
    True
    """
    _validate.cells_or_profiles(adata)
    screen = _moments.of(adata)
    table = probes_table(
        screen, folds=_stored_folds(adata), metrics=metrics, functions=functions, n_boot=n_boot, rng=rng
    )
    adata = adata.copy() if copy else adata
    _store.put(adata, probes=table)
    added("'probes', one row per probe and metric (adata.uns['scpertbias'])")
    return adata if copy else None


def _stored_folds(adata: AnnData) -> dict[str, int] | None:
    """Return the folds of an audit, if the profiles belong to one."""
    if _results.FOLD not in adata.obs or _store.profiles_record(adata) is None:
        return None
    return {str(p): int(f) for p, f in zip(adata.obs["perturbation"], adata.obs[_results.FOLD], strict=True) if f >= 0}


def probes_table(
    screen: Screen,
    *,
    folds: Mapping[str, int] | None = None,
    metrics: str | Sequence[str] | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    n_boot: int = 1000,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Return the table of :func:`probes`; without ``folds``, folds are made as in an audit."""
    names = DEFAULT if metrics is None else (metrics,) if isinstance(metrics, str) else tuple(metrics)
    for name in names:
        _validate.choice(name, KNOWN, argument="metrics")
    generator = np.random.default_rng(rng)
    data = probe_data(screen, make_folds(screen, None, rng) if folds is None else folds, generator)
    called = {name: MetricFunction(function) for name, function in (functions or {}).items()}
    rows = []
    for one in score_probes(data, names, called, n_boot=n_boot, rng=generator):
        few = f"only {one.n} perturbations: no interval" if 0 < one.n < MIN_PERTURBATIONS else ""
        why = one.reason or (UNKNOWN.get(one.probe, "") if one.n == 0 else "")
        note = "; ".join(part for part in (why, few) if part)
        values = (one.probe, one.metric, one.n, one.score, one.baseline, one.truth, one.scaled, one.low, one.high, note)
        rows.append(values)
    return pd.DataFrame(rows, columns=_tables.columns("probes"))
