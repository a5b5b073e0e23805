"""The combinatorial screen of Norman et al., downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import pandas as pd

from ._download import Remote, fetch

if TYPE_CHECKING:
    from anndata import AnnData

FILE = Remote(
    name="norman_2019.h5ad",
    url="https://exampledata.scverse.org/pertpy/norman_2019.h5ad",
    size=None,
    checksum=None,
)
LABELS = ("perturbation_name", "perturbation")
CONTROL = "control"


def norman_2019() -> AnnData:
    """CRISPR activation of single genes and pairs in K562 cells :cite:p:`norman2019`.

    The file is the one of pertpy's data sets (111,255 cells × 19,018 genes). It is downloaded to
    ``scanpy.settings.datasetdir`` when first asked for; no checksum of it is published, so the one found is logged.

    Returns
    -------
    Cells × genes, values as they are in the file. `obs` has `perturbation` (the target gene, `A+B` for a pair; control:
    `control`), `gem_group` (the batch), and what else the file gives.

    Raises
    ------
    OSError
        If the file is not there and cannot be downloaded; the message says where to put it.
    ValueError
        If the file holds no such labels.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.norman_2019()  # doctest: +SKIP
    """
    adata = ad.read_h5ad(fetch(FILE))
    adata.obs = name_columns(adata.obs)
    return adata


def name_columns(obs: pd.DataFrame) -> pd.DataFrame:
    """Name the columns as this package does."""
    key = next((name for name in LABELS if name in obs and CONTROL in set(obs[name])), None)
    if key is None:
        msg = f"{FILE.name} holds none of obs{list(LABELS)} with {CONTROL!r}; it is not the file that was published."
        raise ValueError(msg)
    obs = obs.rename(columns={"gemgroup": "gem_group"})
    obs["perturbation"] = pd.Categorical(obs[key].astype(str))
    if "gem_group" in obs:
        obs["gem_group"] = pd.Categorical(obs["gem_group"].astype(str))
    return obs
