"""Feature regimes: one modality of profiles each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _compat, _moments, _store, _tables, _validate
from .._core.arrays import BoolArray
from .._keys import REGIMES, REGRESSED, WITHOUT_GENES
from .._log import info
from .._moments.profiles import target_measured
from .._moments.profiles import write as write_profiles
from ._annotate import marked
from ._regress import regress_profiles, varying


def regimes(
    adata: AnnData,
    regimes: Sequence[str] | None = None,
    *,
    covariates: Sequence[str] | None = None,
    fit_on: str = "control",
) -> MuData:
    """Create the feature regimes: all genes, without confounder genes, and with covariates regressed out.

    Parameters
    ----------
    adata
        Profiles made by :func:`scpertbias.pp.profiles`; ``regressed`` requires profiles made with ``covariates=``.
    regimes
        ``"full"``, ``"no_mt"`` (without mitochondrial genes), ``"no_mt_ribo"`` (also without ribosomal genes) and
        ``"regressed"`` (covariates regressed out). The regime ``full`` is always included, because the others are
        compared with it. Confounder genes are taken from ``var["mt"]`` and ``var["ribo"]``, see
        :func:`scpertbias.pp.annotate_confounders`. If these columns are missing, the genes are recognized by their
        names. By default, all four regimes are created, if possible. For example, ``no_mt`` is left out if no
        mitochondrial gene is measured, and ``regressed`` if the profiles have no covariates.
    covariates
        Covariates to regress out; by default all covariates of the profiles.
    fit_on
        Cells for fitting the slopes: ``"control"`` or ``"train"``.

    Returns
    -------
    A :class:`mudata.MuData` with ``axis=-1``: one modality of profiles for each regime. Regimes that were left out,
    with reasons, are in ``uns['scpertbias']['regimes_left_out']``; read them with
    :func:`scpertbias.get.regimes_left_out`.

    Raises
    ------
    ValueError
        If ``adata`` does not contain profiles, a requested regime is unknown or cannot be created, or a covariate is not in
        the profiles.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"])
    >>> list(spb.pp.regimes(profiles).mod)
    ['full', 'no_mt', 'regressed']
    """
    _validate.cells_or_profiles(adata)
    if _store.profiles_record(adata) is None:
        msg = "`adata` contains cells; first make profiles with spb.pp.profiles."
        raise ValueError(msg)
    plan = plan_regimes(adata, regimes, covariates=covariates, fit_on=fit_on)
    return make_regimes(adata.copy(), plan, covariates=covariates, fit_on=fit_on)


@dataclass(frozen=True)
class RegimePlan:
    """Genes that each regime keeps, and reasons for regimes that are left out."""

    genes: dict[str, BoolArray]
    left_out: dict[str, str]


def plan_regimes(
    profiles: AnnData, regimes: Sequence[str] | None, *, covariates: Sequence[str] | None = None, fit_on: str
) -> RegimePlan:
    """Return the regimes that can be created; raise an error for other requested regimes."""
    requested = REGIMES if regimes is None else [regimes] if isinstance(regimes, str) else list(regimes)
    unknown = [r for r in requested if r not in REGIMES]
    if unknown:
        msg = f"`regimes`: {unknown} are unknown; choose from {list(REGIMES)}."
        raise ValueError(msg)
    _validate.choice(fit_on, ("control", "train"), argument="fit_on")
    genes: dict[str, BoolArray] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(("full", *requested)):
        keep = ~removed(profiles, name)
        reason = _why_not(profiles, covariates, fit_on) if name == REGRESSED else _why_no_genes(name, keep, genes)
        if not reason:
            genes[name] = keep
            continue
        if regimes is not None:
            msg = f"`regimes`: {name!r} cannot be created for these data: {reason}."
            raise ValueError(msg)
        left_out[name] = reason
        info(f"regime {name!r} is left out: {reason}")
    return RegimePlan(genes, left_out)


def make_regimes(
    profiles: AnnData, plan: RegimePlan, *, covariates: Sequence[str] | None = None, fit_on: str
) -> MuData:
    """Make the profiles of every regime; those of ``full`` are the given ones, not a copy."""
    modalities: dict[str, AnnData] = {}
    # The regression needs most memory, so it comes first
    for name in sorted(plan.genes, key=lambda name: name != REGRESSED):
        if name == REGRESSED:
            modalities[name] = _regressed(profiles, covariates, fit_on)
        elif name == "full":
            modalities[name] = profiles
        else:
            modalities[name] = profiles[:, plan.genes[name]].copy()
            _store.put_obs(modalities[name], *target_measured(modalities[name]))
            for model in _store.models(modalities[name]):  # predictions of the full model, on the genes that are left
                _store.add_to_model(modalities[name], model, regime="full")
    mdata = _compat.mudata({name: modalities[name] for name in plan.genes})
    _store.put(mdata, regimes_left_out=left_out_table(plan))
    return mdata


def left_out_table(plan: RegimePlan) -> pd.DataFrame:
    """Return the regimes that are left out, with reasons."""
    return pd.DataFrame(plan.left_out.items(), columns=_tables.columns("regimes_left_out"), dtype="string")


def _why_not(profiles: AnnData, covariates: Sequence[str] | None, fit_on: str) -> str:
    """Return why no covariate can be regressed out, or an empty text."""
    if covariates is not None:
        return ""
    screen = _moments.of(profiles)
    covariate_moments = screen.moments.covariates
    if covariate_moments is None or not covariate_moments.mean.shape[1]:
        return "the profiles have no covariates; pass covariates= to spb.pp.profiles"
    return "" if varying(screen, fit_on) else "no covariate varies between the cells used for fitting"


def _why_no_genes(name: str, keep: BoolArray, earlier: Mapping[str, BoolArray]) -> str:
    """Return why a regime without some genes is not made, or an empty text."""
    if name == "full":
        return ""
    if keep.all():
        genes = "mitochondrial gene" if name == "no_mt" else "mitochondrial and no ribosomal gene"
        return f"no {genes} is measured"
    if not keep.any():
        return "no other genes are measured"
    equal_to = [other for other, genes in earlier.items() if other in WITHOUT_GENES and genes.sum() == keep.sum()]
    which = "mitochondrial genes" if "no_mt" in equal_to else "mitochondrial and ribosomal genes"
    return f"no ribosomal gene is measured, so this regime equals the regime without {which}" if equal_to else ""


def _regressed(profiles: AnnData, covariates: Sequence[str] | None, fit_on: str) -> AnnData:
    """Return profiles with the covariates regressed out."""
    screen = _moments.of(profiles)
    moments, _ = regress_profiles(screen, covariates, fit_on=fit_on)
    record = {**screen.record, "regressed": True}
    regressed = write_profiles(replace(screen, moments=moments, record=record), profiles.var)
    regressed.obs = profiles.obs.copy()
    return regressed


def removed(adata: AnnData, name: str) -> BoolArray:
    """Return the genes that a regime leaves out."""
    record = _store.profiles_record(adata) or {}
    symbols, _ = _validate.gene_symbols(adata, record.get("gene_symbols"))
    out = np.zeros(adata.n_vars, dtype=bool)
    for key in {"no_mt": ("mt",), "no_mt_ribo": ("mt", "ribo")}.get(name, ()):
        out |= marked(adata, key, symbols)
    return out
