"""The bundled real screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ._files import read_bundled_h5ad

if TYPE_CHECKING:
    from anndata import AnnData

_OBS = ("perturbation", "guide", "guide_umi", "guide_fraction", "bio_rep", "n_umis", "n_genes", "p_mito")


def papalexi_2021() -> AnnData:
    """Load the bundled CRISPR-knockout screen of stimulated THP-1 cells :cite:p:`papalexi2021`.

    ECCITE-seq of 25 knockouts of regulators of PD-L1 expression, with several guides each, in three biological
    replicates. The file is part of the package; nothing is downloaded.

    Returns
    -------
    20,729 cells × 303 genes: 25 targets, and 2,386 cells with a `non-targeting` guide.

    - `X`: log-normalized values, `log1p(1e4 * counts / n_umis)`, float32 CSR. The 303 genes have about 3% of the
      molecules of a cell, so the size factor is the total over the whole transcriptome, not over the panel.
    - `layers["counts"]`: the raw UMI counts, float32 CSR.
    - `obs`: `perturbation` (the target gene), `guide`, `guide_umi`, `guide_fraction`, `bio_rep` (replicate),
      `n_umis`, `n_genes` and `p_mito` (in the whole transcriptome).

    Notes
    -----
    Use `bio_rep` as the batch: on average, the distance between the control means of two replicates is about three
    times the size of the median effect. The panel has five mitochondrial genes and no ribosomal-protein gene; use
    `p_mito` as the covariate instead of the mitochondrial share of the panel. Nine of the 25 targets are among the 303
    genes.

    The counts are those of GEO GSE153056 as released in the data packages of sceptre (MIT license; its text is
    bundled).

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> adata.shape
    (20729, 303)
    >>> int((adata.obs["perturbation"] == "non-targeting").sum())
    2386
    """
    adata = read_bundled_h5ad("papalexi2021.h5ad")
    counts = sparse.csr_matrix(adata.X, dtype=np.float32)
    values = counts.copy()
    scale = (1e4 / adata.obs["n_umis"].to_numpy(dtype=np.float64)).astype(np.float32)
    values.data *= np.repeat(scale, np.diff(counts.indptr))
    np.log1p(values.data, out=values.data)
    adata.X = values
    adata.layers["counts"] = counts
    adata.obs = adata.obs[list(_OBS)]
    # Whoever annotates the genes shall see the annotation appear, so the file's own flags are left out.
    adata.var = adata.var[[]]
    return adata
