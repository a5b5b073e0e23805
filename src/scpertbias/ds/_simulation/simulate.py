"""A simulated Perturb-seq screen with a known truth."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import scanpy as sc

from .assemble import TRUTH, assemble, describe_cells, design, truth
from .panel import default_depth, gene_panel, is_mitochondrial, set_members
from .planted import plant_effects
from .sampling import Population, draw_cells

if TYPE_CHECKING:
    from anndata import AnnData


def simulate(
    n_cells: int = 20_000,
    n_genes: int = 1187,
    n_perturbations: int = 150,
    *,
    axis_strength: float = 0.3,
    specific_strength: float = 0.5,
    inert_fraction: float = 0.1,
    n_modules: int = 10,
    module_share: float = 0.5,
    knockdown: float = 0.2,
    measured_targets: bool = False,
    control_fraction: float = 0.08,
    depth: float | None = None,
    depth_sd: float = 0.35,
    cell_axis_sd: float = 0.1,
    n_batches: int = 1,
    batch_strength: float = 0.05,
    keep_counts: bool = True,
    n_jobs: int | None = None,
    rng: int | np.random.Generator | None = 0,
) -> AnnData:
    """Simulate a Perturb-seq screen with a confounding axis and known effects, calibrated to K562 cells.

    Counts are negative binomial. The means and the dispersion of the genes are those of K562 cells; the depth of the
    cells is log-normal. Genes and targets have the names of a published genome-scale screen
    :cite:p:`replogle2022,lopez2023`. Effects on the logarithm of the mean have two parts. The *global axis* is the same
    for all perturbations: mitochondrial and stress genes go up, ribosomal proteins go down. Each perturbation has a
    loading, the size of its effect along this axis. The *program* of each perturbation changes 20–40 other genes; part
    of the program is common to all perturbations of a module.

    Parameters
    ----------
    n_cells
        Number of cells, including control cells.
    n_genes
        Number of genes. The default, 1,187, is the published panel of 1,186 genes and one more gene. Smaller panels
        keep the proportion of mitochondrial and ribosomal genes; larger ones add the next most expressed genes.
    n_perturbations
        Number of perturbations, without the control.
    axis_strength
        Natural-log fold change of a typical mitochondrial gene in a perturbation of average loading; 0: no axis.
    specific_strength
        Standard deviation of the natural-log fold changes in the programs; 0: no programs. If both strengths are 0,
        there is no effect at all, not even on the target gene.
    inert_fraction
        Proportion of perturbations without any effect.
    n_modules
        Number of modules (pathways) of the perturbations.
    module_share
        Proportion of the program that a perturbation shares with its module.
    knockdown
        Expression of a measured target that remains, as a proportion; 1: no knock-down.
    measured_targets
        Whether every target is a measured gene (not mitochondrial, ribosomal or stress). In the published panel most
        targets are not measured.
    control_fraction
        Proportion of cells with a non-targeting guide.
    depth
        Mean number of UMIs per cell in these genes. By default 3,000 for 1,187 genes. For other numbers of genes, the
        default is scaled by the total expression of the genes.
    depth_sd
        Standard deviation of the log depth.
    cell_axis_sd
        Standard deviation of the positions of single cells on the axis; control cells vary, too. With a value above 0,
        genes correlate among control cells.
    n_batches
        Number of batches.
    batch_strength
        Standard deviation of the natural-log fold changes of genes between batches.
    keep_counts
        Keep the counts in `layers["counts"]`.
    n_jobs
        Number of threads; by default `scanpy.settings.n_jobs`. The result does not depend on it.
    rng
        Seed or generator. The truth does not depend on `n_cells`.

    Returns
    -------
    Cells × genes.

    - `X`: log-normalized values, `log1p(1e4 * counts / total)`, float32 CSR.
    - `layers["counts"]`: counts, float32 CSR.
    - `obs`: `perturbation` (control: `non-targeting`), `guide` (two per target), `gem_group` (the batch),
      `total_counts`, `pct_counts_mt`, `pct_counts_ribo`.
    - `uns["scpertbias_truth"]`: the simulated truth. `parameters`, `genes`, `axis`, `perturbations`, `loading`,
      `module` and `inert` describe the simulation. `program_perturbation`, `program_gene` and `program_lfc` are the
      programs. `expected_control` is the expected log-normalized profile of the control, and `expected_delta`
      (perturbations × genes) are the expected effects, without batch effects. `share` is the share of the squared
      effects in each set of :func:`~scpertbias.ds.confounder_sets`, and along the shared axis (`systematic`).

    Raises
    ------
    ValueError
        If a parameter is out of range, or there are more perturbations than cells.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.simulate(1_000, 200, 10)
    >>> adata.shape
    (1000, 200)
    >>> adata.uns["scpertbias_truth"]["expected_delta"].shape
    (10, 200)
    """
    parameters = {name: value for name, value in locals().items() if name not in ("keep_counts", "n_jobs", "rng")}
    check_parameters(parameters)
    n_jobs = int(sc.settings.n_jobs) if n_jobs is None else n_jobs
    n_jobs = n_jobs if n_jobs > 0 else os.cpu_count() or 1
    # Planting and drawing have seeds of their own, so that the truth does not depend on the number of cells.
    effect_seed, cell_seed = _seeds(rng)
    effect_rng = np.random.default_rng(effect_seed)

    panel = gene_panel(n_genes)
    parameters["depth"] = default_depth(panel) if depth is None else float(depth)
    effects = plant_effects(
        panel,
        n_perturbations,
        axis_strength=axis_strength,
        specific_strength=specific_strength,
        inert_fraction=inert_fraction,
        n_modules=min(n_modules, n_perturbations),
        module_share=module_share,
        knockdown=knockdown,
        measured_targets=measured_targets,
        rng=effect_rng,
    )
    batch_factor = np.exp(batch_strength * effect_rng.standard_normal((n_batches, n_genes)) * (n_batches > 1))
    base = panel["relative_expression"].to_numpy() / panel["relative_expression"].sum()
    rate = base * np.exp(np.vstack([np.zeros(n_genes), effects.lfc]))
    population = Population(
        rate, batch_factor, panel["size"].to_numpy(), effects.axis, cell_axis_sd, parameters["depth"], depth_sd
    )
    members = (is_mitochondrial(panel["gene"]), panel["gene"].isin(set_members("ribo")).to_numpy())
    obs_seed, count_seed = cell_seed.spawn(2)
    group, batch, guide = design(n_cells, n_perturbations, control_fraction, n_batches, obs_seed)
    chunks = draw_cells(population, group, batch, members=members, seed=count_seed, n_jobs=n_jobs)
    obs = describe_cells(chunks, effects.targets, group, batch, guide)
    adata = assemble(chunks, obs, panel["gene"], keep_counts=keep_counts)
    adata.uns[TRUTH] = truth(parameters, effects, population, panel["gene"], n_jobs=n_jobs)
    return adata


def _seeds(rng: int | np.random.Generator | None) -> list[np.random.SeedSequence]:
    """Seeds for the effects and for the cells."""
    entropy = np.random.default_rng(rng).integers(2**63, size=2)
    return [np.random.SeedSequence(int(number)) for number in entropy]


_AT_LEAST = {"n_cells": 10, "n_genes": 10, "n_perturbations": 1, "n_modules": 1, "n_batches": 1}
_RANGES = {
    "axis_strength": (0.0, 5.0),
    "specific_strength": (0.0, 5.0),
    "inert_fraction": (0.0, 1.0),
    "module_share": (0.0, 1.0),
    "depth_sd": (0.0, 1.0),
    "cell_axis_sd": (0.0, 0.5),
    "batch_strength": (0.0, 2.0),
}


def check_parameters(parameters: dict[str, Any]) -> None:
    """Raise an error for parameters of `simulate` that do not define a screen."""
    for name, least in _AT_LEAST.items():
        value = parameters[name]
        if int(value) != value or value < least:
            msg = f"{name} must be an integer of at least {least}, found {value!r}."
            raise ValueError(msg)
    for name, (low, high) in _RANGES.items():
        if not low <= parameters[name] <= high:
            msg = f"{name} must lie between {low:g} and {high:g}, found {parameters[name]!r}."
            raise ValueError(msg)
    if not 0 < parameters["knockdown"] <= 1:
        msg = f"knockdown is {parameters['knockdown']!r}; it must be the remaining share of expression, above 0 and at most 1."
        raise ValueError(msg)
    if not 0 < parameters["control_fraction"] < 1:
        msg = f"control_fraction must lie between 0 and 1, both excluded, found {parameters['control_fraction']!r}."
        raise ValueError(msg)
    depth = parameters["depth"]
    if depth is not None and not (math.isfinite(depth) and 1 <= depth <= 1e6):
        msg = f"depth is {depth!r}; it must be a mean number of UMIs per cell from 1 to 1,000,000. Omit it to use the depth of K562 cells."
        raise ValueError(msg)
    n_perturbed = parameters["n_cells"] - round(parameters["control_fraction"] * parameters["n_cells"])
    if n_perturbed < parameters["n_perturbations"]:
        msg = (
            f"n_perturbations={parameters['n_perturbations']} is more than the {n_perturbed} cells that are not controls; "
            "increase n_cells or use fewer perturbations."
        )
        raise ValueError(msg)
