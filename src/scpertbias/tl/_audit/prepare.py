"""Profiles and network for an audit, from the data of the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from ... import _genes, _keys, _moments, _scale, _store, _validate, pp
from ..._core.arrays import BoolArray
from ..._log import info
from ..._moments.totals import Totals, read_totals
from ...pp._annotate import masks
from ...pp._profiles import profiles_of
from ...pp._regime_tables import FRACTIONS, add_split
from ...pp._select_genes import highest
from .._external_model import ExternalModel
from .adopt import profiles_within_batches, warn_of_profiles
from .cell_source import CellSource, cell_source
from .cross_fit import Variant
from .settings import AUTO, DEFAULT_COVARIATES, AuditSettings

MAX_GENES = 5000
NET_CELLS = 5000


@dataclass(frozen=True)
class AuditInput:
    """Input of an audit.

    ``net`` is that of the user, otherwise co-expression in control cells, if a model needs it. ``cells``, if models are
    trained on them, are log-normalized and have a split; ``data`` are the settings for reading them. ``notes`` describe
    the steps.
    """

    profiles: AnnData
    net: pd.DataFrame | None = None
    cells: AnnData | None = None
    data: dict[str, Any] = field(default_factory=dict)
    covariates: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)
    source: CellSource | None = None


def prepare(
    adata: AnnData,
    models: Sequence[Variant],
    net: pd.DataFrame | None,
    settings: AuditSettings,
    external: Sequence[ExternalModel] = (),
) -> AuditInput:
    """Make profiles of the cells in one pass; profiles are returned as a copy.

    For models that are trained on cells with one split, it is made if ``obs`` has none. Totals of raw counts, the genes of
    highest expression, and control cells for the net need another pass.
    """
    deep = [model.name for model in models if model.from_cells]
    with_net = net is None and any(model.needs_net for model in models)
    _validate.cells_or_profiles(adata, lazy=True)
    if _store.profiles_record(adata) is not None:
        if from_cells := [*deep, *(model.name for model in external)]:
            msg = (
                f"`models`: {from_cells} are trained on cells, but `adata` contains profiles. Pass the cells, or pass the "
                f"predictions of these models: predictions={{name: table}}."
            )
            raise ValueError(msg)
        return AuditInput(_copy_of_profiles(adata, settings), net)
    data = settings.data
    cells, notes = _only_genes(_store.light(adata, data["layer"]))
    _check_cells(cells, settings, deep, lazy=_store.is_lazy(adata))
    from_counts, covariates = _missing_covariates(cells, settings)
    _check_columns(cells, [c for c in covariates if c not in from_counts], settings)
    cell_totals = None
    if settings.normalize or with_net or cells.n_vars > MAX_GENES:
        cell_totals = _read_totals(cells, settings, from_counts, with_net)
    size_factors = settings.size_factors
    if settings.normalize and cell_totals is not None:
        size_factors = _add_totals(cells, cell_totals, from_counts, settings, notes)
    genes = None
    if cells.n_vars > MAX_GENES and cell_totals is not None:
        genes = _highest(cells, cell_totals, data)
        notes.append(
            f"{int(genes.sum())} of {cells.n_vars} genes were kept: the {MAX_GENES} genes with the highest mean in "
            "control, every measured target and every mitochondrial and ribosomal gene"
        )
        info(notes[-1])
    if deep:
        cells, genes = cells if genes is None else cells[:, genes].copy(), None
    if on_one_split := [*deep, *(model.name for model in external if not model.folds)]:
        _split(cells, data, on_one_split, notes, settings.rng)
    make = partial(
        profiles_of,
        cells,
        genes=genes,
        **_without(data, "batch_key"),
        normalize=settings.normalize,
        size_factors=size_factors,
        target_sum=settings.target_sum,
        covariates=covariates,
        guide_key=settings.guide_key,
        rng=settings.rng,
        chunk_memory=settings.chunk_memory,
    )
    profiles, data["batch_key"] = profiles_within_batches(make, settings.batch_key, rng=settings.rng, notes=notes)
    if with_net and cell_totals is not None:
        net = _net(cells, profiles, cell_totals, settings, size_factors)
    source = cell_source(adata, cells, data, settings, size_factors) if external else None
    if not deep:
        return AuditInput(profiles, net, notes=notes, source=source)
    if settings.normalize:
        cells = _logged(cells, data["layer"], size_factors, settings.target_sum)
        data["layer"] = None
    return AuditInput(profiles, net, cells, data, covariates, notes, source)


def _only_genes(cells: AnnData) -> tuple[AnnData, list[str]]:
    """Leave out columns that are not genes, and note it; for cells in a file, only profiles can do this."""
    genes, others = _genes.are_genes(cells)
    if not others:
        return cells, []
    if _store.is_lazy(cells):
        _genes.refuse_others(cells)
    return cells[:, genes].copy(), [f"columns that are not genes were left out: {_genes.described(others)}"]


def _add_totals(
    cells: AnnData, cell_totals: Totals, from_counts: Sequence[str], settings: AuditSettings, notes: list[str]
) -> str:
    """Add to ``obs`` the covariates that counts give, and each cell's total; return the column of its size."""
    totals = cell_totals.totals
    for name in from_counts:
        share = np.divide(cell_totals.within[name], totals, out=np.zeros_like(totals), where=totals > 0)
        cells.obs[name] = 100 * share
    if from_counts:
        notes.append(f"{', '.join(from_counts)} were computed from the raw counts")
    size_factors = settings.size_factors
    if size_factors is None:
        cells.obs[_keys.OWN_TOTAL] = totals
    by = f"obs[{size_factors!r}]" if size_factors else "each cell's total"
    notes.append(f"raw counts were normalized automatically: log1p({settings.target_sum:g} × count / {by})")
    return _keys.OWN_TOTAL if size_factors is None else size_factors


