"""The combinatorial screen of Norman et al."""

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
    """Load the screen of CRISPR activation of single genes and pairs in K562 cells :cite:p:`norman2019`.

    The file is the version in the data sets of pertpy (111,255 cells × 19,018 genes). It is downloaded once to
    ``scanpy.settings.datasetdir``. No checksum is published for verification, so the checksum of the download is only
    logged.

    Returns
    -------
    Cells × genes, with the values of the file. `obs` has `perturbation` (the target gene, `A+B` for a pair; control:
    `control`), `gem_group` (the batch), and all other columns of the file.

    Raises
    ------
    OSError
        If the file does not exist and cannot be downloaded; the message contains the path for a manual download.
    ValueError
        If the file has no column with the label `control`.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.norman_2019()  # doctest: +SKIP
    """
    adata = ad.read_h5ad(fetch(FILE))
    adata.obs = name_columns(adata.obs)
    return adata


def name_columns(obs: pd.DataFrame) -> pd.DataFrame:
    """Rename the columns to the names of this package."""
    key = next((name for name in LABELS if name in obs and CONTROL in set(obs[name])), None)
    if key is None:
        msg = f"{FILE.name} is not the published file: none of the columns {list(LABELS)} of obs contains the label {CONTROL!r}."
        raise ValueError(msg)
    obs = obs.rename(columns={"gemgroup": "gem_group"})
    obs["perturbation"] = pd.Categorical(obs[key].astype(str))
    if "gem_group" in obs:
        obs["gem_group"] = pd.Categorical(obs["gem_group"].astype(str))
    return obs
