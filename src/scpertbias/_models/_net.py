"""Gene networks: checks, and graphs over genes and perturbations."""

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


def graphs_of(screen: Screen, net: pd.DataFrame | None, *, quiet: bool) -> Graphs | None:
    """Return the graphs of a net; with ``quiet``, without messages about edges to genes that the regime leaves out."""
    if net is None:
        return None
    if quiet and {"source", "target"} <= set(net.columns):
        genes = {*screen.symbols.tolist(), *(gene for targets in screen.targets for gene in targets)}
        net = net[net["source"].astype(str).isin(genes) & net["target"].astype(str).isin(genes)]
    return Graphs(check_net(net, screen.symbols, screen.targets), screen.symbols, screen.targets)


@dataclass
class Graphs:
    """Laplacians of a net over genes and over perturbed genes, computed on demand."""

    net: pd.DataFrame
    symbols: npt.NDArray[np.str_]
    targets: tuple[tuple[str, ...], ...]
    _computed: dict[tuple[str, bool], Any] = field(default_factory=dict)

    def genes(self, *, normalized: bool) -> Spectrum:
        """Return the spectrum of the Laplacian over the measured genes."""
        key = ("genes", normalized)
        if key not in self._computed:
            self._computed[key] = spectrum(laplacian(self._adjacency(self.symbols), normalized=normalized))
        return self._computed[key]

    def perturbations(self, *, normalized: bool) -> csr_array:
        """Return the Laplacian over all perturbations; the control and combinations are isolated."""
        key = ("perturbations", normalized)
        if key not in self._computed:
            nodes = np.array([t[0] if len(t) == 1 else "" for t in self.targets])
            self._computed[key] = laplacian(self._adjacency(nodes), normalized=normalized)
        return self._computed[key]

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
    """Return the edges between known genes, with a weight; raise an error without edges."""
    if not isinstance(net, pd.DataFrame):
        msg = f"`net` is a {type(net).__name__}; pass a DataFrame with `source` and `target`."
        raise TypeError(msg)
    missing = {"source", "target"} - set(net.columns)
    if missing:
        msg = f"`net` lacks the columns {sorted(missing)}; its columns are {list(net.columns)}."
        raise ValueError(msg)
    genes = {*symbols.tolist(), *(gene for of_one in targets for gene in of_one)}
    source, target = net["source"].astype(str), net["target"].astype(str)
    keep = source.isin(genes) & target.isin(genes)
    if not keep.any() and len(net):
        msg = (
            f"`net`: none of its {len(net)} edges joins two measured or perturbed genes (edges: {source.iloc[0]!r}–{target.iloc[0]!r}, …; "
            f"genes: {symbols[:3].tolist()}, …)."
            + (
                " If `source` contains gene sets, convert them to a net with spb.pp.jaccard_net."
                if target.isin(genes).any()
                else ""
            )
        )
        raise ValueError(msg)
    if not keep.all():
        warn(
            f"`net`: {int((~keep).sum())} of {len(net)} edges were dropped, because their genes are neither measured nor perturbed."
        )
    weight = net["weight"].astype(float) if "weight" in net.columns else pd.Series(1.0, index=net.index)
    if not np.isfinite(weight[keep]).all():
        msg = "`net`: the column weight contains NaN or infinite values. Fill these weights, or drop the edges."
        raise ValueError(msg)
    return pd.DataFrame({"source": source[keep], "target": target[keep], "weight": weight[keep]}).reset_index(drop=True)
