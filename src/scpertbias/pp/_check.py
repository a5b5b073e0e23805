"""Quality checks of a screen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _keys, _moments, _store, _tables
from .._core.arrays import FloatArray
from .._core.detection import FDR, reproducibility_of_halves
from .._core.moments import Moments
from .._docs import docs
from .._labels import LabelMap
from .._log import added, some
from ._input_findings import N_NAMED, Finding, gene_findings, scale_findings
from ._label_findings import label_findings, without_cells

MOST = 0.8
LEFT_OUT = "left out"


@docs.dedent
def check(
    adata: AnnData,
    *,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Check the quality of a screen: labels, scale, batches, genes, splits, and each perturbation.

    Parameters
    ----------
    %(adata)s
    %(cells)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    %(field_check)s
    %(field_labels)s

    Raises
    ------
    ValueError
        If values are on the wrong scale or no control is recognized.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.check(adata, batch_key="bio_rep")
    >>> spb.get.check(adata)["check"].value_counts()["perturbation"].item()
    25
    """
    screen = _moments.of(
        adata,
        groupby=groupby,
        reference=reference,
        combination_sep=combination_sep,
        label_map=label_map,
        batch_key=batch_key,
        min_cells=min_cells,
        layer=layer,
        split_key=split_key,
        gene_symbols=gene_symbols,
    )
    table = findings(screen, adata)
    adata = adata.copy() if copy else adata
    _store.put(adata, check=table, labels=screen.labels)
    added("'check', with one row per check and then one row per perturbation (adata.uns['scpertbias'])")
    return adata if copy else None


def findings(screen: _moments.Screen, adata: AnnData, *, n_folds: int | None = None) -> pd.DataFrame:
    """Return the table of :func:`check`; an audit holds out every perturbation in one of ``n_folds``."""
    per = perturbations(screen)
    rows = [
        *label_findings(screen),
        *scale_findings(screen),
        *_batch_findings(screen),
        *gene_findings(screen, adata),
        *(_split_findings(screen) if n_folds is None else [("split", "ok", _folds_detail(n_folds))]),
        *_response_findings(per, known=screen.detection.response_known),
    ]
    general = pd.DataFrame(rows, columns=["check", "status", "detail"])
    table = pd.concat([general, per.assign(check="perturbation")], ignore_index=True)
    table["perturbation"] = table["perturbation"].fillna("")
    table["top_genes"] = table["top_genes"].fillna("")
    table["n_cells"] = table["n_cells"].fillna(0).astype(np.int64)
    return table[_tables.columns("check")]


def perturbations(screen: _moments.Screen) -> pd.DataFrame:
    """Return one row per perturbation: cells, reproducibility, noise-corrected squared effect, detection, top genes."""
    merged, detection = screen.merged, screen.detection
    repeat, energy, counted = detection.reproducibility, detection.squared_effect, detection.counted
    total = energy[counted].sum()
    between_guides = _between_guides(merged.moments)
    rows = []
    for p in range(1, len(merged.names)):
        status, detail = _status(screen, p)
        rows.append(
            {
                "perturbation": merged.names[p],
                "status": status,
                "n_cells": int(merged.moments.n[p]),
                "reproducibility": repeat[p],
                "reproducibility_guides": between_guides[p],
                "squared_effect": energy[p],
                "response_share": energy[p] / total if counted[p] and total > 0 else np.nan,
                "p": detection.p[p],
                "q": detection.q[p],
                "top_genes": " ".join(
                    f"{merged.symbols[g]}{'↑' if rises else '↓'}"
                    for g, rises in zip(detection.top[p], detection.rises[p], strict=True)
                    if g >= 0
                ),
                "detail": detail,
            }
        )
    rows += [
        {
            "perturbation": name,
            "status": "warning",
            "n_cells": 0,
            "detail": f"{LEFT_OUT}: none of its cells can be used",
        }
        for name in without_cells(screen)
    ]
    return pd.DataFrame(rows).sort_values("perturbation", ignore_index=True)


def _between_guides(moments: Moments) -> FloatArray:
    """Return the reproducibility between halves of the guides of each perturbation; NaN without ``guide_key``."""
    if moments.guide_half is None:
        return np.full(len(moments.n), np.nan)
    first, second = moments.guide_half - moments.guide_half[:, [moments.reference]]
    return reproducibility_of_halves(first, second)


