"""How accurate are the models, beside baseline and ceiling?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from anndata import AnnData

from .. import _moments, _results, _store, _validate
from .._docs import docs
from .._log import added
from .._models._problem import CONSTANT
from ._scoring import mark_held_out, score_table
from ._summary import summarize
from ._truth import reference


@docs.dedent
def score(
    adata: AnnData,
    models: str | Sequence[str] | None = None,
    *,
    n_top_genes: int = 1000,
    n_boot: int = 1000,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> AnnData | None:
    """Score predictions perturbation by perturbation, beside the baseline and the ceiling, with intervals.

    What was asked when the models were fitted (``groupby``, ``reference``, ``strata``, …) is read from them.

    Parameters
    ----------
    %(adata)s
    %(models)s
    n_top_genes
        Scores are over so many genes of highest mean in control.
    n_boot
        Resamples of perturbations for the intervals.
    %(rng)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.uns['scpertbias']['scores']`` : :class:`pandas.DataFrame`
        One row a model, perturbation and split: ``seen_targets`` (of a held-out combination, how many of its genes are
        perturbed in training), ``l2``, ``rmse``, ``mae``, ``mse_de20`` (log-normalized units),
        ``pearson_delta``, ``pearson_delta_perturbed``, ``l2_ratio``, ``discrimination`` (no unit), each with the
        ``…_ceiling`` (the score of the truth itself) and ``…_baseline`` (the mean of the training perturbations; the
        additive prediction for combinations), ``control_noise`` and ``reproducibility``.
    ``adata.uns['scpertbias']['summary']`` : :class:`pandas.DataFrame`
        One row a model, subset (``all``, ``common`` to all models, ``reproducible``) and metric, over held-out
        perturbations: ``estimate`` with its 95 %% interval, ``ceiling``, ``vs_mean`` (paired difference to the
        baseline) with p and q (Benjamini–Hochberg within a model). ``l2_skill`` and the like are scaled: 0 is the
        baseline, 1 the ceiling.

    Raises
    ------
    KeyError
        If a model is not stored.
    ValueError
        If models were fitted on different data.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders, Nature Methods 2025; Viñas Torné et al., Nature Biotechnology 2025 (the mean of the
    perturbed as reference); Adduri et al. 2025 (discrimination).

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata)
    >>> profiles = spb.pp.pseudobulk(adata, strata="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.score(profiles)
    >>> spb.get.scores(profiles)["l2_ratio"].round(6).unique().tolist()
    [1.0]
    """
    _validate.cells_or_profiles(adata)
    records = _results.chosen(adata, models)
    data = _results.agreed_data(records)
    screen = _moments.of(adata, **data)
    folds = _results.folds(adata, records)
    truth = reference(screen, n_top_genes=n_top_genes, folds=folds)
    predictions = {key: _results.predictions(adata, key, screen).to_numpy(np.float64) for key in records}
    scores = score_table(screen, truth, [(key, "full", table) for key, table in predictions.items()])
    scores = mark_held_out(scores, records, screen, folds=folds is not None)
    constant = [key for key, record in records.items() if str(record.get("note", "")).startswith(CONSTANT)]
    summary = summarize(scores, n_boot=n_boot, rng=rng, constant=constant)
    adata = adata.copy() if copy else adata
    _store.put(adata, scores=scores, summary=summary)
    added(
        "'scores', a row for each model, perturbation and split (adata.uns['scpertbias'])",
        "'summary', a row for each model and metric (adata.uns['scpertbias'])",
    )
    return adata if copy else None
