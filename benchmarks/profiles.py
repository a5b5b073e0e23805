"""`pp.profiles` (means, halves, variances, control blocks) beside the means of `sc.get.aggregate`.

``python -m benchmarks.profiles counts`` compares it from raw counts, with batches, beside what scanpy does for means and
variances, at the size of the paper and at 60,000 × 4,000.
"""

from __future__ import annotations

import numpy as np
import scanpy as sc
from anndata import AnnData

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, comparison, interleave
from ._screen import N_CELLS, N_GENES, N_PERTURBATIONS, size_of

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


def run_counts(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    """Means and variances from raw counts; ours with halves, control blocks and batches too."""
    times = interleave(lambda: ours_of_counts(adata), lambda: peer_of_counts(adata), pairs=pairs)
    gap = float(np.abs(_of_same_rows(ours_of_counts(adata), peer_of_counts(adata))).max())
    return [comparison("profiles, from counts", size_of(adata), times, at_least=3, difference=gap, tolerance=TOLERANCE)]


def ours_of_counts(adata: AnnData) -> AnnData:
    return spb.pp.profiles(adata, normalize=True, batch_key="batch")


def peer_of_counts(adata: AnnData) -> AnnData:
    cells = adata.copy()
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells)
    return sc.get.aggregate(cells, by="perturbation", func=["mean", "var"])


def _of_same_rows(mine: AnnData, theirs: AnnData) -> np.ndarray:
    """Differences of the control means: those of other rows are about the control of their batches."""
    control = str(mine.obs_names[mine.obs["is_reference"]][0])
    return mine[control].X - theirs[control].layers["mean"]


def counts_of(n_cells: int, n_genes: int, n_perturbations: int) -> AnnData:
    """Simulate raw counts in three batches."""
    cells = spb.ds.simulate(n_cells, n_genes, n_perturbations, rng=0)
    batch = np.random.default_rng(0).integers(3, size=n_cells).astype(str)
    obs = cells.obs.assign(batch=batch)
    return AnnData(cells.layers["counts"].astype(np.float32), obs=obs, var=cells.var)


if __name__ == "__main__":
    import sys

    from ._table import main, table

    if sys.argv[1:] == ["counts"]:
        sizes = ((N_CELLS, N_GENES, N_PERTURBATIONS), (60_000, 4_000, 300))
        print(table([row for size in sizes for row in run_counts(counts_of(*size))]))
    else:
        main([run])
