"""Response of the target genes in their own columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _store, _tables, _validate
from .._core.arrays import FloatArray, IntArray
from .._core.ranking import percentiles
from .._core.resampling import benjamini_hochberg
from .._core.target_response import MIN_TARGETS, N_BLOCKS, Scan, block_bounds, scan
from .._core.z_scores import scaled, undetectable, z_errors
from .._docs import docs
from .._keys import OBSERVED
from .._labels import LabelMap
from .._log import added, warn
from .._models._base import CONSTANT
from .._moments import Screen
from ._compared import common, read_inputs

DIRECTIONS = ("either", "down", "up")
FEW = f"not informative: fewer than {MIN_TARGETS} measured targets"
PROPOSED = 0.05


@docs.dedent
def target_response(
    adata: AnnData,
    models: str | Sequence[str] | None = None,
    *,
    direction: str = "either",
    max_shift: int = 5,
    n_perm: int = 1000,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> AnnData | None:
    """Test whether each perturbed gene changes in its own column, in the data and in predictions.

    If perturbed genes change most in a neighboring column, values and gene names are misaligned. The column
    ``proposed`` marks the most likely shift of all genes, and that of each block of genes. For example, a gene that is
    missing only in the values shifts all later genes. If a perturbed gene changes in none of the tested columns, the
    perturbation did not work, or the model does not predict its effect on the target.

    If models are stored, ``groupby`` and similar settings are read from them.

    Parameters
    ----------
    %(adata)s
    models
        Names of the stored models; by default all. With ``()``, or if no model is stored, only the data are tested.
    direction
        ``"down"`` for knock-down and knock-out, ``"up"`` for activation; by default ``"either"``.
    max_shift
        Largest tested shift to either side, in columns.
    n_perm
        Number of permutations of targets among perturbations.
    %(cells)s
    %(rng)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_target_response)s

    Raises
    ------
    KeyError
        If a model is not stored.
    ValueError
        If no perturbation is held out, or models were fitted on different data.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.target_response(profiles, direction="down")
    >>> targets = spb.get.target_response(profiles, level="perturbation").set_index("perturbation")
    >>> targets.loc["STAT1", "percentile"].round(2).item()
    1.0
    """
    _validate.choice(direction, DIRECTIONS, argument="direction")
    if max_shift < 0 or n_perm < 1:
        msg = f"`max_shift` is {max_shift} and `n_perm` is {n_perm}; max_shift must be 0 or more, n_perm 1 or more."
        raise ValueError(msg)
    data = {
        "groupby": groupby,
        "reference": reference,
        "combination_sep": combination_sep,
        "label_map": label_map,
        "batch_key": batch_key,
        "min_cells": min_cells,
        "layer": layer,
        "split_key": split_key,
        "gene_symbols": gene_symbols,
    }
    inputs = read_inputs(adata, models, data, need_models=False)
    table = target_response_table(
        inputs.screen,
        inputs.predictions,
        folds=inputs.folds,
        direction=direction,
        max_shift=max_shift,
        n_perm=n_perm,
        constant=inputs.constant,
        rng=rng,
    )
    adata = adata.copy() if copy else adata
    _store.put(adata, target_response=table)
    added(
        "'target_response', one row per model, block of genes and shift, and one per model and target (adata.uns['scpertbias'])"
    )
    _warn_shift(table)
    return adata if copy else None


def target_response_table(
    screen: Screen,
    predictions: Mapping[str, FloatArray],
    *,
    folds: Mapping[str, int] | None = None,
    direction: str = "either",
    max_shift: int = 5,
    n_perm: int = 1000,
    constant: Sequence[str] = (),
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Return the table of :func:`target_response`; each model is evaluated on all perturbations that it has not seen.

    Parameters
    ----------
    screen
        The screen.
    predictions
        By model: perturbations × genes in the order of ``screen.names``; NaN for perturbations that the model has seen.
    folds
        Fold of each perturbation, if models are cross-fitted.
    direction, max_shift, n_perm
        As in :func:`target_response`.
    constant
        Models that make constant predictions for unseen perturbations.
    rng
        Seed or generator.
    """
    seed = int(np.random.default_rng(rng).integers(2**32))
    m = screen.merged.moments
    frames = []
    for name in (OBSERVED, *predictions):
        held_out = common(screen, {} if name == OBSERVED else {name: predictions[name]}, folds, constant)
        if name in held_out.constant:
            frames.append(pd.DataFrame([{"model": name, "level": "scan", "block": "all", "note": CONSTANT}]))
            continue
        if name != OBSERVED and name not in held_out.predictions:
            continue
        rows, columns = _targets(screen, held_out.rows)
        delta = (m.mean[held_out.rows] if name == OBSERVED else held_out.predictions[name]) - m.control
        z = scaled(delta, z_errors(m, held_out.rows))
        z[undetectable(m, held_out.rows)] = np.nan
        at_targets = z[rows, columns], delta[rows, columns]
        del delta
        ranks = percentiles(
            np.abs(z, out=z) if direction == "either" else np.negative(z, out=z) if direction == "down" else z
        )
        del z
        # The same permutations for every model.
        response = scan(ranks, rows, columns, max_shift=max_shift, n_perm=n_perm, rng=np.random.default_rng(seed))
        frames.append(_scan_rows(name, response, screen))
        frames.append(_target_rows(name, screen, held_out.rows, rows, columns, (ranks[rows, columns], *at_targets)))
    dtypes = _tables.empty("target_response").dtypes
    table = pd.concat([frame.reindex(columns=dtypes.index).astype(dtypes) for frame in frames], ignore_index=True)
    text = [name for name, dtype in dtypes.items() if dtype == dtypes["model"]]
    table[text] = table[text].fillna("")
    return table.assign(direction=direction)


