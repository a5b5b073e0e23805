"""From a screen as users have it to the profiles and the net that an audit works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from ... import _moments, _store, _validate, pp
from ..._core.arrays import BoolArray
from ..._log import info
from ..._moments.streaming import CHUNK_MEMORY
from ..._moments.totals import Totals, read_totals
from ...pp._annotate import masks
from ...pp._check import LARGEST_LOG
from ...pp._profiles import profiles_of
from ...pp._select_genes import highest

MAX_GENES = 5000
NET_CELLS = 5000
FRACTIONS = (0.8, 0.1, 0.1)
DEFAULT_COVARIATES = ("pct_counts_mt", "pct_counts_ribo")
_SIZE = "_scpertbias_size"


@dataclass(frozen=True)
class Prepared:
    """What an audit works on.

    ``net`` is co-expression in control cells, if it was asked for. ``cells``, where models are trained from them, are
    log-normalized, with a split; ``data`` says how to read them. ``notes`` say what was done on the way.
    """

    profiles: AnnData
    net: pd.DataFrame | None = None
    cells: AnnData | None = None
    data: dict[str, Any] = field(default_factory=dict)
    covariates: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)


def prepare(
    adata: AnnData,
    *,
    data: dict[str, Any],
    covariates: Sequence[str],
    normalize: bool,
    size_factors: str | None,
    target_sum: float,
    guide_key: str | None,
    with_net: bool,
    trained: Sequence[str],
    rng: int | np.random.Generator | None,
    chunk_memory: float = CHUNK_MEMORY,
) -> Prepared:
    """Make profiles of the cells in one pass; profiles come back as they are (a copy).

    ``trained`` names the models that are trained from cells: where ``obs`` holds no split, one is made for them. What has
    to be known of all cells before (totals of raw counts, the genes of highest expression, control cells for the net)
    takes another pass.
    """
    _validate.cells_or_profiles(adata, lazy=True)
    if _store.profiles_record(adata) is not None:
        if trained:
            msg = (
                f"`models`: {list(trained)} are trained from cells, but these are profiles. Audit the cells, or bring the "
                "models' predictions: predictions={name: table}."
            )
            raise ValueError(msg)
        return Prepared(_profiles(adata, data, normalize))
    cells, notes = _store.light(adata, data["layer"]), []
    _check_cells(cells, data, trained, lazy=_store.is_lazy(adata))
    wanted, covariates = _missing(cells, covariates, normalize)
    _check_columns(cells, [c for c in covariates if c not in wanted], guide_key, size_factors)
    found = None
    if normalize or with_net or cells.n_vars > MAX_GENES:
        found = _survey(cells, data, normalize, wanted, with_net, chunk_memory)
    sizes = size_factors
    if normalize and found is not None:
        for name in wanted:
            share = np.divide(found.within[name], found.totals, out=np.zeros_like(found.totals), where=found.totals > 0)
            cells.obs[name] = 100 * share
        if wanted:
            notes.append(f"{', '.join(wanted)} were computed from the counts")
        if size_factors is None:
            cells.obs[_SIZE], sizes = found.totals, _SIZE
        by = f"obs[{size_factors!r}]" if size_factors else "each cell's total"
        notes.append(f"raw counts were normalized on the fly: log1p({target_sum:g} × count / {by})")
    genes = None
    if cells.n_vars > MAX_GENES and found is not None:
        genes = _highest(cells, found, data)
        notes.append(
            f"{int(genes.sum())} of {cells.n_vars} genes were kept: the {MAX_GENES} highest in control, every measured "
            "target and every mitochondrial and ribosomal gene"
        )
        info(notes[-1])
    if trained:
        cells, genes = cells if genes is None else cells[:, genes].copy(), None
        _split(cells, data, trained, notes, rng)
    counts: dict[str, Any] = {"normalize": normalize, "size_factors": sizes, "target_sum": target_sum}
    profiles = profiles_of(
        cells,
        genes=genes,
        **data,
        **counts,
        covariates=covariates,
        guide_key=guide_key,
        rng=rng,
        chunk_memory=chunk_memory,
    )
    _check_logged(profiles)
    net = _net(cells, profiles, found, data, **counts) if with_net and found is not None else None
    if not trained:
        return Prepared(profiles, net, notes=notes)
    if normalize:
        cells, data = _logged(cells, data["layer"], sizes, target_sum), {**data, "layer": None}
    return Prepared(profiles, net, cells, data, covariates, notes)


def _profiles(adata: AnnData, data: dict[str, Any], normalize: bool) -> AnnData:
    """Return a copy of the profiles; what is asked must be how they were made."""
    record = _moments.of(adata, **_without(data, "layer")).record
    if data["layer"] not in (None, record.get("layer")):
        msg = (
            f"`layer` is {data['layer']!r}, but these profiles were made from {record.get('layer')!r}; an audit works on "
            "that (its regime 'regressed' regresses by itself)."
        )
        raise ValueError(msg)
    if normalize:
        msg = "`normalize=True` needs cells with raw counts; profiles hold means of log-normalized values."
        raise ValueError(msg)
    _check_logged(adata)
    return adata.copy()


def _check_logged(profiles: AnnData) -> None:
    """Refuse means that no logarithm of an expression has: one gene would be most of every score."""
    control = np.asarray(_store.matrix(profiles, None)[profiles.obs["is_reference"].to_numpy(bool)])
    low, high = float(control.min()), float(control.max())
    if low >= 0 and high > LARGEST_LOG:
        msg = (
            f"Means of control cells go up to {high:.4g}, too large for log-normalized values: was sc.pp.log1p left out? "
            "Run sc.pp.log1p(adata), or pass raw counts with normalize=True."
        )
        raise ValueError(msg)


def _without(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {k: v for k, v in data.items() if k not in keys}


def _check_cells(cells: AnnData, data: Mapping[str, Any], trained: Sequence[str], *, lazy: bool) -> None:
    """Refuse what cannot be read, before columns are added that are not the caller's: errors list those that there are."""
    if trained and lazy:
        msg = f"`models`: {list(trained)} are trained from cells in memory; load these with adata.to_memory()."
        raise ValueError(msg)
    _validate.column(cells, data["groupby"], argument="groupby")
    _validate.batch_codes(cells, data["batch_key"])