def _copy_of_profiles(adata: AnnData, settings: AuditSettings) -> AnnData:
    """Return a copy of the profiles; the settings must be those of the profiles."""
    record = _moments.of(adata, **_without(settings.data, "layer")).record
    if settings.layer not in (None, record.get("layer")):
        msg = (
            f"`layer` is {settings.layer!r}, but these profiles were made from {record.get('layer')!r}. An audit of "
            "profiles uses the layer from which they were made. Omit layer. If you want regressed values, use "
            "the regime 'regressed'."
        )
        raise ValueError(msg)
    if settings.normalize:
        msg = "`normalize=True` needs cells with raw counts; profiles contain means of log-normalized values."
        raise ValueError(msg)
    if settings.batch_key == AUTO:
        warn_of_profiles(adata, rng=settings.rng)
    return adata.copy()


def _without(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {k: v for k, v in data.items() if k not in keys}


def _check_cells(cells: AnnData, settings: AuditSettings, deep: Sequence[str], *, lazy: bool) -> None:
    """Refuse unreadable input before columns are added, so that errors list the columns of the user."""
    if deep and lazy:
        msg = f"`models`: {list(deep)} are trained on cells in memory. Load the cells with adata.to_memory()."
        raise ValueError(msg)
    batch_key = settings.data["batch_key"]
    columns = {
        "groupby": [settings.data["groupby"]],
        "batch_key": [batch_key] if isinstance(batch_key, str) else batch_key or (),
        "guide_key": [settings.guide_key] if settings.guide_key is not None else (),
        "size_factors": [settings.size_factors] if settings.size_factors is not None else (),
        # Those of quality control may be computed, or have the call that makes them named.
        "covariates": [name for name in settings.covariates if not name.startswith("pct_counts_")],
    }
    _validate.refuse_missing(cells, columns)
    _validate.batch_codes(cells, batch_key)


def _check_columns(cells: AnnData, covariates: Sequence[str], settings: AuditSettings) -> None:
    """Check the other columns of ``obs`` in the settings."""
    if covariates:
        _validate.numeric_columns(cells, covariates, argument="covariates")
    if settings.guide_key is not None:
        _validate.column(cells, settings.guide_key, argument="guide_key")
    if settings.size_factors is not None:
        _validate.numeric_columns(cells, [settings.size_factors], argument="size_factors")


def _missing_covariates(cells: AnnData, settings: AuditSettings) -> tuple[list[str], list[str]]:
    """Return the covariates to be computed from counts, and those that the profiles will hold."""
    covariates = settings.covariates
    missing = [c for c in covariates if c not in cells.obs.columns]
    if not missing or tuple(covariates) != DEFAULT_COVARIATES:
        return [], list(covariates)
    if settings.normalize:
        return missing, list(covariates)
    info(f"obs has no columns {missing}; compute them from raw counts with sc.pp.calculate_qc_metrics")
    return [], [c for c in covariates if c in cells.obs.columns]


def _read_totals(cells: AnnData, settings: AuditSettings, from_counts: Sequence[str], with_net: bool) -> Totals:
    """Read the cells once for totals, highest genes and control cells."""
    layer = settings.layer
    control = _control(cells, settings.data)
    masks_by_symbol = masks(_validate.gene_symbols(cells, settings.gene_symbols)[0])
    sets = {}
    for name in from_counts:
        key = name.removeprefix("pct_counts_")
        sets[name] = cells.var[key].to_numpy(bool) if key in cells.var else masks_by_symbol[key]
    sample = np.flatnonzero(control)
    if len(sample) > NET_CELLS:  # as coexpression_net would draw them
        sample = np.sort(np.random.default_rng(0).choice(sample, NET_CELLS, replace=False))
    negative = _store.layer_record(cells, layer) is not None
    return read_totals(
        _store.matrix(cells, layer),
        sets=sets,
        control=control,
        sample=sample if with_net else sample[:0],
        check=_scale.Scale(
            layer=layer,
            normalize=settings.normalize,
            may_be_negative=negative,
            log_base=_store.log_base(cells),
        ),
        chunk_memory=settings.chunk_memory,
    )


def _control(cells: AnnData, data: dict[str, Any]) -> BoolArray:
    """Return which cells are training cells of the control."""
    return _moments.cell_codes(cells, data)[0] == 0


def _highest(cells: AnnData, cell_totals: Totals, data: dict[str, Any]) -> BoolArray:
    _, targets, symbols = _moments.cell_codes(cells, data)
    return highest(cells, cell_totals.mean, targets, symbols, n_top_genes=MAX_GENES)


def _split(
    cells: AnnData,
    data: dict[str, Any],
    deep: Sequence[str],
    notes: list[str],
    rng: int | np.random.Generator | None,
) -> None:
    """Make a split if ``obs`` has none."""
    if data["split_key"] in cells.obs.columns:
        return
    add_split(cells, data, rng)
    shares = " / ".join(f"{100 * share:.0f}" for share in FRACTIONS)
    notes.append(
        f"{', '.join(deep)}: trained on one split of the perturbations ({shares}% train / validation / test). The audit made "
        f"this split, because obs has no column {data['split_key']!r}"
    )


def _net(
    cells: AnnData,
    profiles: AnnData,
    cell_totals: Totals,
    settings: AuditSettings,
    size_factors: str | None,
) -> pd.DataFrame:
    """Return the co-expression net of at most 5,000 control cells."""
    layer, keep = settings.layer, np.flatnonzero(cells.var_names.isin(profiles.var_names))
    control_cells = _store.assembled(
        cell_totals.sample[:, keep],
        cells.obs.iloc[cell_totals.at].copy(),
        cells.var.iloc[keep].copy(),
        layer,
        _store.layer_record(cells, layer),
    )
    if settings.normalize:
        control_cells, layer = _logged(control_cells, layer, size_factors, settings.target_sum), None
    keys = ("groupby", "reference", "combination_sep", "label_map", "gene_symbols", "split_key", "min_cells")
    return pp.coexpression_net(control_cells, **{k: settings.data[k] for k in keys}, layer=layer)


def _logged(cells: AnnData, layer: str | None, sizes: str | None, target_sum: float) -> AnnData:
    """Return cells with log-normalized values, of raw counts."""
    x = _store.matrix(cells, layer)
    factor = target_sum / np.maximum(cells.obs[sizes].to_numpy(np.float64), 1e-12)
    logged = (
        sparse.csr_matrix(sparse.diags_array(factor) @ sparse.csr_array(x)).log1p()
        if sparse.issparse(x)
        else np.log1p(np.asarray(x, dtype=np.float64) * factor[:, None])
    )
    return AnnData(X=logged.astype(np.float32), obs=cells.obs.copy(), var=cells.var.copy())
