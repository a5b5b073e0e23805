"""From a screen as users have it to the profiles and the net that an audit works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from scipy import sparse

from .. import _keys, _moments, _store, _validate, pp
from .._core.sums import row_sums
from .._log import info
from ..pp._annotate import masks
from ..pp._select_genes import chosen

MAX_GENES = 5000
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
) -> Prepared:
    """Make profiles of the cells in one pass; profiles come back as they are (a copy).

    ``trained`` names the models that are trained from cells: where ``obs`` holds no split, one is made for them.
    """
    _validate.cells_or_profiles(adata)
    if _store.profiles_record(adata) is not None:
        if trained:
            msg = (
                f"`models`: {list(trained)} are trained from cells, but these are profiles. Audit the cells, or bring the "
                "models' predictions: predictions={name: table}."
            )
            raise ValueError(msg)
        return Prepared(_profiles(adata, data, normalize))
    notes: list[str] = []
    cells, covariates, sizes = _cells(adata, data, covariates, normalize, size_factors, notes)
    if normalize:
        by = f"obs[{size_factors!r}]" if size_factors else "each cell's total"
        notes.append(f"raw counts were normalized on the fly: log1p({target_sum:g} × count / {by})")
    if cells.n_vars > MAX_GENES:
        keep = chosen(cells, MAX_GENES, sets=None, **_without(data, "strata", "min_cells"))
        notes.append(
            f"{int(keep.sum())} of {cells.n_vars} genes were kept: the {MAX_GENES} highest in control, every measured "
            "target and every mitochondrial and ribosomal gene"
        )
        info(notes[-1])
        cells = cells[:, keep].copy()
    if trained and data["split_key"] not in cells.obs.columns:
        asked = _without(data, "strata", "layer", "split_key")
        pp.split(cells, fractions=FRACTIONS, **asked, key_added=data["split_key"], rng=rng)
        shares = " / ".join(f"{100 * share:.0f}" for share in FRACTIONS)
        notes.append(
            f"{', '.join(trained)}: trained on one split of the perturbations, {shares} % train / validation / test, made "
            f"here because obs holds no {data['split_key']!r}"
        )
    profiles = pp.pseudobulk(
        cells,
        **data,
        normalize=normalize,
        size_factors=sizes,
        target_sum=target_sum,
        covariates=covariates,
        guide_key=guide_key,
        rng=rng,
    )
    net = _net(cells, data, normalize, sizes, target_sum) if with_net else None
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
    return adata.copy()


def _without(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {k: v for k, v in data.items() if k not in keys}


def _cells(
    adata: AnnData,
    data: dict[str, Any],
    covariates: Sequence[str],
    normalize: bool,
    size_factors: str | None,
    notes: list[str],
) -> tuple[AnnData, list[str], str | None]:
    """Return a light copy of the cells (the matrix is shared), covariates that exist, and the size factors' column."""
    layer = data["layer"]
    x, record = _store.matrix(adata, layer), _store.layer_record(adata, layer)
    _validate.scale(x, layer=layer, normalize=normalize, may_be_negative=record is not None)
    obs = adata.obs.copy()
    sizes = size_factors
    missing = [c for c in covariates if c not in obs.columns]
    if normalize:
        total = row_sums(x)
        if missing and tuple(covariates) == DEFAULT_COVARIATES:
            obs = obs.assign(**_shares(adata, x, total, missing, data["gene_symbols"]))
            notes.append(f"{', '.join(missing)} were computed from the counts")
            missing = []
        if size_factors is None:
            obs[_SIZE], sizes = total, _SIZE
    if missing and tuple(covariates) == DEFAULT_COVARIATES:
        covariates = [c for c in covariates if c in obs.columns]
        info(f"obs lacks {missing}; see spb.pp.regress_mt_ribo for the scanpy call that makes them")
    if layer is None:
        cells = AnnData(X=x, obs=obs, var=adata.var.copy())
    else:
        cells = AnnData(obs=obs, var=adata.var.copy(), layers={layer: x})
        if record is not None:
            _store.put(cells, **{_keys.LAYERS: {layer: record}})
    return cells, list(covariates), sizes


def _shares(
    adata: AnnData, x: Any, total: npt.NDArray[np.float64], wanted: Sequence[str], gene_symbols: str | None
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the percentage of each cell's counts that lies in a gene set, from raw counts."""
    made = masks(_validate.gene_symbols(adata, gene_symbols)[0])
    out = {}
    for column in wanted:
        key = column.removeprefix("pct_counts_")
        mask = adata.var[key].to_numpy(bool) if key in adata.var else made[key]
        part = row_sums(x[:, np.flatnonzero(mask)]) if mask.any() else np.zeros(len(total))
        out[column] = 100 * np.divide(part, total, out=np.zeros_like(total), where=total > 0)
    return out


def _net(cells: AnnData, data: dict[str, Any], normalize: bool, sizes: str | None, target_sum: float) -> pd.DataFrame:
    """Return the co-expression net of at most 5,000 control cells."""
    if not normalize:
        return pp.coexpression_net(cells, **_without(data, "strata"))
    keys = ("groupby", "reference", "gene_symbols", "split_key")
    codes, _, _ = _moments.cell_codes(cells, **{k: data[k] for k in keys})
    made = _logged(cells[codes == 0], data["layer"], sizes, target_sum)
    return pp.coexpression_net(made, **{k: data[k] for k in (*keys, "min_cells")})


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
