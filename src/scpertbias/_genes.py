"""Columns that are genes, and their names: feature types, spellings, Ensembl ids, repeated symbols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from ._core.arrays import BoolArray, FloatArray

FEATURE_COLUMNS = ("feature_types", "feature_type", "feature_biotype", "modality")
SPIKE_INS = "spike-ins"
ENSEMBL_ID = re.compile(r"^ENS[A-Z]*G\d+")
_NOT_GENES = re.compile(
    r"guide|crispr|antibody|custom|multiplexing|hashtag|\b(?:hto|adt|cmo|atac)\b|peaks|spike.?in", re.IGNORECASE
)
_SPIKE_IN = r"ERCC-\d{5}"
_GUIDE = re.compile(r"(?P<target>.+?)[ _.\-](?:g|sg|guide|grna|sgrna)[ _.\-]?\d+", re.IGNORECASE)
# A genome before the name, as references of several species have it.
_GENOME = re.compile(r"(?:GRC[hm]\d+|hg\d+|mm\d+)[-_.]+")
_MITOCHONDRIAL = re.compile(r"mt[-_.]+((?:nd[1-6]|nd4l|co[1-3]|cyt?b|atp[68]|rnr[12]|t[a-z][12]?))", re.IGNORECASE)


# -- features ------------------------------------------------------------------------------------------------------


def are_genes(adata: AnnData) -> tuple[BoolArray, dict[str, int]]:
    """Return which columns are genes, and how many of each other kind there are.

    Counts of guides, antibodies and hashtags lie among the genes where a feature-barcode matrix was read whole, and spike-ins
    where they were added. Where nothing is a gene (a screen read out by antibodies), everything is taken as one.
    """
    kinds = pd.Series("", index=range(adata.n_vars), dtype=object)
    kinds[adata.var_names.astype(str).str.fullmatch(_SPIKE_IN)] = SPIKE_INS
    for column in FEATURE_COLUMNS:
        if column in adata.var.columns:
            text = adata.var[column].astype(object).astype(str).reset_index(drop=True)
            other = [kind for kind in text.unique() if _NOT_GENES.search(kind)]
            kinds = kinds.mask(text.isin(other) & (kinds == ""), text)
    genes = (kinds == "").to_numpy()
    if not genes.any():
        return np.ones(adata.n_vars, dtype=bool), {}
    return genes, {str(kind): int(n) for kind, n in kinds[~genes].value_counts().items()}


def described(others: dict[str, int]) -> str:
    """Return the number of columns of each kind as text."""
    return ", ".join(f"{n} {kind}" for kind, n in others.items())


def refuse_others(adata: AnnData) -> None:
    """Raise an error for columns that are not genes, if the result must have the columns of ``adata``."""
    if others := are_genes(adata)[1]:
        columns = [c for c in FEATURE_COLUMNS if c in adata.var.columns]
        keep = [f"~adata.var[{c!r}].isin({k!r})" for c in columns if (k := sorted(set(adata.var[c]) & set(others)))]
        keep += ["~adata.var_names.str.match('ERCC-')"] if SPIKE_INS in others else []
        msg = (
            f"`adata` contains columns that are not genes ({described(others)}). Leave these columns out with adata = "
            f"adata[:, {' & '.join(keep)}].copy(), or use spb.pp.profiles(adata), which contains genes only."
        )
        raise ValueError(msg)


def named_like_guides(names: Iterable[str], targets: Iterable[str]) -> list[str]:
    """Return the columns that are named like guides of the targets: used if nothing else identifies them."""
    known = set(targets)
    matches = ((name, _GUIDE.fullmatch(name)) for name in names)
    return [name for name, match in matches if match and match["target"] in known and name not in known]


# -- names ---------------------------------------------------------------------------------------------------------


def are_ids(names: Sequence[str] | pd.Index) -> bool:
    """Whether most names are Ensembl ids."""
    return len(names) > 0 and bool(pd.Index(names).astype(str).str.match(ENSEMBL_ID).mean() > 0.5)


@cache
def _bundled() -> dict[str, str]:
    frame = pd.read_csv(str(files("scpertbias") / "ds" / "data" / "ensembl_ids.csv"))
    return dict(zip(frame["ensembl_id"], frame["symbol"], strict=True))


def symbols_of_ids(names: Iterable[str]) -> list[str]:
    """Replace ids of human confounder genes by symbols; other names are unchanged."""
    known = _bundled()
    return [known.get(str(name).split(".")[0], str(name)) for name in names]


def ids_without_symbols(genes: pd.Index, symbols: npt.NDArray[np.str_], key: str | None) -> str:
    """Return a message if names are Ensembl ids without symbols, otherwise an empty text."""
    if key is not None or not are_ids(genes):
        return ""
    known = int((symbols != genes.to_numpy(str)).sum())
    genes_known = (
        f"{known} confounder genes are recognized by their ids"
        if known
        else "no confounder gene is recognized (the package contains ids of human genes only)"
    )
    return (
        f"var_names are Ensembl ids, and var has no column of gene symbols. Therefore {genes_known}, and targets are "
        "recognized only if labels are Ensembl ids. Add the symbols as var['gene_symbols'], or pass gene_symbols= "
        "with the name of their column"
    )


def spelled(names: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
    """Return names without a genome before them, and mitochondrial genes as ``MT-CO1`` or ``mt-Co1``.

    R makes ``MT.CO1`` of ``MT-CO1``; others have ``MT_CO1``, ``Mt-co1``, ``GRCh38---MT-CO1`` or ``mm10_mt-Co1``.
    """
    beginnings = ("mt", "gr", "hg", "mm")
    return np.array([_spelled(n) if n[:2].lower() in beginnings else n for n in names.tolist()], dtype=str)


def _spelled(name: str) -> str:
    bare = _GENOME.sub("", name, count=1) if _GENOME.match(name) else name
    if not (match := _MITOCHONDRIAL.fullmatch(bare)) or bare.startswith(("MT-", "mt-")):
        return bare or name
    gene = match[1]
    return f"MT-{gene}" if gene.isupper() else f"mt-{gene.capitalize()}"


def one_each(symbols: npt.NDArray[np.str_], names: pd.Index, level: FloatArray) -> npt.NDArray[np.str_]:
    """Return symbols of which each has one column: that of highest expression; the others go by their own names."""
    repeats = pd.Series(symbols).duplicated(keep=False).to_numpy()
    if not repeats.any():
        return symbols
    ordered = np.lexsort((np.arange(len(symbols)), -level))
    later = pd.Series(symbols[ordered]).duplicated().to_numpy()
    weaker = ordered[later]
    result = symbols.astype(object)
    result[weaker] = names.to_numpy(object)[weaker]
    return result.astype(str)
