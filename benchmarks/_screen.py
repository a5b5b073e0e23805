"""The screen that everything is measured on: simulated at the paper's size, or at a tenth of it."""

from __future__ import annotations

from functools import cache

from anndata import AnnData

import scpertbias as spb

N_CELLS, N_GENES, N_PERTURBATIONS = 118_461, 1187, 721  # and the control: 722 groups


@cache
def screen(*, small: bool = False) -> AnnData:
    """Log-normalized cells, float32 CSR; a tenth has as many cells for each perturbation, and every gene."""
    part = 10 if small else 1
    return spb.ds.simulate(N_CELLS // part, N_GENES, N_PERTURBATIONS // part, keep_counts=False)


def size_of(adata: AnnData) -> str:
    """Cells × genes × groups of cells."""
    return f"{adata.n_obs:,} × {adata.n_vars:,} × {adata.obs['perturbation'].nunique():,}"
