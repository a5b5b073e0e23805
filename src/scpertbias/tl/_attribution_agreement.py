"""Agreement of attributions between models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _moments, _results, _store, _tables
from .._core.arrays import FloatArray
from .._core.attribution import Agreement, agreement, gene_permutations, rank_attributions
from .._core.ranking import expression_bins
from .._core.resampling import mean_of
from .._docs import docs
from .._log import added, info
from ._attribution_check import stored_attributions


@docs.dedent
def attribution_agreement(
    adata: AnnData,
    models: str | Sequence[str] | None = None,
    *,
    k: int = 20,
    n_perm: int = 1000,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> AnnData | None:
    """Compare the attributions of models for each perturbation: rank correlation and shared top genes.

    A small ``p`` means that models agree more than expected for random genes of similar expression. A small
    ``p_specific`` means that models agree more on the same perturbation than on different perturbations. First run
    :func:`scpertbias.tl.attribution_check`, and ignore flagged attributions.

    Parameters
    ----------
    %(adata)s
    models
        Names of two or more stored models; by default all that have attributions.
    k
        Number of top genes per model and perturbation, for the column ``overlap``.
    n_perm
        Number of permutations for the p-values.
    %(rng)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_attribution_agreement)s

    Raises
    ------
    KeyError
        If a model is not stored, or has no attributions.
    ValueError
        If there are fewer than two models, ``k`` is larger than the number of genes, or models were fitted on
        different data.

    References
    ----------
    Kavirayuni & Venturelli 2025, Table 3.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.fit_bilinear(profiles, n_components=5)
    >>> spb.tl.attribution_agreement(profiles)
    >>> table = spb.get.attribution_agreement(profiles).set_index("perturbation")
    >>> bool(table.loc["", "overlap"] > table.loc["", "chance"])
    True
    """
    attributions = stored_attributions(adata, models)
    if len(attributions) < 2:
        msg = (
            f"`models`: only {list(attributions)} have attributions, but a comparison needs two models. Pass "
            "attributions= to spb.tl.add_predictions for another model."
        )
        raise ValueError(msg)
    screen = _moments.of(adata, **_results.agreed_data(_results.model_records(adata, list(attributions))))
    tables = {name: f.reindex(columns=list(screen.names)).to_numpy(np.float64).T for name, f in attributions.items()}
    table = attribution_agreement_table(screen, tables, k=k, n_perm=n_perm, rng=rng)
    adata = adata.copy() if copy else adata
    _store.put(adata, attribution_agreement=table)
    added(
        "'attribution_agreement', one row per pair of models, and one per pair and perturbation (adata.uns['scpertbias'])"
    )
    return adata if copy else None


def attribution_agreement_table(
    screen: _moments.Screen,
    attributions: Mapping[str, FloatArray],
    *,
    k: int = 20,
    n_perm: int = 1000,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Return the table of :func:`attribution_agreement`.

    Parameters
    ----------
    screen
        The screen.
    attributions
        By model: perturbations × genes in the order of ``screen.names``; NaN if there are none.
    k
        Number of top genes per perturbation.
    n_perm
        Permutations of genes, and of perturbations.
    rng
        Seed or generator.
    """
    # Drawn once: a pair's numbers do not depend on which other models are compared.
    rng = np.random.default_rng(rng)
    permutations = gene_permutations(expression_bins(screen.moments.control), n_perm, rng)
    names = np.array(screen.names)[1:]
    keys = rng.random((n_perm, len(names)))
    of_model = {name: rank_attributions(values[1:], k) for name, values in attributions.items()}
    frames = []
    for a, b in combinations(of_model, 2):
        result = agreement(of_model[a], of_model[b], k=k, permutations=permutations, keys=keys)
        if np.isnan(result.spearman).all():
            info(
                f"{a} and {b}: not compared, because in no perturbation the attributions of both models differ "
                "between genes"
            )
        frames.append(_frame(names, result, k / len(screen.genes)).assign(model_a=a, model_b=b))
    if not frames:
        return _tables.empty("attribution_agreement")
    return pd.concat(frames, ignore_index=True)[_tables.columns("attribution_agreement")]


def _frame(names: npt.NDArray[np.str_], result: Agreement, chance: float) -> pd.DataFrame:
    """Make the rows of one pair: the mean, then the perturbations with attributions of both."""
    in_both = np.isfinite(result.spearman)
    mean = mean_of(result.spearman[in_both])
    overlap = float(result.overlap[in_both].mean()) if in_both.any() else np.nan
    no_values = np.full(int(in_both.sum()), np.nan)
    columns = {
        "perturbation": ("", names[in_both]),
        "spearman": (mean.estimate, result.spearman[in_both]),
        "ci_low": (mean.low, no_values),
        "ci_high": (mean.high, no_values),
        "overlap": (overlap, result.overlap[in_both]),
        "p": (result.mean_p, result.p[in_both]),
        "p_specific": (result.mean_p_specific, result.p_specific[in_both]),
        "n": (int(in_both.sum()), np.ones(len(no_values), dtype=np.int64)),
    }
    frame = pd.DataFrame({key: [first, *rest.tolist()] for key, (first, rest) in columns.items()})
    return frame.assign(chance=chance)
