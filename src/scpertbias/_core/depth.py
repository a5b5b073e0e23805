"""How every gene follows a cell's depth, in control cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from .blocks import FloatArray, IntArray, leaf_moments


def depth_slopes(
    x: Any,
    half: IntArray,
    *,
    stratum: IntArray,
    size: FloatArray,
    scale: FloatArray | None = None,
) -> FloatArray | None:
    """Regress every gene on log depth within each half of the control, and within strata.

    Parameters
    ----------
    x
        Cells × genes.
    half
        0 or 1 for control cells, −1 for all others, which are not read.
    stratum
        The stratum of each cell.
    size
        The depth of each cell; cells where it is not positive take no part.
    scale
        Factor of each cell before ``log1p``, or None.

    Returns
    -------
    Slopes (2, G), or None where depth does not vary in a half.
    """
    half = np.where(size > 0, half, -1)
    log_size = np.log(np.where(size > 0, size, 1.0))
    deviation = np.zeros(len(half))
    for a in (0, 1):
        for s in np.unique(stratum[half == a]):
            cells = (half == a) & (stratum == s)
            deviation[cells] = log_size[cells] - log_size[cells].mean()
    spread = np.array([deviation[half == a] @ deviation[half == a] for a in (0, 1)])
    n = np.bincount(half[half >= 0], minlength=2)
    if (spread <= 1e-12 * np.maximum(n, 1)).any():
        return None
    cross = leaf_moments(x, half, 2, scale=scale, deviations=deviation[:, None]).cross[:, 0]
    slopes: FloatArray = cross / spread[:, None]
    return slopes
