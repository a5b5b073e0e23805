"""Reference for predictions, and scores of a perfect prediction.

The truth does not score perfectly, because the means that it is compared with come from finitely many cells, of the
perturbation and of the control. What a prediction shares with the control of the data depends on how it was given: see
:meth:`Truth.noise`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.moments import Moments
from scpertbias._core.noise import NoiseShape
from scpertbias._core.z_scores import z_scores

# Predictions may have been stored as float32: what differs by less than that rounding is the same.
ROUNDING = float(np.finfo(np.float32).eps)
N_TOP_EFFECTS = 20


def row_norm(values: FloatArray) -> FloatArray:
    """Euclidean norm of each row."""
    # √(x_i · x_i)
    norms: FloatArray = np.sqrt(np.einsum("ij,ij->i", values, values))
    return norms


def centered(values: FloatArray) -> FloatArray:
    """Rows less their means."""
    less_mean: FloatArray = values - values.mean(axis=1, keepdims=True)
    return less_mean


def correlation(
    first: FloatArray,
    second: FloatArray,
    reference: FloatArray | float = 0.0,
    *,
    shared: FloatArray | None = None,
    cosine: bool = False,
) -> FloatArray:
    """Pearson correlation over genes of `first - reference` with `second - reference`, row by row.

    A side that is constant over genes, up to the rounding of what was subtracted, gives 0. A side with NaN gives NaN.

    Parameters
    ----------
    first, second
        Rows x genes.
    reference
        Shared by both sides; anything that broadcasts to rows x genes.
    shared
        Part of the product of both sides that is left out (R); then the result is not cut to [−1, 1].
    cosine
        Whether sides are not centered over genes.

    Returns
    -------
    One correlation for each row.
    """
    sides, constant = [], np.zeros(first.shape[0], dtype=np.bool_)
    reference_rows = np.broadcast_to(np.asarray(reference, dtype=np.float64), first.shape)
    for side in (first, second):
        about = side - reference if cosine else centered(side - reference)
        norm = row_norm(about)
        # The rounding error of a difference has the size of its terms, not of the difference.
        constant |= norm <= ROUNDING * np.hypot(row_norm(side), row_norm(reference_rows))
        sides.append((about, norm))
    (left, left_norm), (right, right_norm) = sides
    norms = left_norm * right_norm
    known = ~np.isnan(norms)
    # x_i · y_i of the centered sides
    products = np.einsum("ij,ij->i", left, right) - (0.0 if shared is None else shared)
    result = np.where(known, 0.0, np.nan)
    np.divide(products, norms, out=result, where=known & ~constant & (norms > 0))
    return np.clip(result, -1.0, 1.0) if shared is None else result


@dataclass(frozen=True)
class Truth:
    """What predictions are scored against: R rows (perturbation and split) x G genes, in S batches.

    Parameters
    ----------
    observed
        Control mean plus the effect of each row (R x G).
    var
        Unbiased variance of cells within batches (R x G); the pooled one where a row has none of its own.
    n_cells
        Cells of each row (R).
    weights
        Share of each batch in the cells of a row (R x S).
    control
        Mean of the control cells (G).
    control_var
        Variance of the control cells within each batch (S x G).
    n_control
        Control cells of each batch (S).
    centroid
        The mean of the training perturbations as it applies to each row (R x G, or anything that broadcasts to it).
    centroid_weights
        Its mean shares of the batches (R x S).
    centroid_noise
        Sampling variance that it has of its perturbations' own cells, summed over genes (R).
    groups
        Code of the split or fold of each row (R): rows of one group are compared by `discrimination`.
    target_columns
        Genes that are the target of any row (G), which `discrimination` leaves out.
    z
        Observed effects over their standard errors (R x G); NaN where too few cells carry the gene.
    centered_share
        Share of the squared noise that is left when it is centered over genes.
    a2, centered_a2
        One over the effective number of genes of the noise, and of the noise centered over genes; NaN: not known.
    """

    observed: FloatArray
    var: FloatArray
    n_cells: FloatArray
    weights: FloatArray
    control: FloatArray
    control_var: FloatArray
    n_control: FloatArray
    centroid: FloatArray
    centroid_weights: FloatArray
    centroid_noise: FloatArray
    groups: IntArray
    target_columns: BoolArray
    z: FloatArray
    centered_share: float
    a2: float
    centered_a2: float

    @classmethod
    def of(
        cls,
        moments: Moments,
        rows: IntArray,
        genes: IntArray,
        shape: NoiseShape,
        *,
        with_z: bool = True,
        **references: Any,
    ) -> Truth:
        """Take it from some rows and genes of the moments; what it is compared with is given.

        Parameters
        ----------
        moments, rows, genes
            Where the observed means are.
        shape
            Noise of the screen.
        with_z
            Whether z are computed; else they are NaN.
        **references
            ``centroid``, ``centroid_weights``, ``centroid_noise``, ``groups``, ``target_columns``.
        """
        var = moments.var[np.ix_(rows, genes)]
        return cls(
            observed=moments.mean[np.ix_(rows, genes)],
            var=np.where(np.isfinite(var), var, moments.pooled_var[genes]),
            n_cells=moments.n[rows],
            weights=moments.weights[rows],
            control=moments.control[genes],
            control_var=np.nan_to_num(moments.control_var[:, genes]),
            n_control=moments.n_control,
            z=z_scores(moments, rows, genes) if with_z else np.broadcast_to(np.nan, var.shape),
            centered_share=shape.centered_share(genes),
            a2=shape.a2_of(genes, centered=False),
            centered_a2=shape.a2_of(genes, centered=True),
            **references,
        )

    def __post_init__(self) -> None:
        (rows, genes), batches = self.observed.shape, len(self.n_control)
        expected: dict[str, tuple[int, ...]] = dict.fromkeys(("n_cells", "groups", "centroid_noise"), (rows,))
        expected |= dict.fromkeys(("control", "target_columns"), (genes,))
        expected |= dict.fromkeys(("weights", "centroid_weights"), (rows, batches))
        expected |= dict.fromkeys(("var", "z"), (rows, genes)) | {"control_var": (batches, genes)}
        for name, shape in expected.items():
            actual = getattr(self, name).shape
            if actual != shape:
                msg = f"`{name}` has shape {actual}, but `observed` of shape {(rows, genes)} needs {shape}."
                raise ValueError(msg)
        if not (np.all(self.n_cells > 0) and np.any(self.n_control > 0)):
            msg = f"`n_cells` and `n_control` must be positive, found {self.n_cells.min()} and {self.n_control.sum()}."
            raise ValueError(msg)

    @property
    def of_means(self) -> FloatArray:
        """Control weights of predicted means (S): the shares of the batches in the control."""
        shares: FloatArray = self.n_control / self.n_control.sum()
        return shares

    @property
    def of_changes(self) -> FloatArray:
        """Control weights of predicted changes against control (S): none, as they are added to the control mean."""
        return np.zeros(len(self.n_control))

    @cached_property
    def control_noise(self) -> FloatArray:
        """Sampling variance of the control mean of each batch (S x G)."""
        noise: FloatArray = self.control_var / np.maximum(self.n_control, 1)[:, None]
        return noise

    @cached_property
    def own_noise(self) -> FloatArray:
        """Sampling variance of the mean of each row's own cells (R x G)."""
        return self.var / self.n_cells[:, None]

    def noise(self, predicted: FloatArray) -> FloatArray:
        """Sampling variance of the difference between the observed means and the truth as a prediction (R x G).

        Parameters
        ----------
        predicted
            Weights on the batches of the control that the truth has in the place of `predicted` (S, or R x S):
            :attr:`of_means` or :attr:`of_changes`. An observed effect shares the noise of the control of its own batches; a predicted
            mean has that of the batches of the control instead, a predicted change none.
        """
        noise: FloatArray = self.own_noise + (self.weights - predicted) ** 2 @ self.control_noise
        return noise

    @cached_property
    def centroid_l2(self) -> FloatArray:
        """L2 error of the mean baseline (R), NaN where it is 0 up to rounding."""
        error = row_norm(self.centroid - self.observed)
        return np.where(error > ROUNDING * row_norm(self.observed), error, np.nan)

    @cached_property
    def strongest(self) -> BoolArray:
        """The 20 genes of largest absolute z of the observed effect, ties by index (R x G); of those that have one."""
        size = np.where(np.isnan(self.z), -1.0, np.abs(self.z))
        marked = np.zeros(size.shape, dtype=np.bool_)
        np.put_along_axis(marked, np.argsort(-size, axis=1, kind="stable")[:, :N_TOP_EFFECTS], values=True, axis=1)
        return marked & (size >= 0)

    def over_strongest(self, values: FloatArray) -> FloatArray:
        """Mean of values (R x G) over the genes of strongest observed effect (R); NaN without any."""
        n = self.strongest.sum(axis=1)
        mean: FloatArray = np.where(self.strongest, values, 0.0).sum(axis=1) / np.where(n > 0, n, np.nan)
        return mean


