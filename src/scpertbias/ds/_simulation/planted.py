"""Simulated effects: an axis common to all perturbations, and a program for each perturbation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..._core.arrays import BoolArray, FloatArray, IntArray
from .panel import draw_measured_targets, draw_targets, set_members

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

_STRESS = ("heat_shock", "upr_isr")
_PROGRAM_SIZE = (20, 40)


@dataclass(frozen=True)
class PlantedEffects:
    """Simulated effects; rows are perturbations without the control, columns are genes."""

    targets: npt.NDArray[np.object_]
    axis: FloatArray
    loading: FloatArray
    module: IntArray
    inert: BoolArray
    program_row: IntArray
    program_gene: IntArray
    program_lfc: FloatArray
    lfc: FloatArray
    """Natural logarithm of the fold change of the mean, due to the axis, the programs and the knock-down together."""


def plant_effects(
    panel: pd.DataFrame,
    n_perturbations: int,
    *,
    axis_strength: float,
    specific_strength: float,
    inert_fraction: float,
    n_modules: int,
    module_share: float,
    knockdown: float,
    rng: np.random.Generator,
    measured_targets: bool = False,
) -> PlantedEffects:
    """Draw targets, modules, axis, loadings and programs.

    The draws do not depend on the strengths, so screens with the same seed differ only in strength.
    """
    genes = panel["gene"].to_numpy(dtype=object)
    if measured_targets:
        targets = draw_measured_targets(genes[~_on_axis(genes)], n_perturbations, rng)
    else:
        targets = draw_targets(n_perturbations, rng)
    module = _modules(targets["cluster"].to_numpy(), n_modules)
    axis = _axis(genes, rng)
    # A gamma of shape 1.2: mean 1, many small loadings, a few several times the mean.
    loading = rng.gamma(1.2, 1 / 1.2, n_perturbations)
    inert = np.zeros(n_perturbations, dtype=bool)
    inert[rng.permutation(n_perturbations)[: round(inert_fraction * n_perturbations)]] = True
    if axis_strength == 0 and specific_strength == 0:
        inert[:] = True
    loading = np.where(inert, 0.0, loading)
    rows, columns, lfc = _programs(module, np.flatnonzero(axis == 0), module_share, rng)
    lfc = np.where(inert[rows], 0.0, lfc * specific_strength)

    total = axis_strength * loading[:, None] * axis
    np.add.at(total, (rows, columns), lfc)
    position = {gene: column for column, gene in enumerate(genes)}
    for row, target in enumerate(targets["target"]):
        if target in position and not inert[row]:
            # What is left of the target's own product is set, independent of other effects on it.
            total[row, position[target]] = np.log(knockdown)
    nonzero = lfc != 0
    names = targets["target"].to_numpy(dtype=object)
    return PlantedEffects(names, axis, loading, module, inert, rows[nonzero], columns[nonzero], lfc[nonzero], total)


def _axis(genes: npt.NDArray[np.object_], rng: np.random.Generator) -> FloatArray:
    """Mitochondrial genes and stress up, ribosomal proteins down; 1 is a typical mitochondrial gene."""
    jitter = rng.uniform(0.7, 1.3, len(genes))
    return jitter * np.select(_classes(genes), [1.0, -0.5, 0.7], 0.0)


def _classes(genes: npt.NDArray[np.object_]) -> list[BoolArray]:
    """Masks of mitochondrial, ribosomal and stress genes."""
    stress = np.isin(genes, [gene for name in _STRESS for gene in set_members(name)])
    mt = np.array([gene.startswith("MT-") for gene in genes])
    return [mt, np.isin(genes, set_members("ribo")), stress]


def _on_axis(genes: npt.NDArray[np.object_]) -> BoolArray:
    return np.any(_classes(genes), axis=0)


def _modules(cluster: IntArray, n_modules: int) -> IntArray:
    """Cut the targets, in the order of their published clusters, into equal modules: pathways stay together."""
    order = np.argsort(cluster, kind="stable")
    module = np.empty(len(cluster), dtype=np.int64)
    module[order] = np.arange(len(cluster)) * n_modules // len(cluster)
    return module


def _programs(
    module: IntArray, candidates: IntArray, module_share: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray, FloatArray]:
    """Genes and unit log fold changes of each perturbation; `module_share` of the genes come from its module."""
    low, high = _PROGRAM_SIZE
    most = min(high, len(candidates) // 2)
    n_modules = int(module.max()) + 1
    shared_genes = [rng.choice(candidates, most, replace=False) for _ in range(n_modules)]
    shared_lfc = [rng.standard_normal(most) for _ in range(n_modules)]
    rows, columns, values = [], [], []
    for row, group in enumerate(module):
        size = int(rng.integers(min(low, most), most + 1))
        n_shared = round(module_share * size)
        strength = rng.gamma(4.0, 0.25)
        own = rng.choice(np.setdiff1d(candidates, shared_genes[group]), size - n_shared, replace=False)
        # The first genes of the module's program are those that all its members move.
        columns.append(np.concatenate([shared_genes[group][:n_shared], own]))
        values.append(strength * np.concatenate([shared_lfc[group][:n_shared], rng.standard_normal(size - n_shared)]))
        rows.append(np.full(size, row))
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
