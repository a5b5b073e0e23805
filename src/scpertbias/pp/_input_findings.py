"""Findings on the values and genes of a screen."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _genes, _keys, _validate
from .._log import some
from .._moments import Screen
from .._scale import MIN_COUNTS, WORDS
from ._annotate import marked

Finding = tuple[str, str, str]
N_NAMED = 8
PANEL = 500
"""Data with fewer genes are a panel, not a transcriptome."""
DOMINANT = 0.2
"""If a gene with more than this share of the counts changes, normalization changes all other genes."""


# -- values --------------------------------------------------------------------------------------------------------


def scale_findings(screen: Screen) -> list[Finding]:
    """Return the scale of the values, and unusual properties."""
    record, control = screen.record, screen.moments.control
    low, high = float(control.min()), float(control.max())
    if record.get("normalize"):
        origin = f"raw counts, normalized automatically to log1p({float(record['target_sum']):g} × count / size)"
    else:
        scale = str(record.get("scale", ""))
        total = float(record.get("scale_sum", np.nan))
        every = f"; every cell sums to {total:g}" if np.isfinite(total) else ""
        words = f"{WORDS[scale]} of counts{every}; " if scale else ""
        origin = f"{words}gene means in control cells range from {low:.2g} to {high:.3g}"
    if low < 0:
        detail = f"{origin}; some are negative, so scores are not comparable with scores on log-normalized values"
        return [("scale", "note", detail)]
    rows = [("scale", "ok", origin)]
    if record.get("not_normalized"):
        detail = "values are logarithms of counts that were not normalized, so differences in depth count as effects"
        advice = (
            "Run sc.pp.normalize_total before sc.pp.log1p, unless the counts were corrected for depth (as by "
            "SCTransform)"
        )
        rows.append(("scale", "warning", f"{detail}. {advice}"))
    if len(sums := [float(s) for s in record.get("scale_sums", ())]) > 1:
        detail = f"cells were normalized to different sums ({', '.join(f'{s:g}' for s in sums)})"
        rows.append(("scale", "warning", f"{detail}: normalize all sources in the same way before joining them"))
    if n := int(record.get("n_shallow", 0)):
        detail = f"{n} cells have fewer than {MIN_COUNTS} counts, but were scaled to the same total as the other cells"
        rows.append(("scale", "warning", f"{detail}. Remove them with sc.pp.filter_cells"))
    if column := str(record.get("other_total", "")):
        totals = (
            f"{float(record['other_total_mean']):.4g} per cell, but the counts of a cell in this matrix sum to "
            f"{float(record['mean_size']):.4g}"
        )
        detail = f"the mean of obs[{column!r}] is {totals}"
        rows.append(
            (
                "scale",
                "warning",
                f"{detail}. Pass size_factors={column!r} if this column is the total count over all genes",
            )
        )
    return rows


# -- genes ---------------------------------------------------------------------------------------------------------


def gene_findings(screen: Screen, adata: AnnData) -> list[Finding]:
    """Return findings on the measured genes: confounders, targets, repeated symbols, panels, other columns."""
    rows: list[Finding] = []
    kinds, n_of = screen.record.get("left_out_feature", ()), screen.record.get("left_out_feature_n", ())
    if others := {str(kind): int(n) for kind, n in zip(kinds, n_of, strict=True)}:
        rows.append(("genes", "note", f"columns that are not genes were left out: {_genes.described(others)}"))
    hint = _genes.ids_without_symbols(screen.genes, screen.symbols, screen.record.get("gene_symbols"))
    for key, name in (("mt", "mitochondrial (MT-)"), ("ribo", "ribosomal")):
        n = int(marked(adata, key, screen.symbols).sum())
        rows.append(("genes", "ok" if n else "warning", f"{n or 'no'} {name} genes are measured"))
    if hint:
        rows.append(("genes", "warning", hint))
    targets = {gene for genes in screen.targets for gene in genes}
    n = len(targets.intersection(screen.symbols.tolist()))
    rows.append(("genes", "ok" if n else "note", f"{n} of {len(targets)} perturbed genes are measured"))
    return [*rows, *_name_findings(screen, adata, targets), *_closure_findings(screen)]


def _name_findings(screen: Screen, adata: AnnData, targets: set[str]) -> list[Finding]:
    rows: list[Finding] = []
    symbols, key = _validate.gene_symbols(adata, screen.record.get("gene_symbols"))
    names = adata.var_names.to_numpy(str) if key is None else adata.var[key].astype(str).to_numpy(str)
    other = (names != symbols) & ~adata.var_names.isin(symbols) & (not _genes.are_ids(names))
    if other.any():
        first = f"{names[other][0]} is interpreted as {symbols[other][0]}"
        detail = f"{int(other.sum())} gene names are not spelled as in the gene sets, or start with the name of a genome; for example, {first}"
        rows.append(("genes", "note", detail))
    repeated = sorted(set(symbols[pd.Series(symbols).duplicated().to_numpy()].tolist()))
    if repeated:
        detail = (
            f"{len(repeated)} symbols have several columns; of these, the column with the highest expression is used"
        )
        rows.append(("genes", "note", f"{detail}: {some(repeated, N_NAMED)}"))
    if guides := _genes.named_like_guides(screen.genes.astype(str), targets):
        detail = f"{len(guides)} columns of the matrix have names of guides; remove them if they are not genes"
        rows.append(("genes", "warning", f"{detail}: {some(guides, N_NAMED)}"))
    return rows


def _closure_findings(screen: Screen) -> list[Finding]:
    """Return the effect of normalization by the total of the measured genes: if one gene rises, all others fall."""
    record, control = screen.record, screen.moments.control
    if record.get("normalize"):
        own_totals = record.get("size_factors") in (None, _keys.OWN_TOTAL)
        total = float(record["target_sum"]) if own_totals else np.nan
    else:
        total = float(record.get("scale_sum", np.nan))
    if not np.isfinite(total) or control.min() < 0:
        return []
    rows: list[Finding] = []
    advice = "Normalize by the total counts of the whole transcriptome (size_factors=)"
    if len(control) < PANEL:
        detail = (
            f"cells are normalized to the total of only {len(control)} measured genes, so an increase of one gene "
            "lowers all other genes"
        )
        rows.append(("genes", "warning", f"{detail}. {advice}"))
    shares = np.expm1(control * np.log(float(record["log_base"]))) / total
    gene = int(np.argmax(shares))
    if shares[gene] > DOMINANT:
        detail = f"{screen.symbols[gene]} has {100 * shares[gene]:.0f}% of the counts of control cells"
        rows.append(("genes", "warning", f"{detail}: if this gene changes, normalization changes all others. {advice}"))
    return rows
