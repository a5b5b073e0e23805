"""z-scores relative to the training cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from anndata import AnnData
from scipy import sparse

from .. import _genes, _moments, _store, _validate
from .._core.arrays import FloatArray
from .._core.moments import standardize as standardize_moments
from .._core.moments import total_mean_var
from .._docs import docs
from .._labels import LabelMap
from .._log import added
from .._moments.profiles import write_layer

CONSTANT = 1e-10
"""A standard deviation below this share of the mean is due to rounding."""


@docs.dedent
def standardize(
    adata: AnnData,
    *,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    key_added: str = "standardized",
    copy: bool = False,
) -> AnnData | None:
    """Compute z-scores with the mean and standard deviation of each gene in the training cells.

    Parameters
    ----------
    %(adata)s
    %(cells)s
    %(key_added)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers['standardized' | key_added]`` : :class:`numpy.ndarray` (dtype ``float32`` on cells)
        z-scores (no unit). A gene that does not vary in training cells is only centered. The halves, variances and
        control blocks of profiles are transformed, too. Scores on this layer are not comparable with scores on
        log-normalized values.

    Raises
    ------
    ValueError
        If values are on the wrong scale or no control is found.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.standardize(adata, batch_key="bio_rep")
    >>> bool(abs(adata.layers["standardized"].mean()) < 0.1)
    True
    """
    _validate.cells_or_profiles(adata)
    _store.check_key(adata, key_added)
    _genes.refuse_others(adata)
    screen = _moments.of(
        adata,
        groupby=groupby,
        reference=reference,
        combination_sep=combination_sep,
        label_map=label_map,
        batch_key=batch_key,
        min_cells=min_cells,
        layer=layer,
        split_key=split_key,
        gene_symbols=gene_symbols,
    )
    mean, sd = training_scale(screen)
    record = {"kind": "standardized"}
    if _store.profiles_record(adata) is not None:
        adata = adata.copy() if copy else adata
        write_layer(adata, key_added, standardize_moments(screen.moments, center=mean, scale=sd), record)
    else:
        _validate.memory(adata)
        values = dense(adata, layer)
        values -= mean.astype(np.float32)
        values /= sd.astype(np.float32)
        adata = adata.copy() if copy else adata
        _store.put_layer(adata, key_added, values, record)
    added(f"{key_added!r}, {adata.n_obs} × {adata.n_vars} (adata.layers)")
    return adata if copy else None


def training_scale(screen: _moments.Screen) -> tuple[FloatArray, FloatArray]:
    """Return mean and unbiased SD of each gene over the training cells including control; SD 1 if it does not vary."""
    train = (screen.split == "train") & screen.used
    mean, var = total_mean_var(screen.moments, train)
    n = screen.moments.n[train].sum()
    sd = np.sqrt(var * n / max(n - 1, 1))
    return mean, np.where(sd > CONSTANT * np.abs(mean), sd, 1.0)


def dense(adata: AnnData, layer: str | None) -> npt.NDArray[np.float32]:
    """Return a dense copy of the values, row by row."""
    x = _store.matrix(adata, layer)
    if sparse.issparse(x):
        return x.toarray(order="C").astype(np.float32, copy=False)
    return np.array(x, dtype=np.float32, order="C")
