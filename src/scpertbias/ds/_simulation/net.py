"""A perturbation graph for a simulated screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .assemble import TRUTH

if TYPE_CHECKING:
    from anndata import AnnData


def simulate_net(
    adata: AnnData, *, degree: int = 10, noise: float = 0.3, rng: int | np.random.Generator | None = 0
) -> pd.DataFrame:
    """Simulate a graph that connects targets of the same module, with some wrong edges.

    Parameters
    ----------
    adata
        Made by :func:`~scpertbias.ds.simulate`.
    degree
        Average number of edges per target, if its module has enough members.
    noise
        Proportion of wrong edges, which connect targets of different modules.
    rng
        Seed or generator.

    Returns
    -------
    A net with one row per edge: `source` and `target` (names of targets) and `weight` (0.5–1 within modules, 0–0.5 for
    wrong edges). Each pair of targets occurs at most once.

    Raises
    ------
    KeyError
        If the screen was not made by :func:`scpertbias.ds.simulate`.
    ValueError
        If ``degree`` is below 1, or ``noise`` is not between 0 and 1.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.simulate(1_000, 200, 20)
    >>> net = spb.ds.simulate_net(adata)
    >>> net.columns.tolist()
    ['source', 'target', 'weight']
    """
    if TRUTH not in adata.uns:
        msg = f"adata.uns has no {TRUTH!r}: pass a screen made by spb.ds.simulate."
        raise KeyError(msg)
    if degree < 1:
        msg = f"degree must be at least 1, found {degree!r}."
        raise ValueError(msg)
    if not 0 <= noise <= 1:
        msg = f"noise is {noise!r}; it must be a share of the edges, between 0 and 1."
        raise ValueError(msg)
    truth = adata.uns[TRUTH]
    names, module = np.asarray(truth["perturbations"], dtype=object), np.asarray(truth["module"])
    generator = np.random.default_rng(rng)
    first, second = np.triu_indices(len(names), k=1)
    same = module[first] == module[second]
    n_edges = round(degree * len(names) / 2)
    n_noise = round(noise * n_edges)
    true_edges = _pick(np.flatnonzero(same), n_edges - n_noise, generator)
    false_edges = _pick(np.flatnonzero(~same), n_noise, generator)
    edges = np.concatenate([true_edges, false_edges])
    weight = np.concatenate(
        [generator.uniform(0.5, 1.0, len(true_edges)), generator.uniform(0.0, 0.5, len(false_edges))]
    )
    net = pd.DataFrame({"source": names[first[edges]], "target": names[second[edges]], "weight": weight})
    return net.sort_values(["source", "target"], ignore_index=True)


def _pick(candidates: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(candidates, min(size, len(candidates)), replace=False)
