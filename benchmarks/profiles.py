"""`pp.profiles` (means, halves, variances, control blocks) beside the means of `sc.get.aggregate`."""

from __future__ import annotations

import numpy as np
import scanpy as sc
from anndata import AnnData

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, comparison, interleave
from ._screen import size_of

AT_LEAST, TOLERANCE = 2.0, 1e-5


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    times = interleave(lambda: ours(adata), lambda: peer(adata), pairs=pairs)
    gap = difference(ours(adata), peer(adata))
    return [comparison("profiles", size_of(adata), times, at_least=AT_LEAST, difference=gap, tolerance=TOLERANCE)]


def ours(adata: AnnData) -> AnnData:
    return spb.pp.profiles(adata)


def peer(adata: AnnData) -> AnnData:
    return sc.get.aggregate(adata, by="perturbation", func="mean")


def difference(profiles: AnnData, aggregated: AnnData) -> float:
    """Largest difference between the means, group by group."""
    order = profiles.obs_names.get_indexer(aggregated.obs["perturbation"].astype(str))
    return float(np.abs(np.asarray(profiles.X)[order] - aggregated.layers["mean"]).max())


if __name__ == "__main__":
    from ._table import main

    main([run])
