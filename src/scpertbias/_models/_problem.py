"""What a closed-form model may see, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from .._core.graph import Spectrum, adjacency, laplacian, spectrum
from .._log import warn
from .._moments import Screen

FloatArray = npt.NDArray[np.float64]
CONSTANT = "same prediction for every unseen perturbation"


@dataclass
class Graphs:
    """Laplacians of a net over genes and over perturbed genes, made when asked for and kept."""

    net: pd.DataFrame
    symbols: npt.NDArray[np.str_]
    targets: tuple[tuple[str, ...], ...]
    _kept: dict[tuple[str, bool], Any] = field(default_factory=dict)

    def genes(self, *, normalized: bool) -> Spectrum:
        """Return the spectrum of the Laplacian over the measured genes."""
        key = ("genes", normalized)
        if key not in self._kept:
            self._kept[key] = spectrum(laplacian(self._adjacency(self.symbols), normalized=normalized))
        return self._kept[key]

    def perturbations(self, *, normalized: bool) -> csr_array:
        """Return the Laplacian over all perturbations; the control and combinations are isolated."""
        key = ("perturbations", normalized)
        if key not in self._kept:
            nodes = np.array([t[0] if len(t) == 1 else "" for t in self.targets])
            self._kept[key] = laplacian(self._adjacency(nodes), normalized=normalized)
        return self._kept[key]

    def _adjacency(self, nodes: npt.NDArray[np.str_]) -> csr_array:
        position = {name: i for i, name in reversed(list(enumerate(nodes.tolist()))) if name}
        source = self.net["source"].map(position)
        target = self.net["target"].map(position)
        known = source.notna() & target.notna()
        return adjacency(
            source[known].to_numpy(np.int64),
            target[known].to_numpy(np.int64),
            self.net["weight"][known].to_numpy(np.float64),
            len(nodes),
        )


def check_net(net: pd.DataFrame, symbols: npt.NDArray[np.str_], targets: tuple[tuple[str, ...], ...]) -> pd.DataFrame:
    """Return the edges between known genes, with a weight; none left is an error."""
    if not isinstance(net, pd.DataFrame):
        msg = f"`net` is a {type(net).__name__}; a DataFrame with `source` and `target` is needed."
        raise TypeError(msg)
    missing = {"source", "target"} - set(net.columns)
    if missing:
        msg = f"`net` lacks the columns {sorted(missing)}; it holds {list(net.columns)}."
        raise ValueError(msg)
    known = {*symbols.tolist(), *(gene for genes in targets for gene in genes)}
    source, target = net["source"].astype(str), net["target"].astype(str)
    keep = source.isin(known) & target.isin(known)
    if not keep.any() and len(net):
        msg = (
            f"`net`: none of its {len(net)} edges joins two known genes (edges: {source.iloc[0]!r}–{target.iloc[0]!r}, …; "
            f"genes: {symbols[:3].tolist()}, …)."
            + (
                " If `source` names sets of genes, spb.pp.jaccard_net makes a net of them."
                if target.isin(known).any()
                else ""
            )
        )
        raise ValueError(msg)
    if not keep.all():
        warn(f"`net`: {int((~keep).sum())} of {len(net)} edges leave the measured and perturbed genes and are dropped.")
    weight = net["weight"].astype(float) if "weight" in net.columns else pd.Series(1.0, index=net.index)
    if not np.isfinite(weight[keep]).all():
        msg = "`net`: its weights hold NaN or infinite values; fill or drop those edges."
        raise ValueError(msg)
    return pd.DataFrame({"source": source[keep], "target": target[keep], "weight": weight[keep]}).reset_index(drop=True)


@dataclass(frozen=True)
class Problem:
    """Training means of P perturbations; one that is not trained has ``n`` 0 (and a row of NaN).

    Row 0 is the control. ``val_means`` and ``val_n`` are the validation rows, for models that choose a parameter.
    """

    means: FloatArray
    n: FloatArray
    val_means: FloatArray
    val_n: FloatArray
    control: FloatArray
    names: tuple[str, ...]
    targets: tuple[tuple[str, ...], ...]
    symbols: npt.NDArray[np.str_]
    graphs: Graphs | None = None

    @property
    def trained(self) -> npt.NDArray[np.bool_]:
        """Which perturbations have training cells."""
        return self.n > 0

    @property
    def perturbed(self) -> npt.NDArray[np.bool_]:
        """Which perturbations other than the control have training cells."""
        return self.trained & (np.arange(len(self.n)) > 0)

    def target_columns(self) -> npt.NDArray[np.int64]:
        """Return the column of each perturbation's only target, −1 where it is not measured or there are several."""
        column = {symbol: i for i, symbol in reversed(list(enumerate(self.symbols.tolist())))}
        return np.array([column.get(t[0], -1) if len(t) == 1 else -1 for t in self.targets], dtype=np.int64)


@dataclass(frozen=True)
class Solution:
    """Predictions for all P perturbations (NaN: cannot predict), coefficients (NaN: no parameters), and a note."""

    predictions: FloatArray
    coef: FloatArray | None = None
    note: str = ""
    chosen: dict[str, Any] = field(default_factory=dict)


def problem(
    screen: Screen,
    train: npt.NDArray[np.bool_],
    *,
    val: npt.NDArray[np.bool_] | None = None,
    graphs: Graphs | None = None,
) -> Problem:
    """Make the problem of a screen: rows that are trained on, and rows that a parameter may be chosen by."""
    means, n = _part(screen, train & screen.used)
    nothing = np.zeros(len(train), dtype=bool)
    val_means, val_n = _part(screen, nothing if val is None else val & screen.used & ~train)
    if not (n[1:] > 0).any():
        msg = "No perturbation has training cells; see spb.pp.split and min_cells."
        raise ValueError(msg)
    return Problem(
        means=means,
        n=n,
        val_means=val_means,
        val_n=val_n,
        control=screen.moments.control,
        names=screen.names,
        targets=screen.targets,
        symbols=screen.symbols,
        graphs=graphs,
    )


def _part(screen: Screen, rows: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Return means and cells by perturbation over some rows; NaN and 0 where there are none."""
    m = screen.moments
    chosen = np.flatnonzero(rows & (m.n > 0))
    to, shape = screen.perturbation[chosen], (len(screen.names), len(rows))
    cells = csr_array((m.n[chosen], (to, chosen)), shape=shape)
    n = np.asarray(cells.sum(axis=1), dtype=np.float64)
    total = np.asarray(cells @ m.mean, dtype=np.float64)
    total[n == 0] = np.nan
    return total / np.where(n > 0, n, 1.0)[:, None], n