def _targets(screen: Screen, perturbations: IntArray) -> tuple[IntArray, IntArray]:
    """Return the row and the column of each target that is measured and expressed in control."""
    column = screen.column_of()
    expressed = screen.moments.control > 0
    pairs = [
        (row, column[gene])
        for row, p in enumerate(perturbations)
        for gene in screen.targets[p]
        if gene in column and expressed[column[gene]]
    ]
    positions = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return positions[:, 0], positions[:, 1]


def _scan_rows(name: str, response: Scan, screen: Screen) -> pd.DataFrame:
    n_scans, n_shifts = response.percentile.shape
    strongest = response.p[np.arange(n_scans), response.best]
    q = benjamini_hochberg(strongest)
    best = response.best[:, None] == np.arange(n_shifts)
    bounds = [(0, len(screen.genes) - 1), *block_bounds(len(screen.genes))]
    labels = ["all", *(str(i + 1) for i in range(N_BLOCKS))]
    return pd.DataFrame(
        {
            "model": name,
            "level": "scan",
            "block": np.repeat(labels, n_shifts),
            "first": np.repeat([str(screen.genes[a]) if a >= 0 else "" for a, _ in bounds], n_shifts),
            "last": np.repeat([str(screen.genes[b]) if b >= 0 else "" for _, b in bounds], n_shifts),
            "shift": np.tile(response.shifts, n_scans),
            "n_targets": response.n_targets.ravel(),
            "percentile": response.percentile.ravel(),
            "expected": response.expected.ravel(),
            "p": response.p.ravel(),
            "q": np.where(best, q[:, None], np.nan).ravel(),
            "proposed": (best & (q < PROPOSED)[:, None]).ravel(),
            "note": np.repeat(np.where(np.isnan(strongest), FEW, ""), n_shifts),
        }
    )


def _target_rows(
    name: str,
    screen: Screen,
    perturbations: IntArray,
    rows: IntArray,
    columns: IntArray,
    values: tuple[FloatArray, FloatArray, FloatArray],
) -> pd.DataFrame:
    percentile, z, delta = values
    return pd.DataFrame(
        {
            "model": name,
            "level": "perturbation",
            "perturbation": np.array(screen.names, dtype=object)[perturbations[rows]],
            "gene": screen.genes.to_numpy(object)[columns],
            "percentile": percentile,
            "z": z,
            "delta": delta,
        }
    )


def _warn_shift(table: pd.DataFrame) -> None:
    """Warn if the columns of the data are shifted against their names."""
    off = table[(table["model"] == OBSERVED) & table["proposed"].fillna(False).astype(bool) & (table["shift"] != 0)]
    if len(off):
        where = ", ".join(
            f"{'all genes' if block == 'all' else f'{first} to {last}'}: {shift:+d}"
            for block, first, last, shift in zip(off["block"], off["first"], off["last"], off["shift"], strict=True)
        )
        warn(
            f"The strongest changes are not in the columns of the perturbed genes, but in columns near them (shift by "
            f"{where}). Values and var_names seem to be misaligned. See spb.get.target_response."
        )
