"""Number of cells that are needed for reproducible effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _moments, _store, _tables, _validate
from .._core.arrays import FloatArray
from .._core.power import Power
from .._docs import docs
from .._labels import LabelMap
from .._log import added
from .._moments import Screen
from .._tables.power import ENOUGH, MORE_CELLS, MORE_CONTROLS, UNKNOWN
from ._compared import DEFAULTS, data_of_models

N_CELLS = (20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000)
TARGETS = (0.5, 0.8)


@docs.dedent
def power(
    adata: AnnData,
    *,
    n_cells: Sequence[int] = N_CELLS,
    targets: Sequence[float] = TARGETS,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Compute the expected reproducibility by number of cells, and the number of cells for a given reproducibility.

    The reproducibility of an effect is its expected cosine with the effect in a repeated experiment. It increases with
    the size of the effect, the number of perturbed cells and the number of control cells. The number of control cells
    is not changed. Some targets cannot be reached with any number of perturbed cells, because the noise of the control
    remains.

    Parameters
    ----------
    %(adata)s
    n_cells
        Numbers of cells per perturbation for which the reproducibility is computed.
    targets
        Reproducibilities (between 0 and 1) for which the number of cells is computed.
    %(cells)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    %(field_power)s
    %(field_cells_needed)s

    Raises
    ------
    ValueError
        If a number of cells is below 1, or a target is not between 0 and 1.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.power(profiles)
    >>> spb.get.cells_needed(profiles, perturbation="STAT2")[["target", "n_needed", "status"]]
       target  n_needed  status
    0     0.5       134  enough
    1     0.8       647  enough
    """
    _validate.cells_or_profiles(adata)
    _check(n_cells, targets)
    data = {name: value for name, value in locals().items() if name in DEFAULTS}
    records = _store.models(adata)
    screen = _moments.of(adata, **(data_of_models(records, data) if records else data))
    tables = {"power": power_table(screen, n_cells), "cells_needed": cells_needed_table(screen, targets)}
    adata = adata.copy() if copy else adata
    _store.put(adata, **tables)
    added(
        "'power', one row per perturbation and number of cells (adata.uns['scpertbias'])",
        "'cells_needed', one row per perturbation and required reproducibility (adata.uns['scpertbias'])",
    )
    return adata if copy else None


def _check(n_cells: Sequence[int], targets: Sequence[float]) -> None:
    if not len(n_cells) or min(n_cells) < 1:
        msg = f"`n_cells` is {tuple(n_cells)}; pass numbers of 1 or more."
        raise ValueError(msg)
    if not len(targets) or not all(0 < target < 1 for target in targets):
        msg = f"`targets` is {tuple(targets)}; pass numbers between 0 and 1."
        raise ValueError(msg)


def power_table(screen: Screen, n_cells: Sequence[int] = N_CELLS) -> pd.DataFrame:
    """Return the reproducibility by number of cells; all splits of a perturbation are combined."""
    labels, power = _power_of(screen)
    if not len(labels):
        return _tables.empty("power")
    frames = []
    for n in n_cells:
        estimate, low, high = (power.reproducibility(effect, n) for effect in power.effects())
        columns = {"n_cells": int(n), "reproducibility": estimate, "ci_low": low, "ci_high": high}
        frames.append(labels.assign(**columns))
    return _in_order(pd.concat(frames), len(n_cells))[_tables.columns("power")]


def cells_needed_table(screen: Screen, targets: Sequence[float] = TARGETS) -> pd.DataFrame:
    """Return the number of cells for each target; all splits of a perturbation are combined."""
    labels, power = _power_of(screen)
    if not len(labels):
        return _tables.empty("cells_needed")
    effect, low, high = power.effects()
    n_now = np.round(np.nan_to_num(power.n)).astype(np.int64)
    now = {"n_cells": n_now, "reproducibility": power.reproducibility(effect, power.n)}
    frames = []
    for target in targets:
        needed = power.cells_for(effect, target)
        rules = [
            (UNKNOWN, ~power.is_known),
            (MORE_CONTROLS, ~np.isfinite(needed)),
            (ENOUGH, np.ceil(needed) <= n_now),
        ]
        status = np.select([holds for _, holds in rules], [word for word, _ in rules], default=MORE_CELLS)
        hidden = np.isin(status, (UNKNOWN, MORE_CONTROLS))
        # The stronger the effect, the fewer cells
        bounds = {"n_needed": needed, "ci_low": power.cells_for(high, target), "ci_high": power.cells_for(low, target)}
        counts = {name: _whole(np.where(hidden, np.nan, values)) for name, values in bounds.items()}
        frames.append(labels.assign(**now, target=float(target), **counts, status=status))
    return _in_order(pd.concat(frames), len(targets))[_tables.columns("cells_needed")]


def _power_of(screen: Screen) -> tuple[pd.DataFrame, Power]:
    """Return the labels of rows (the screen, then its perturbations), and the data for their reproducibility."""
    rows = np.flatnonzero(screen.detection.counted)
    if not len(rows):
        return pd.DataFrame(), Power.of(screen.merged.moments, rows, screen.noise_shape)
    names = ["", *(screen.names[row] for row in rows)]
    level = ["screen", *["perturbation"] * len(rows)]
    return pd.DataFrame({"level": level, "perturbation": names}), Power.of(
        screen.merged.moments, rows, screen.noise_shape
    )


def _in_order(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return n concatenated frames, sorted so that the rows of each perturbation are together."""
    order = np.arange(len(table)).reshape(n, -1).T.ravel()
    return table.iloc[order].reset_index(drop=True)


def _whole(values: FloatArray) -> pd.arrays.IntegerArray:
    """Return numbers of cells, rounded up; missing if there is none."""
    return pd.array(np.where(np.isfinite(values), np.ceil(np.maximum(values, 1.0)), np.nan), dtype="Int64")
