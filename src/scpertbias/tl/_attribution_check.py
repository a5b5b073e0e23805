"""Check of attributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _results, _store, _tables, _validate
from .._core.arrays import FloatArray
from .._core.attribution import SHARED, Kinds, kinds, one_hot_bound
from .._docs import docs
from .._log import added, info
from ..get import attributions as read


@docs.dedent
def attribution_check(
    adata: AnnData, models: str | Sequence[str] | None = None, *, copy: bool = False
) -> AnnData | None:
    """Flag attributions that do not distinguish genes or perturbations.

    Read this table before you compare attributions with :func:`scpertbias.tl.attribution_agreement`. Attributions with
    the flag ``zero``, ``constant`` or ``one_hot`` do not rank genes. For example, with n genes, the rank correlation
    of a one-hot attribution with any ranking without ties is at most √(3/(n + 1)). Attributions with the flag
    ``shared`` rank genes in the same way for every perturbation.

    Parameters
    ----------
    %(adata)s
    models
        Names of the stored models; by default all that have attributions.
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_attribution_check)s

    Raises
    ------
    KeyError
        If a model is not stored, or has no attributions.

    References
    ----------
    Kavirayuni & Venturelli 2025, Table 3.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_ridge(profiles)
    >>> spb.tl.attribution_check(profiles)
    >>> spb.get.attribution_check(profiles)["flag"].tolist()
    ['ok']
    """
    attributions = stored_attributions(adata, models)
    genes = _validate.gene_symbols(adata, agreed_symbols(adata, attributions))[0]
    table = attribution_check_table(genes, {name: frame.to_numpy(np.float64).T for name, frame in attributions.items()})
    adata = adata.copy() if copy else adata
    _store.put(adata, attribution_check=table)
    added("'attribution_check', one row per model (adata.uns['scpertbias'])")
    return adata if copy else None


def stored_attributions(adata: AnnData, models: str | Sequence[str] | None) -> dict[str, pd.DataFrame]:
    """Return genes × perturbations of the given models, or of all with attributions, without the control."""
    _validate.cells_or_profiles(adata)
    records = _results.model_records(adata, models)
    without = [name for name in records if not _store.has_varm(adata, name)]
    if models is not None and without:
        msg = f"`models`: {without} have no attributions; models with attributions are {_having(adata)}."
        raise KeyError(msg)
    if len(without) == len(records):
        msg = f"None of the models {without} has attributions. Run spb.tl.fit_ridge, or pass attributions= to spb.tl.add_predictions."
        raise KeyError(msg)
    if without:
        info(f"models without attributions are left out: {without}")
    attributions = {}
    for name, record in records.items():
        if name not in without:
            control = str(record.get("data", {}).get("reference_name", ""))
            attributions[name] = read(adata, name).drop(columns=[control], errors="ignore")
    return attributions


def _having(adata: AnnData) -> list[str]:
    return [name for name in _store.models(adata) if _store.has_varm(adata, name)]


def agreed_symbols(adata: AnnData, models: Mapping[str, object]) -> str | None:
    """Return the column of gene symbols of the fitted models."""
    symbols = _results.agreed_data(_results.model_records(adata, list(models)))["gene_symbols"]
    return None if symbols is None else str(symbols)


def attribution_check_table(genes: npt.NDArray[np.str_], attributions: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Return the table of :func:`attribution_check` from perturbations × genes by model (control left out)."""
    rows = [(name, *_flag_of(values, genes)) for name, values in attributions.items()]
    return pd.DataFrame(rows, columns=_tables.columns("attribution_check"))


def _flag_of(values: FloatArray, genes: npt.NDArray[np.str_]) -> tuple[str, str]:
    """Return the first flag that applies, and the finding."""
    facts = kinds(values)
    n = int(facts.known.sum())
    if not n:
        return "zero", "no perturbation has attributions"
    counts = {"zero": int(facts.zero.sum()), "constant": int(facts.constant.sum()), "one_hot": int(facts.one_hot.sum())}
    flag = next((name for name, count in counts.items() if 2 * count > n), "")
    if not flag:
        flag = "shared" if facts.cosine > SHARED else "ok"
    parts = [f"{name} in {count} of {n} perturbations" for name, count in counts.items() if count]
    if counts["one_hot"]:
        parts.append(_one_hot(values, genes, facts))
    if np.isfinite(facts.cosine):
        parts.append(f"mean cosine between perturbations {facts.cosine:.3f}")
    return flag, "; ".join(parts)


def _one_hot(values: FloatArray, genes: npt.NDArray[np.str_], facts: Kinds) -> str:
    """Describe the gene, and the largest possible correlation of such a vector with any other."""
    names, counts = np.unique(genes[np.abs(values[facts.one_hot]).argmax(axis=1)], return_counts=True)
    where = f"most often at {names[counts.argmax()]}" if len(names) > 1 else f"at {names[0]}"
    if not facts.exact.any():
        return f"{where}; the ranks of the other genes depend on less than 0.1% of the total attribution"
    n, bound = len(genes), one_hot_bound(len(genes))
    return f"{where}; its Spearman correlation with any ranking without ties is at most √(3/(n+1)) = {bound:.4f} (n = {n:,} genes)"
