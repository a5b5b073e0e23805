"""Specificity of predictions beyond the shared response."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _store, _tables
from .._core.arrays import FloatArray
from .._core.resampling import benjamini_hochberg
from .._docs import docs
from .._log import added
from .._moments import Screen
from ._compared import common, read_inputs
from ._lazy import known_rows
from ._specificity_scores import OBSERVED, SpecificityScorer, make_scorer


@docs.dedent
def specificity(
    adata: AnnData,
    models: str | Sequence[str] | None = None,
    *,
    n_top_genes: int = 1000,
    n_perm: int = 1000,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> AnnData | None:
    """Score the part of predictions that is specific to each perturbation.

    ``specific_skill`` is the skill score after the shared axes are removed from all effects. It is 0 for a model that
    predicts only shared axes, and 1 for a perfect prediction. It is negative if predictions of the shared axes alone
    have a smaller error. ``category`` summarizes ``specific_skill``. In the rows of other scores, ``specific_gain``
    compares two scores: of predictions on their own perturbation, and of the same predictions on other perturbations.
    Positive values mean that predictions are better on their own perturbation. ``axis_only`` is the score of a
    prediction that contains only the shared axis; compare it with ``score_half``, the score of the model on one half of
    the cells. Each model is evaluated on the held-out perturbations that it predicts.

    Settings are read from the stored models.

    Parameters
    ----------
    %(adata)s
    %(models)s
    n_top_genes
        Number of genes to score, ranked by mean expression in control.
    n_perm
        Number of permutations of predictions among perturbations, from which ``p`` is computed.
    %(rng)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_specificity)s

    Raises
    ------
    KeyError
        If a model is not stored.
    ValueError
        If no perturbation is held out, or models were fitted on different data.

    Notes
    -----
    The shared axes are the mean effect of the training perturbations, and the direction in which the predictions differ
    most. Both are removed from predicted and observed effects, so that predicting the position along these axes gives
    no skill. For a model that is not cross-fitted, the training perturbations are those outside the argument ``test``
    of :func:`scpertbias.tl.add_predictions`, or those in the training split.

    Predictions are exchanged within a fold. Predictions of a model that is not cross-fitted are exchanged among all
    perturbations. If any fold has fewer than five perturbations, predictions are exchanged between folds, and the
    training mean of one fold is replaced by that of the other. If the predictions of a model differ only because these
    training means differ, the model counts as constant, and its gain is 0.

    References
    ----------
    Viñas Torné et al., Nature Biotechnology 2025 (scores beyond the systematic variation).

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.specificity(profiles)
    >>> spb.get.specificity(profiles, metric="specific_skill")[["model", "score", "category"]].values.tolist()
    [['mean', 0.0, 'not specific']]
    """
    inputs = read_inputs(adata, models, need_models=True)
    table = specificity_table(
        inputs.screen,
        inputs.predictions,
        folds=inputs.folds,
        constant=inputs.constant,
        one_split=inputs.one_split,
        n_top_genes=n_top_genes,
        n_perm=n_perm,
        rng=rng,
    )
    adata = adata.copy() if copy else adata
    _store.put(adata, specificity=table)
    added("'specificity', one row per model and metric (adata.uns['scpertbias'])")
    return adata if copy else None


def specificity_table(
    screen: Screen,
    predictions: Mapping[str, FloatArray],
    *,
    folds: Mapping[str, int] | None = None,
    constant: Sequence[str] = (),
    one_split: Mapping[str, Collection[str] | None] | None = None,
    n_top_genes: int = 1000,
    n_perm: int = 1000,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Return the table of :func:`specificity`.

    Parameters
    ----------
    screen
        The screen.
    predictions
        By model: perturbations × genes in the order of ``screen.names``; NaN for perturbations that the model has seen.
    folds
        Fold of each perturbation, if models are cross-fitted.
    constant
        Models that make constant predictions for unseen perturbations.
    one_split
        Models that are not cross-fitted, with the perturbations that they have not seen (None: those of the split).
    n_top_genes
        Number of genes to score.
    n_perm
        Permutations of predictions.
    rng
        Seed or generator.
    """
    seed = int(np.random.default_rng(rng).integers(2**63))
    one_split = one_split or {}
    scorers: dict[object, SpecificityScorer] = {}

    def scorer_on(name: str, table: FloatArray) -> SpecificityScorer | None:
        """Return the scorer of a model; models with the same predicted and training perturbations share it."""
        test = one_split.get(name)
        held_out = common(screen, {name: table}, None if name in one_split else folds, test=test)
        if name not in held_out.predictions:
            return None
        key = held_out.rows.tobytes(), *(rows.tobytes() for rows in held_out.training.rows)
        if key not in scorers:
            scorers[key] = make_scorer(screen, held_out, n_top_genes, n_perm, np.random.default_rng(seed))
        return scorers[key]

    rows: list[dict[str, object]] = []
    of_observed = scorer_on(OBSERVED, _predicted_by_any(predictions)) if predictions else None
    if of_observed is not None:
        rows += of_observed.observed_rows()
    for name, table in predictions.items():
        scorer = scorer_on(name, table)
        if scorer is not None:
            rows += scorer.model_rows(name, table, known_constant=name in constant)
    table = pd.DataFrame(rows).reindex(columns=_tables.columns("specificity"))
    table["q"] = table.groupby("model")["p"].transform(lambda p: benjamini_hochberg(p.to_numpy(np.float64)))
    return table.fillna({"category": "", "note": ""})


def _predicted_by_any(predictions: Mapping[str, FloatArray]) -> FloatArray:
    """Mark the perturbations that any model predicts: 0 there, NaN elsewhere."""
    is_predicted = np.any([known_rows(predictions, name) for name in predictions], axis=0)
    n_genes = next(iter(predictions.values())).shape[1]
    return np.broadcast_to(np.where(is_predicted, 0.0, np.nan)[:, None], (len(is_predicted), n_genes))
