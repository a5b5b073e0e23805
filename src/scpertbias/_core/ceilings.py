"""What predictions are scored against, what the truth itself would score, and scores scaled by that ceiling.

The truth does not score perfectly, because the means that it is compared with come from finitely many cells. Errors
take the sampling variance of those means; correlations take the two halves of the cells of each perturbation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray

# Predictions may have been stored as float32: what differs by less than that rounding is the same.
ROUNDING = float(np.finfo(np.float32).eps)
N_TOP_EFFECTS = 20


def row_norm(values: FloatArray) -> FloatArray:
    """Euclidean norm of each row."""
    # √(x_i · x_i)
    norms: FloatArray = np.sqrt(np.einsum("ij,ij->i", values, values))
    return norms


def correlation(first: FloatArray, second: FloatArray, reference: FloatArray | float = 0.0) -> FloatArray:
    """Pearson correlation over genes of `first - reference` with `second - reference`, row by row.

    A side that is constant over genes, up to the rounding of what was subtracted, gives 0. A side with NaN gives NaN.

    Parameters
    ----------
    first, second
        Rows x genes.
    reference
        Shared by both sides; anything that broadcasts to rows x genes.

    Returns
    -------
    One correlation for each row.
    """
    sides, constant = [], np.zeros(first.shape[0], dtype=np.bool_)
    reference_rows = np.broadcast_to(np.asarray(reference, dtype=np.float64), first.shape)
    for side in (first, second):
        centered = side - reference
        centered -= centered.mean(axis=1, keepdims=True)
        norm = row_norm(centered)
        # The rounding error of a difference has the size of its terms, not of the difference.
        constant |= norm <= ROUNDING * np.hypot(row_norm(side), row_norm(reference_rows))
        sides.append((centered, norm))
    (left, left_norm), (right, right_norm) = sides
    norms = left_norm * right_norm
    known = ~np.isnan(norms)
    # x_i · y_i of the centered sides
    products = np.einsum("ij,ij->i", left, right)
    result = np.where(known, 0.0, np.nan)
    np.divide(products, norms, out=result, where=known & ~constant & (norms > 0))
    return np.clip(result, -1.0, 1.0)


@dataclass(frozen=True)
class Truth:
    """What predictions are scored against: R rows (perturbation and split) x G genes.

    Parameters
    ----------
    observed
        Mean of the cells of each row (R x G).
    half_1, half_2
        Means of the two halves of those cells (R x G), NaN where a row has fewer than two cells.
    var
        Unbiased cell variance (R x G); the pooled one where a row has none of its own.
    n_cells
        Cells of each row (R).
    control, control_var
        Mean and variance of the control cells (G).
    n_control
        Number of control cells.
    centroid
        The mean baseline as it applies to each row (R x G, or anything that broadcasts to it).
    groups
        Code of the split or fold of each row (R): rows of one group are told apart by `discrimination`.
    target_columns
        Genes that are the target of any row (G), which `discrimination` leaves out.
    pooled_var
        Pooled cell variance within groups (G).
    """

    observed: FloatArray
    half_1: FloatArray
    half_2: FloatArray
    var: FloatArray
    n_cells: FloatArray
    control: FloatArray
    control_var: FloatArray
    n_control: float
    centroid: FloatArray
    groups: IntArray
    target_columns: BoolArray
    pooled_var: FloatArray

    def __post_init__(self) -> None:
        rows, genes = self.observed.shape
        expected: dict[str, tuple[int, ...]] = dict.fromkeys(("half_1", "half_2", "var"), (rows, genes))
        expected |= dict.fromkeys(("n_cells", "groups"), (rows,))
        expected |= dict.fromkeys(("control", "control_var", "target_columns", "pooled_var"), (genes,))
        for name, shape in expected.items():
            actual = getattr(self, name).shape
            if actual != shape:
                msg = f"`{name}` has shape {actual}, but `observed` of shape {(rows, genes)} needs {shape}."
                raise ValueError(msg)
        if not (np.all(self.n_cells > 0) and self.n_control > 0):
            msg = f"`n_cells` and `n_control` must be positive, found {self.n_cells.min()} and {self.n_control}."
            raise ValueError(msg)

    @cached_property
    def noise(self) -> FloatArray:
        """Sampling variance of each observed mean (R x G)."""
        return self.var / self.n_cells[:, None]

    @cached_property
    def centroid_l2(self) -> FloatArray:
        """L2 error of the mean baseline (R), NaN where it is 0 up to rounding."""
        error = row_norm(self.centroid - self.observed)
        return np.where(error > ROUNDING * row_norm(self.observed), error, np.nan)

    @cached_property
    def top_effects(self) -> npt.NDArray[np.intp]:
        """The genes of largest absolute z of the observed effect, strongest first, ties by index (R x 20 or G)."""
        delta = np.abs(self.observed - self.control)
        spread = np.sqrt(self.pooled_var * (1.0 / self.n_cells[:, None] + 1.0 / self.n_control))
        # A gene without any variance within groups either does not differ at all, or differs for certain.
        z = np.where(delta > ROUNDING * np.abs(self.control), np.inf, 0.0)
        np.divide(delta, spread, out=z, where=spread > 0)
        return np.argsort(-z, axis=1, kind="stable")[:, :N_TOP_EFFECTS]


def l2_ceiling(truth: Truth) -> FloatArray:
    """L2 error of the truth: the root of the summed sampling variance of each observed mean."""
    score: FloatArray = np.sqrt(truth.noise.sum(axis=1))
    return score


def rmse_ceiling(truth: Truth) -> FloatArray:
    """Root mean squared error of the truth."""
    score: FloatArray = np.sqrt(truth.noise.mean(axis=1))
    return score


def mae_ceiling(truth: Truth) -> FloatArray:
    """Mean absolute error of the truth, taking each observed mean as Gaussian: the mean of sqrt(2 noise / pi)."""
    score: FloatArray = np.sqrt(2.0 / np.pi * truth.noise).mean(axis=1)
    return score


def l2_ratio_ceiling(truth: Truth) -> FloatArray:
    """L2 error of the truth over that of the mean baseline."""
    return l2_ceiling(truth) / truth.centroid_l2


def mse_de20_ceiling(truth: Truth) -> FloatArray:
    """Mean sampling variance over the genes of strongest observed effect.

    Weak effects are among the strongest by their noise, and then the truth itself scores worse than this.
    """
    score: FloatArray = np.take_along_axis(truth.noise, truth.top_effects, axis=1).mean(axis=1)
    return score


def replicate(half_1: FloatArray, half_2: FloatArray, reference: FloatArray) -> FloatArray:
    """Correlation that a repeat of the experiment would reach: 2r / (1 + r), with 0 where r is not positive.

    Parameters
    ----------
    half_1, half_2
        Means of the two halves of the cells, rows x genes; NaN where there are none.
    reference
        What the metric subtracts from both sides, the same for both halves.
    """
    r = np.maximum(correlation(half_1, half_2, reference), 0.0)
    return 2.0 * r / (1.0 + r)


def correlation_ceiling(half_1: FloatArray, half_2: FloatArray, reference: FloatArray) -> FloatArray:
    """Correlation of the truth with the observed means: the root of :func:`replicate`."""
    score: FloatArray = np.sqrt(replicate(half_1, half_2, reference))
    return score


def reproducibility(effect_1: FloatArray, effect_2: FloatArray) -> FloatArray:
    """Reproducibility of each effect, from half effects that have a control half each.

    It is 2r / (1 + r) with the sign kept, since unbiased averages need negative values too, and not below -1.

    Parameters
    ----------
    effect_1, effect_2
        Effects in the two halves, rows x genes.
    """
    # 2r / (1 + r) rises with r and is -1 at r = -1/3: nothing below that needs the pole at r = -1.
    r = np.maximum(correlation(effect_1, effect_2), -1.0 / 3.0)
    score: FloatArray = np.maximum(2.0 * r / (1.0 + r), -1.0)
    return score


@dataclass(frozen=True)
class Skill:
    """Terms of a scaled score: 0 is the baseline, 1 the ceiling. Both are NaN where any of the three scores is.

    Parameters
    ----------
    numerator
        What the model gains over the baseline, for each perturbation.
    denominator
        What the truth gains over the baseline, for each perturbation.
    """

    numerator: FloatArray
    denominator: FloatArray

    @property
    def per_perturbation(self) -> FloatArray:
        """Scaled score of each perturbation, NaN where its denominator is not positive."""
        result = np.full(self.numerator.shape, np.nan)
        np.divide(self.numerator, self.denominator, out=result, where=self.denominator > 0)
        return result

    @property
    def estimate(self) -> float:
        """Ratio of the sums; NaN where no room is left between baseline and ceiling."""
        total = float(np.nansum(self.denominator))
        return float(np.nansum(self.numerator)) / total if total > 0 else float("nan")


def skill(model: FloatArray, baseline: FloatArray, ceiling: FloatArray, *, error: bool) -> Skill:
    """Scale scores between those of a baseline and the ceiling.

    Parameters
    ----------
    model, baseline, ceiling
        Score of each perturbation.
    error
        Whether the scores are errors such as L2, whose squares are compared (noise adds to squared errors), or
        correlations, which are compared as they are.
    """
    finite = np.isfinite(model) & np.isfinite(baseline) & np.isfinite(ceiling)
    scores = [np.where(finite, score, np.nan) for score in (model, baseline, ceiling)]
    model_score, baseline_score, ceiling_score = (-(score**2) if error else score for score in scores)
    return Skill(numerator=model_score - baseline_score, denominator=ceiling_score - baseline_score)