def _status(screen: _moments.Screen, p: int) -> tuple[str, str]:
    """Return the status and its description, which is empty for a detected effect."""
    detection = screen.detection
    if not screen.merged.used[p]:
        return "warning", f"{LEFT_OUT}: {screen.merged.reason[p]}"
    if not detection.counted[p]:
        return "warning", f"{LEFT_OUT}: one of the two halves of its cells is empty"
    if detection.detected[p]:
        return "ok", ""
    only = ", except on its target gene" if detection.own_q[p] <= FDR else ""
    return "note", f"no effect detected{only} (q above {FDR})"


def _batch_findings(screen: _moments.Screen) -> list[Finding]:
    batches = screen.record.get("batch_key")
    if batches is not None and len(batches):
        names = list(screen.record["batch_names"])
        by = " × ".join(batches)
        if len(names) == 1:
            return [("batches", "note", f"the batch column {by} has only one level, so it changes no comparison")]
        return [
            ("batches", "ok", f"each cell is compared with the control cells of its own {by} ({len(names)} batches)")
        ]
    if len(likely := list(map(str, screen.record.get(_keys.LIKELY_BATCHES, [])))):
        detail = f"`batch_key` was not given, so differences between the levels of {', '.join(likely)} count as effects"
        return [("batches", "warning", detail)]
    if len(tested := list(map(str, screen.record.get("tested_columns", [])))):
        return [
            (
                "batches",
                "ok",
                f"`batch_key` was not given; the audit tests whether perturbations are balanced over {', '.join(tested)}",
            )
        ]
    if len(one_level := list(map(str, screen.record.get("one_level_batches", [])))):
        detail = f"`batch_key` was not given, and columns with the name of a batch have only one level: {', '.join(one_level)}"
        return [("batches", "note", detail)]
    return [("batches", "ok", "`batch_key` was not given, and no column of obs looks like a usable batch")]


def _split_findings(screen: _moments.Screen) -> list[Finding]:
    perturbed = screen.perturbation > 0
    parts = {s: set(screen.perturbation[(screen.split == s) & perturbed].tolist()) for s in _keys.SPLITS}
    held_out = parts["val"] | parts["test"]
    if not held_out:
        return [("split", "note", "no perturbation is held out")]
    leaked = [screen.names[p] for p in sorted(held_out & parts["train"])]
    if leaked:
        detail = f"{len(leaked)} of {len(held_out)} held-out perturbations also have training cells, so models have seen them"
        return [("split", "warning", f"{detail} ({some(leaked, N_NAMED)})")]
    trained = {screen.targets[p] for p in parts["train"]}
    siblings = [screen.names[p] for p in sorted(held_out) if screen.targets[p] in trained]
    if siblings:
        detail = (
            f"{len(siblings)} of {len(held_out)} held-out perturbations share their target with training perturbations"
        )
        return [("split", "warning", f"{detail}, such as other guides or doses ({some(siblings, N_NAMED)})")]
    both = [screen.names[p] for p in sorted(parts["val"] & parts["test"])]
    if both:
        return [("split", "warning", f"{len(both)} perturbations are in both val and test ({some(both, N_NAMED)})")]
    return [("split", "ok", ", ".join(f"{len(p)} {s}" for s, p in parts.items()) + " perturbations")]


def _folds_detail(n_folds: int) -> str:
    return f"cross-fitted in {n_folds} folds: every perturbation is predicted by a fit that excludes it"


def _response_findings(per: pd.DataFrame, *, known: bool) -> list[Finding]:
    used = per[per["status"] != "warning"]
    n = int((used["q"] <= FDR).sum())
    detail = f"{n} of {len(used)} perturbations have a detected effect (q at most {FDR})"
    rows = [("response", "warning" if len(used) - n > len(used) / 4 else "ok", detail)]
    if not known:
        return [
            *rows,
            ("response", "warning", "the screen has no reproducible response, so models cannot be evaluated on it"),
        ]
    few = strongest(used["response_share"])
    detail = f"{len(few)} of {len(used)} perturbations make up {100 * MOST:.0f}% of the response"
    first = some(used.loc[few, "perturbation"].tolist(), N_NAMED)
    return [*rows, ("response", "warning" if len(few) <= len(used) / 4 else "ok", f"{detail}: {first}")]


def strongest(shares: pd.Series) -> pd.Index:
    """Return the labels of the fewest perturbations that make up most of the response, strongest first."""
    ordered = shares.dropna().sort_values(ascending=False)
    if ordered.empty:
        return ordered.index
    return ordered.index[: int(np.argmax(np.cumsum(ordered.to_numpy()) >= MOST)) + 1]
