"""Detection of effects of each perturbation: whether anything changed, whether its own gene did, and one word for it.

Two tests share the question whether anything changed: the squared effect sees many weak changes, the strongest gene few
strong ones. The perturbation's own gene is left to a test of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import chi2

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.ceilings import correlation
from scpertbias._core.moments import Moments
from scpertbias._core.noise import (
    SURE,
    NoiseShape,
    counted_rows,
    noise_parts,
    noise_shape,
    response_known,
    squared_effects,
)
from scpertbias._core.resampling import benjamini_hochberg
from scpertbias._core.z_scores import z_scores

FDR = 0.05
N_TOP = 5

TOO_FEW_CELLS, NOT_DETECTED, TARGET_ONLY = "too few cells", "not detected", "target gene only"
IN_CONFOUNDER_SET, MOSTLY_SHARED = "targets a confounder gene", "mostly shared"
SPECIFIC, WEAK = "specific", "weak"


@dataclass(frozen=True)
class Detection:
    """Detection for the R rows of merged moments; what does not apply to a row is NaN (−1 for a gene).

    ``counted`` rows have cells in both halves and are used: only they have p and q. ``squared_effect`` is that without
    noise, ``noise`` its sampling variance; ``z_effect`` is that of the squared effect without the row's own targets.
    ``own_*`` are those of the measured target, of several the one that moved least: its column, effect, z, q over rows
    and percentile by ``|z|``. ``top`` (R, 5) are the genes of largest ``|z|``, ``rises`` whether they rise.
    """

    counted: BoolArray
    squared_effect: FloatArray
    noise: FloatArray
    z_effect: FloatArray
    p: FloatArray
    q: FloatArray
    own_gene: IntArray
    own_effect: FloatArray
    own_z: FloatArray
    own_q: FloatArray
    own_percentile: FloatArray
    top: IntArray
    rises: BoolArray
    response_known: bool

    @property
    def reproducibility(self) -> FloatArray:
        """Expected cosine of each effect with that of a repeat of the same size (R,), 0 to 1."""
        return reproducibility(self.squared_effect, self.noise)

    @property
    def detected(self) -> BoolArray:
        """Whether anything but the own gene changed (R,)."""
        return np.asarray(self.q <= FDR, dtype=np.bool_)


def reproducibility(squared_effect: FloatArray, noise: FloatArray) -> FloatArray:
    """Expected cosine of an effect with that of a repeat of the same size: E⁺ / (E⁺ + N)."""
    positive = np.maximum(squared_effect, 0.0)
    expected = np.full(len(noise), np.nan)
    np.divide(positive, positive + noise, out=expected, where=positive + noise > 0)
    return expected


def reproducibility_of_halves(first: FloatArray, second: FloatArray) -> FloatArray:
    """Correlation that a repeat would have, 2r / (1 + r) of that between two half effects (P, G); −1 at the least."""
    r = np.maximum(correlation(first, second), -1.0 / 3.0)  # nothing below needs the pole at r = −1
    repeat: FloatArray = np.maximum(2.0 * r / (1.0 + r), -1.0)
    return repeat


def detect(
    moments: Moments, used: BoolArray, targets: Sequence[IntArray], shape: NoiseShape | None = None
) -> Detection:
    """Test every row of merged moments.

    Parameters
    ----------
    moments
        One row per perturbation.
    used
        Which rows count (R,).
    targets
        Columns of the measured targets of each row.
    shape
        Noise of the rows that count, if it is known already.
    """
    counted = np.zeros(len(moments.n), dtype=np.bool_)
    counted[counted_rows(moments, used)] = True
    shape = noise_shape(moments, np.flatnonzero(counted)) if shape is None else shape
    has_noise = moments.n > 1
    has_noise[moments.reference] = False
    rows = np.flatnonzero(has_noise)
    z = z_scores(moments, rows)
    columns: dict[str, FloatArray] = {name: np.full(len(counted), np.nan) for name in _NUMBERS}
    columns["squared_effect"][rows] = squared_effects(moments, rows)
    columns["noise"][rows] = noise_parts(moments, rows).total
    columns["z_effect"][rows] = z_of_effects(moments, rows, shape, targets)
    own = np.full(len(counted), -1, dtype=np.int64)
    top = np.full((len(counted), min(N_TOP, z.shape[1])), -1, dtype=np.int64)
    rises = np.zeros(top.shape, dtype=np.bool_)
    own_p = np.full(len(counted), np.nan)
    p_effect = p_of_effects(columns["z_effect"], shape)
    for i, p in enumerate(rows.tolist()):
        top[p], rises[p] = _top(z[i], top.shape[1])
        gene = _own_gene(z[i], targets[p])
        if gene >= 0:
            own[p], columns["own_z"][p] = gene, z[i, gene]
            columns["own_effect"][p] = moments.mean[p, gene] - moments.control[gene]
            columns["own_percentile"][p] = _percentile(np.abs(z[i]), gene)
        if counted[p]:
            own_p[p] = 2 * ndtr(-abs(columns["own_z"][p]))
            columns["p"][p] = min(1.0, 2 * float(np.fmin(p_effect[p], p_of_strongest(z[i], targets[p]))))
    columns["q"], columns["own_q"] = benjamini_hochberg(columns["p"]), benjamini_hochberg(own_p)
    known = response_known(moments, np.flatnonzero(counted), shape)
    return Detection(counted=counted, own_gene=own, top=top, rises=rises, response_known=known, **columns)


_NUMBERS = ("squared_effect", "noise", "z_effect", "p", "q", "own_effect", "own_z", "own_q", "own_percentile")


# -- the strongest genes -------------------------------------------------------------------------------------------


def p_of_strongest(z: FloatArray, targets: IntArray) -> float:
    """Smallest Benjamini-Hochberg value over the genes of a row, its targets left out; 1 without any z."""
    others = z.copy()
    others[targets] = np.nan
    p = np.sort(2 * ndtr(-np.abs(others[~np.isnan(others)])))
    return float(np.min(p * len(p) / np.arange(1, len(p) + 1), initial=1.0))


def _top(z: FloatArray, k: int) -> tuple[IntArray, BoolArray]:
    """Genes of largest ``|z|``, those without a z left out (−1), and whether they rise."""
    size = np.where(np.isnan(z), -np.inf, np.abs(z))
    largest = np.flatnonzero(size >= np.partition(size, len(size) - k)[len(size) - k])
    order = largest[np.argsort(-size[largest], kind="stable")][:k]
    return np.where(np.isfinite(size[order]), order, -1), z[order] > 0


def _own_gene(z: FloatArray, targets: IntArray) -> int:
    """Return the target that moved least, of those with a z if any has one; −1 without a measured target."""
    if not len(targets):
        return -1
    return int(targets[np.argmin(np.where(np.isnan(z[targets]), np.inf, np.abs(z[targets])))])


def _percentile(size: FloatArray, gene: int) -> float:
    """Mid-rank of one of the values among those that are known, 0 to 1."""
    if np.isnan(size[gene]):
        return float("nan")
    below, equal = (size < size[gene]).sum(), (size == size[gene]).sum()
    return float((below + equal / 2) / (~np.isnan(size)).sum())


# -- the squared effect --------------------------------------------------------------------------------------------


def z_of_effects(moments: Moments, rows: IntArray, shape: NoiseShape, targets: Sequence[IntArray]) -> FloatArray:
    """Squared effect of each row, its targets left out, over its standard error without any effect (P,)."""
    parts = noise_parts(moments, rows)
    own, control = parts.own.copy(), np.tile(parts.control, (len(rows), 1))
    squares = ((moments.mean[rows] - moments.control) ** 2).sum(axis=1)
    cells = np.maximum(moments.n_control, 1)
    for i, p in enumerate(rows.tolist()):
        if len(genes := targets[p]):
            squares[i] -= float(((moments.mean[p, genes] - moments.control[genes]) ** 2).sum())
            own[i] -= float(moments.var[p, genes].sum()) / moments.n[p]
            control[i] -= np.nan_to_num(moments.control_var[:, genes]).sum(axis=1) / cells
    of_control = parts.weights**2 * control
    noise = own + of_control.sum(axis=1)
    # Variances are estimates, too: their errors add to the square of the noise.
    variance = noise**2 + own**2 / (parts.n - 1) + (of_control**2 / np.maximum(cells - 1, 1)).sum(axis=1)
    error = np.sqrt(2 * shape.a2_raised * variance)
    z = np.full(len(rows), np.nan)
    np.divide(squares - noise, error, out=z, where=error > 0)
    return z


def p_of_effects(z: FloatArray, shape: NoiseShape) -> FloatArray:
    """Upper tail of squared effects without any effect: chi-square with the skewness of the noise, scaled."""
    if not shape.a2_raised > 0:
        return np.full(len(z), np.nan)
    skewness = np.clip(8 * shape.a3_raised / (2 * shape.a2_raised) ** 1.5, 0.001, np.sqrt(8))
    k = 8 / skewness**2
    return np.asarray(chi2.sf(k + z * np.sqrt(2 * k), k), dtype=np.float64)


# -- one word ------------------------------------------------------------------------------------------------------


def categories(detection: Detection, in_confounder_set: BoolArray, shared: BoolArray) -> npt.NDArray[np.str_]:
    """Return the first word that holds of each row (R,).

    Parameters
    ----------
    detection
        From :func:`detect`.
    in_confounder_set
        Whether a row targets a confounder gene (R,).
    shared
        Whether more than half of its effect lies on the shared axis or on one technical set (R,).
    """
    own, strong = detection.own_q <= FDR, detection.z_effect >= SURE
    rules = [
        (TOO_FEW_CELLS, ~detection.counted),
        (NOT_DETECTED, ~detection.detected & ~own),
        (TARGET_ONLY, ~detection.detected),
        (IN_CONFOUNDER_SET, in_confounder_set),
        (MOSTLY_SHARED, strong & shared),
        (SPECIFIC, strong),
    ]
    return np.select([holds for _, holds in rules], [word for word, _ in rules], default=WEAK)
