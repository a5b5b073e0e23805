"""One modality of profiles for each feature regime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _compat, _moments, _profiles, _store, _validate
from .._log import info
from ._annotate import marked
from ._regress import regress_profiles, varying
from ._select_genes import keep_genes

REGIMES = ("full", "no_mt", "no_mt_ribo", "regressed")


def regimes(
    adata: AnnData,
    regimes: Sequence[str] | None = None,
    *,
    covariates: Sequence[str] | None = None,
    fit_on: str = "control",
) -> MuData:
    """Make the feature regimes that are compared: all genes, without confounders, confounders regressed out.

    Parameters
    ----------
    adata
        Profiles made by :func:`scpertbias.pp.pseudobulk`, for ``regressed`` with ``covariates=``.
    regimes
        ``"full"``, ``"no_mt"`` (mitochondrial genes removed), ``"no_mt_ribo"`` (ribosomal ones too) and
        ``"regressed"`` (covariates regressed out); ``full``, which the others are compared with, is always made. The
        genes are those of ``var["mt"]`` and ``var["ribo"]`` where :func:`scpertbias.pp.annotate_confounders` was
        called, else human names. By default all four, and one that the data cannot define (no such genes, no
        covariate, equal to an earlier one) is left out.
    covariates
        Covariates to regress out; by default all that the profiles hold.
    fit_on
        Cells that the slopes are fitted on: ``"control"`` or ``"train"``.

    Returns
    -------
    A :class:`mudata.MuData` with ``axis=-1``: one modality of profiles for each regime. The regimes left out, each with
    the reason, are in ``uns['scpertbias']['regimes_left_out']``.

    Raises
    ------
    ValueError
        If ``adata`` does not hold profiles, a regime is not known, one that was asked for by name cannot be defined, or
        the profiles do not hold a covariate that was asked for.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep", covariates=["p_mito"])
    >>> list(spb.pp.regimes(profiles).mod)
    ['full', 'no_mt', 'regressed']
    """
    _validate.cells_or_profiles(adata)
    if _store.profiles_record(adata) is None:
        msg = "`adata` holds cells; make profiles with spb.pp.pseudobulk first."
        raise ValueError(msg)
    wanted = REGIMES if regimes is None else [regimes] if isinstance(regimes, str) else list(regimes)
    unknown = [r for r in wanted if r not in REGIMES]
    if unknown:
        msg = f"`regimes`: {unknown} are not known; there are {list(REGIMES)}."
        raise ValueError(msg)
    _validate.choice(fit_on, ("control", "train"), argument="fit_on")
    modalities: dict[str, AnnData] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(("full", *wanted)):
        made = _regressed(adata, covariates, fit_on) if name == "regressed" else _without(adata, name, modalities)
        if isinstance(made, AnnData):
            modalities[name] = made
            continue
        if regimes is not None:
            msg = f"`regimes`: {name!r} cannot be made of these data: {made}."
            raise ValueError(msg)
        left_out[name] = made
        info(f"regime {name!r} is left out: {made}")
    mdata = _compat.mudata(modalities)
    table = pd.DataFrame({"regime": list(left_out), "reason": list(left_out.values())}, dtype="string")
    _store.put(mdata, regimes_left_out=table)
    return mdata


def _regressed(adata: AnnData, covariates: Sequence[str] | None, fit_on: str) -> AnnData | str:
    """Return profiles with the covariates regressed out, or why there are none."""
    screen = _moments.of(adata)
    held = screen.moments.covariates
    if covariates is None:
        if held is None or not held.mean.shape[1]:
            return "the profiles hold no covariate (covariates= of spb.pp.pseudobulk)"
        if not varying(screen, fit_on):
            return "no covariate varies in the cells that the slopes are fitted on"
    moments, _ = regress_profiles(screen, covariates, fit_on=fit_on)
    made = _profiles.write(replace(screen, moments=moments, record={**screen.record, "regressed": True}), adata.var)
    made.obs = adata.obs.copy()
    return made


def _without(adata: AnnData, name: str, earlier: Mapping[str, AnnData]) -> AnnData | str:
    """Return profiles without the genes that a regime leaves out, or why there are none."""
    if name == "full":
        return adata.copy()
    keep = ~removed(adata, name)
    if keep.all():
        genes = "mitochondrial gene" if name == "no_mt" else "mitochondrial and no ribosomal gene"
        return f"no {genes} is measured"
    if not keep.any():
        return "no other gene is measured"
    for other, profiles in earlier.items():
        if other in ("no_mt", "no_mt_ribo") and profiles.n_vars == keep.sum():
            return f"no ribosomal gene is measured, so it equals {other!r}"
    made = adata.copy()
    keep_genes(made, keep)
    return made


def removed(adata: AnnData, name: str) -> npt.NDArray[np.bool_]:
    """Return which genes a regime leaves out."""
    record = _store.profiles_record(adata) or {}
    symbols, _ = _validate.gene_symbols(adata, record.get("gene_symbols"))
    out = np.zeros(adata.n_vars, dtype=bool)
    for key in {"no_mt": ("mt",), "no_mt_ribo": ("mt", "ribo")}.get(name, ()):
        out |= marked(adata, key, symbols)
    return out