def _check_columns(cells: AnnData, covariates: Sequence[str], guide_key: str | None, size_factors: str | None) -> None:
    """Look for the other columns of ``obs`` that are asked for."""
    if covariates:
        _validate.numeric_columns(cells, covariates, argument="covariates")
    if guide_key is not None:
        _validate.column(cells, guide_key, argument="guide_key")
    if size_factors is not None:
        _validate.numeric_columns(cells, [size_factors], argument="size_factors")


def _missing(cells: AnnData, covariates: Sequence[str], normalize: bool) -> tuple[list[str], list[str]]:
    """Return the covariates to be computed from counts, and those that the profiles will hold."""
    missing = [c for c in covariates if c not in cells.obs.columns]
    if not missing or tuple(covariates) != DEFAULT_COVARIATES:
        return [], list(covariates)
    if normalize:
        return missing, list(covariates)
    info(f"obs lacks {missing}; see spb.pp.regress_mt_ribo for the scanpy call that makes them")
    return [], [c for c in covariates if c in cells.obs.columns]


def _survey(
    cells: AnnData, data: dict[str, Any], normalize: bool, wanted: Sequence[str], with_net: bool, chunk_memory: float
) -> Totals:
    """Read the cells once for what has to be known of all of them."""
    layer = data["layer"]
    control = _control(cells, data)
    made = masks(_validate.gene_symbols(cells, data["gene_symbols"])[0])
    sets = {}
    for name in wanted:
        key = name.removeprefix("pct_counts_")
        sets[name] = cells.var[key].to_numpy(bool) if key in cells.var else made[key]
    sample = np.flatnonzero(control)
    if len(sample) > NET_CELLS:  # as coexpression_net would draw them
        sample = np.sort(np.random.default_rng(0).choice(sample, NET_CELLS, replace=False))
    negative = _store.layer_record(cells, layer) is not None
    return read_totals(
        _store.matrix(cells, layer),
        sets=sets,
        control=control,
        sample=sample if with_net else sample[:0],
        check=_validate.Scale(layer=layer, normalize=normalize, may_be_negative=negative),
        chunk_memory=chunk_memory,
    )


def _control(cells: AnnData, data: dict[str, Any]) -> BoolArray:
    """Return which cells are training cells of the control."""
    keys = ("groupby", "reference", "gene_symbols", "split_key")
    return _moments.cell_codes(cells, **{k: data[k] for k in keys})[0] == 0


def _highest(cells: AnnData, found: Totals, data: dict[str, Any]) -> BoolArray:
    keys = ("groupby", "reference", "gene_symbols", "split_key")
    _, targets, symbols = _moments.cell_codes(cells, **{k: data[k] for k in keys})
    return highest(cells, found.mean, targets, symbols, n_top_genes=MAX_GENES)


def _split(
    cells: AnnData,
    data: dict[str, Any],
    trained: Sequence[str],
    notes: list[str],
    rng: int | np.random.Generator | None,
) -> None:
    """Make a split where there is none."""
    if data["split_key"] in cells.obs.columns:
        return
    asked = _without(data, "batch_key", "layer", "split_key")
    pp.split(cells, fractions=FRACTIONS, **asked, key_added=data["split_key"], rng=rng)
    shares = " / ".join(f"{100 * share:.0f}" for share in FRACTIONS)
    notes.append(
        f"{', '.join(trained)}: trained on one split of the perturbations, {shares} % train / validation / test, made "
        f"here because obs holds no {data['split_key']!r}"
    )


def _net(
    cells: AnnData,
    profiles: AnnData,
    found: Totals,
    data: dict[str, Any],
    *,
    normalize: bool,
    size_factors: str | None,
    target_sum: float,
) -> pd.DataFrame:
    """Return the co-expression net of at most 5,000 control cells."""
    layer, keep = data["layer"], np.flatnonzero(cells.var_names.isin(profiles.var_names))
    made = _store.assembled(
        found.sample[:, keep],
        cells.obs.iloc[found.at].copy(),
        cells.var.iloc[keep].copy(),
        layer,
        _store.layer_record(cells, layer),
    )
    if normalize:
        made, layer = _logged(made, layer, size_factors, target_sum), None
    keys = ("groupby", "reference", "gene_symbols", "split_key", "min_cells")
    return pp.coexpression_net(made, **{k: data[k] for k in keys}, layer=layer)


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
