"""The bilinear model G W Pᵀ of Ahlmann-Eltze et al."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scpertbias._core.arrays import BoolArray, FloatArray, IntArray
from scpertbias._core.linear import ALL, Rows, in_parts
from scpertbias._core.low_rank import low_rank
from scpertbias._core.smoothing import solve_positive


@dataclass(frozen=True)
class Bilinear:
    """Fitted bilinear model; rows without a perturbation embedding are NaN in both."""

    predictions: FloatArray
    """Predicted expression (P, G)."""

    coef: FloatArray
    """Part of each prediction that is specific to its perturbation, G W P_p (P, G)."""


def bilinear(
    means: FloatArray,
    trained: BoolArray,
    reference: int,
    target_column: IntArray,
    *,
    n_components: int = 10,
    alpha: float = 0.1,
    gene_embedding: FloatArray | None = None,
    perturbation_embedding: FloatArray | None = None,
    rows: Rows = ALL,
    products: FloatArray | None = None,
) -> Bilinear:
    """Change against control = G W Pᵀ + b, with the two-sided ridge of the R original.

    W = (GᵀG + alpha I)⁻¹ Gᵀ (Y − b) Pᵀ (PPᵀ + alpha I)⁻¹, which minimizes
    ‖Y − b − GWP‖² + alpha ‖WP‖² + alpha ‖GW‖² + alpha² ‖W‖².

    Parameters
    ----------
    means
        Mean of each level (P, G); ignored where not `trained`.
    trained
        Which levels are for training (P,); the control must be.
    reference
        Row of the control.
    target_column
        Column of each level's target gene (P,), −1 where it is not measured. That of the control is ignored.
    n_components
        Number of principal components of the training means that embed genes, and by their target perturbations.
    alpha
        Ridge penalty on both sides.
    gene_embedding
        Replaces the components as G (G, K). A gene with NaN takes no part in W, and its prediction is the mean change.
    perturbation_embedding
        Replaces the components at the target genes as P (P, K2). A level with NaN has no embedding.
        The control without an embedding is the zero vector, as always with the components.
    rows
        Levels to predict.
    products
        Products of the trained levels, each about its mean over genes, if they are known already.

    Returns
    -------
    Predictions and coefficients.
    """
    trained = np.asarray(trained, dtype=np.bool_)
    if not trained[reference]:
        msg = f"`trained` leaves out the control (row {reference}), but changes are computed from its mean"
        raise ValueError(msg)
    if not alpha >= 0:
        msg = f"`alpha` is {alpha}; it must be 0 or more"
        raise ValueError(msg)
    if gene_embedding is None or perturbation_embedding is None:
        components = _gene_components(means[trained], n_components, products)
    if gene_embedding is None:
        genes = components
    else:
        genes = np.where(np.isnan(gene_embedding).any(axis=1, keepdims=True), 0.0, gene_embedding)
    if perturbation_embedding is None:
        measured = np.asarray(target_column) >= 0
        levels = np.where(measured[:, None], components[np.where(measured, target_column, 0)], np.nan)
        levels[reference] = 0.0
    else:
        levels = np.array(perturbation_embedding, dtype=np.float64)
        if np.isnan(levels[reference]).any():
            levels[reference] = 0.0

    embedded = ~np.isnan(levels).any(axis=1)
    matched = trained & embedded
    if matched.sum() < 2:
        msg = (
            "No training perturbation has an embedding. By default, only perturbations of measured genes have one. Pass "
            "perturbation_embedding= with the perturbed genes"
        )
        raise ValueError(msg)
    control, parts = means[reference], list(in_parts(np.flatnonzero(matched)))
    mean_change = np.sum([(means[some] - control).sum(axis=0) for some in parts], axis=0) / matched.sum()
    # (Y − b)ᵀ G of each matched level (C, K)
    change = np.concatenate([(means[some] - control - mean_change) @ genes for some in parts])
    core = _two_sided_ridge(genes, change, levels[matched], alpha)
    # P Wᵀ Gᵀ: change of each level beyond the mean change (R, G); NaN without an embedding
    coef = levels[rows] @ core.T @ genes.T
    return Bilinear(predictions=coef + mean_change + control, coef=coef)


def _gene_components(means: FloatArray, n_components: int, products: FloatArray | None) -> FloatArray:
    """Scores of the genes (G, K): genes are observations, each condition is centered over genes, none is scaled."""
    largest = min(means.shape[0], means.shape[1] - 1)
    if not 1 <= n_components <= largest:
        msg = (
            f"n_components={n_components} is not possible with {means.shape[0]} training groups and "
            f"{means.shape[1]} genes; it must be from 1 to {largest}"
        )
        raise ValueError(msg)
    scores, loadings = low_rank(means - means.mean(axis=1, keepdims=True), n_components, products)
    size: FloatArray = np.linalg.norm(scores, axis=0)
    return loadings * size


def _two_sided_ridge(genes: FloatArray, change: FloatArray, levels: FloatArray, alpha: float) -> FloatArray:
    """W (K, K2) from G (G, K), the centered change on it (C, K) and P (C, K2)."""
    # (GᵀG + αI)⁻¹ Gᵀ Yᵀ P (K, K2)
    over_genes = solve_positive(_penalized_gram(genes, alpha), change.T @ levels)
    # W = (…) (PᵀP + αI)⁻¹, solved from the right (K, K2)
    core: FloatArray = solve_positive(_penalized_gram(levels, alpha), over_genes.T).T
    return core


def _penalized_gram(embedding: FloatArray, alpha: float) -> FloatArray:
    # EᵀE + αI (K, K)
    gram: FloatArray = embedding.T @ embedding
    gram[np.diag_indices_from(gram)] += alpha
    return gram
