"""The essential-gene screen of Replogle et al. in K562 cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from .._core.arrays import BoolArray, IntArray
from .._core.chunks import chunks
from ._download import Remote, fetch
from ._files import read_table

if TYPE_CHECKING:
    from anndata import AnnData

FILE = Remote(
    name="K562_essential_raw_singlecell_01.h5ad",
    url="https://ndownloader.figshare.com/files/35773219",
    size=10_661_879_995,
    checksum="md5:4f1122ce1c7f13299a68df6459a266d3",
)
CONTROL = "non-targeting"
COLUMNS = {"gene": "perturbation", "sgID_AB": "guide", "gem_group": "gem_group", "UMI_count": "total_counts"}
READ_BYTES = 5e8


def replogle_2022_k562_essential(*, filtered: bool = False) -> AnnData:
    """Load the CRISPR-interference screen of essential genes in K562 cells :cite:p:`replogle2022`.

    The file of the authors (10.7 GB, CC BY 4.0) is downloaded once to ``scanpy.settings.datasetdir``, and its checksum
    is verified. An interrupted download is continued.

    Parameters
    ----------
    filtered
        Whether to keep only the control cells, and the 681 targets and 1,186 genes of Lopez et al. :cite:p:`lopez2023`.
        Kavirayuni & Venturelli used this selection. It is read into memory. The lists are bundled (Apache-2.0).

    Returns
    -------
    Raw counts of 310,385 cells × 8,563 genes, which stay in the file (backed mode). With ``filtered``, the counts are a
    float32 CSR matrix in memory. Pass ``normalize=True`` and ``batch_key="gem_group"`` to
    :func:`scpertbias.pp.profiles` or :func:`scpertbias.tl.audit`.

    - `obs`: `perturbation` (the target gene; control: `non-targeting`), `guide`, `gem_group` (the batch), `total_counts`,
      `pct_counts_mt`, and all other columns of the file.
    - `var`: `gene_name`; the names are Ensembl ids.

    Raises
    ------
    OSError
        If the file does not exist and cannot be downloaded; the message contains the path for a manual download.
    ValueError
        If the checksum of the download differs from the published one.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.replogle_2022_k562_essential(filtered=True)  # doctest: +SKIP
    """
    adata = ad.read_h5ad(fetch(FILE), backed="r")
    obs = name_columns(adata.obs)
    if not filtered:
        adata.obs = obs
        return adata
    keep, genes = lopez(obs["perturbation"], adata.var["gene_name"])
    parts = [
        sparse.csr_matrix(chunk.x[np.ix_(np.flatnonzero(keep[chunk.rows]), genes)].astype(np.float32))
        for chunk in chunks(adata.X, n_bytes=READ_BYTES)
    ]
    obs, var = obs[keep].copy(), adata.var.iloc[genes].copy()
    adata.file.close()
    obs["perturbation"] = obs["perturbation"].cat.remove_unused_categories()
    return ad.AnnData(sparse.vstack(parts, format="csr"), obs=obs, var=var)


def name_columns(obs: pd.DataFrame) -> pd.DataFrame:
    """Rename the columns of the authors to the names of this package; their mitochondrial share is a fraction."""
    if "gene" not in obs or CONTROL not in set(obs["gene"]):
        msg = f"{FILE.name} is not the published file: no column obs['gene'] contains the label {CONTROL!r}."
        raise ValueError(msg)
    obs = obs.rename(columns=COLUMNS)
    obs["perturbation"] = pd.Categorical(obs["perturbation"].astype(str))
    obs["gem_group"] = pd.Categorical(obs["gem_group"].astype(str))
    if "mitopercent" in obs:
        obs["pct_counts_mt"] = 100 * obs.pop("mitopercent").astype(float)
    return obs


def lopez(labels: pd.Series, symbols: pd.Series) -> tuple[BoolArray, IntArray]:
    """Return the cells of the selected targets and the control, and the positions of the selected genes."""
    targets, panel = read_table("replogle_targets.csv"), read_table("k562_genes.csv.gz")
    panel_genes = set(panel.loc[panel["panel"] == 1, "gene"])
    genes = symbols.isin(panel_genes).to_numpy() & ~symbols.duplicated().to_numpy()
    return labels.isin({*targets["target"], CONTROL}).to_numpy(), np.flatnonzero(genes)
