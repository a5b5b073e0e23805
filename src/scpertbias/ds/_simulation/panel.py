"""Genes and targets of a simulated screen, with real names, calibrated to K562."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..._core.arrays import BoolArray
from .._files import read_table
from .._sets import confounder_sets

if TYPE_CHECKING:
    import numpy.typing as npt


FULL_PANEL = 1187
"""Number of genes of the default screen."""

DEFAULT_DEPTH = 3000.0
"""Mean UMIs per cell of the default panel; other panels have more or fewer UMIs, in proportion to their genes' expression."""

CONTROL = "non-targeting"


def gene_panel(n_genes: int) -> pd.DataFrame:
    """Genes with their relative expression and negative-binomial size in K562.

    Up to the size of the published panel, an evenly spaced part of each gene class; beyond it, the next most
    expressed genes. The choice does not depend on the seed.
    """
    table = read_table("k562_genes.csv.gz")
    if n_genes > len(table):
        msg = f"n_genes={n_genes} is more than the {len(table)} genes of the K562 table; use fewer."
        raise ValueError(msg)
    published = table[table["panel"] == 1]
    if n_genes >= len(published):
        return table.iloc[:n_genes].reset_index(drop=True)

    names = published["gene"]
    ribo = set(set_members("ribo"))
    classes = np.where(is_mitochondrial(names), 0, np.where(names.isin(ribo), 1, 2))
    sizes = [max(1, round(n_genes * int((classes == c).sum()) / len(published))) for c in (0, 1)]
    sizes.append(n_genes - sum(sizes))
    positions: list[int] = []
    for gene_class, size in enumerate(sizes):
        members = published[classes == gene_class].sort_values("relative_expression", ascending=False, kind="stable")
        # Midpoints of equal parts of the ranking: high and low expression stay in proportion.
        ranks = ((np.arange(size) + 0.5) * len(members) / size).astype(int)
        positions.extend(members.index[ranks])
    return published.loc[sorted(positions)].reset_index(drop=True)


def default_depth(panel: pd.DataFrame) -> float:
    """Mean UMI per cell such that the panel of 1,187 genes has `DEFAULT_DEPTH` of them."""
    full = gene_panel(FULL_PANEL)["relative_expression"].sum()
    return DEFAULT_DEPTH * float(panel["relative_expression"].sum() / full)


def draw_targets(n_perturbations: int, rng: np.random.Generator) -> pd.DataFrame:
    """Target names with their cluster in the published screen, sorted by cluster (-1: not published)."""
    published = read_table("replogle_targets.csv")
    if n_perturbations <= len(published):
        rows = np.sort(rng.choice(len(published), n_perturbations, replace=False))
        return published.iloc[rows].reset_index(drop=True)
    genes = read_table("k562_genes.csv.gz")
    others = genes.loc[(genes["panel"] == 0) & ~genes["gene"].isin(published["target"]), "gene"]
    n_more = n_perturbations - len(published)
    if n_more > len(others):
        most = len(published) + len(others)
        msg = f"n_perturbations={n_perturbations} is more than the {most} target names available; use fewer."
        raise ValueError(msg)
    more = pd.DataFrame({"target": others.iloc[:n_more].to_numpy(), "cluster": -1})
    return pd.concat([published, more], ignore_index=True)


def draw_measured_targets(
    candidates: npt.NDArray[np.object_], n_perturbations: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Target names among measured genes, in the format of `draw_targets`."""
    if n_perturbations > len(candidates):
        msg = (
            f"n_perturbations={n_perturbations} is more than the {len(candidates)} measured genes that can be "
            "targets (not mitochondrial, ribosomal or stress genes). Increase n_genes, use fewer perturbations, or omit "
            "measured_targets."
        )
        raise ValueError(msg)
    targets = pd.DataFrame({"target": np.sort(rng.choice(candidates, n_perturbations, replace=False).astype(str))})
    cluster = read_table("replogle_targets.csv").drop_duplicates("target").set_index("target")["cluster"]
    targets["cluster"] = targets["target"].map(cluster).fillna(-1).astype(int)
    return targets.sort_values("cluster", kind="stable", ignore_index=True)


def is_mitochondrial(genes: pd.Series) -> BoolArray:
    """Genes of mitochondrial DNA, by their prefix."""
    return genes.str.startswith("MT-").to_numpy(dtype=bool)


def set_members(name: str) -> list[str]:
    """Human genes of one confounder gene set."""
    sets = confounder_sets()
    return sets.loc[sets["source"] == name, "target"].tolist()