def l2_ceiling(truth: Truth, predicted: FloatArray) -> FloatArray:
    """L2 error of the truth: the root of the summed sampling variance."""
    score: FloatArray = np.sqrt(np.maximum(truth.noise(predicted).sum(axis=1), 0.0))
    return score


def rmse_ceiling(truth: Truth, predicted: FloatArray) -> FloatArray:
    """Root mean squared error of the truth."""
    score: FloatArray = l2_ceiling(truth, predicted) / np.sqrt(truth.observed.shape[1])
    return score


def mae_ceiling(truth: Truth, predicted: FloatArray) -> FloatArray:
    """Mean absolute error of a perfect prediction with Gaussian noise (error of about 2%): mean of sqrt(2 noise / pi)."""
    score: FloatArray = np.sqrt(2.0 / np.pi * np.maximum(truth.noise(predicted), 0.0)).mean(axis=1)
    return score


def l2_ratio_ceiling(truth: Truth, predicted: FloatArray) -> FloatArray:
    """L2 error of the truth over that of the mean baseline."""
    return l2_ceiling(truth, predicted) / truth.centroid_l2


def mse_de20_ceiling(truth: Truth, predicted: FloatArray) -> FloatArray:
    """Mean sampling variance over the genes of strongest observed effect.

    Weak effects are among the strongest by their noise, so that a perfect prediction scores worse than this.
    """
    return truth.over_strongest(truth.noise(predicted))
