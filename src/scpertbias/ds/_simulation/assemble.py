"""AnnData from simulated counts, and its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from ..._core.arrays import IntArray
from .._sets import confounder_sets
from .expected import expected_profiles, gene_set_share, systematic_share
from .panel import CONTROL, is_mitochondrial

if TYPE_CHECKING:
    import numpy.typing as npt

    from .planted import PlantedEffects
    from .sampling import Population, SimulatedCells

TRUTH = "scpertbias_truth"
_N_CONTROL_GUIDES = 10


def design(
    n_cells: int, n_perturbations: int, control_fraction: float, n_batches: int, seed: np.random.SeedSequence
) -> tuple[IntArray, IntArray, IntArray]:
    """Group (0 is the control), batch and guide number of each cell, in random order."""
    rng = np.random.default_rng(seed)
    n_control = max(1, round(control_fraction * n_cells))
    n_perturbed = n_cells - n_control
    # One cell each, the rest by uneven weights: screens never have equal numbers of cells.
    weights = rng.dirichlet(np.full(n_perturbations, 8.0))
    sizes = 1 + rng.multinomial(n_perturbed - n_perturbations, weights)
    group = rng.permutation(np.repeat(np.arange(n_perturbations + 1), [n_control, *sizes]))
    batch = rng.integers(n_batches, size=n_cells)
    guide = rng.integers(np.where(group == 0, _N_CONTROL_GUIDES, 2))
    return group, batch, guide


def describe_cells(
    chunks: list[SimulatedCells], targets: npt.NDArray[np.object_], group: IntArray, batch: IntArray, guide: IntArray
) -> pd.DataFrame:
    """Labels and totals of the cells."""
    control_guides = [f"{CONTROL}_{number + 1:02d}" for number in range(_N_CONTROL_GUIDES)]
    guides = np.array(control_guides + [f"{target}_g{number}" for target in targets for number in (1, 2)], dtype=object)
    code = np.where(group == 0, guide, _N_CONTROL_GUIDES + 2 * (group - 1) + guide)
    totals = np.concatenate([chunk.totals for chunk in chunks])
    percent = 100 * np.concatenate([chunk.set_totals for chunk in chunks]) / np.maximum(totals, 1)[:, None]
    return pd.DataFrame(
        {
            "perturbation": _categorical(group, np.array([CONTROL, *targets], dtype=object)),
            "guide": _categorical(code, guides),
            "gem_group": _categorical(batch, np.array([str(s + 1) for s in range(batch.max() + 1)], dtype=object)),
            "total_counts": totals.astype(np.float32),
            "pct_counts_mt": percent[:, 0].astype(np.float32),
            "pct_counts_ribo": percent[:, 1].astype(np.float32),
        },
        index=pd.Index([f"cell_{i}" for i in range(len(group))]),
    )


def _categorical(codes: IntArray, labels: npt.NDArray[np.object_]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, labels).remove_unused_categories()


def assemble(chunks: list[SimulatedCells], obs: pd.DataFrame, genes: pd.Series, *, keep_counts: bool) -> AnnData:
    """Join the chunks into sparse matrices."""
    n_stored = np.concatenate([chunk.n_stored for chunk in chunks])
    indptr = np.concatenate([[0], np.cumsum(n_stored)])
    indptr = indptr.astype(np.int32 if indptr[-1] < 2**31 else np.int64)
    indices = np.concatenate([chunk.indices for chunk in chunks])
    shape = (len(obs), len(genes))
    counts = np.concatenate([chunk.counts for chunk in chunks])
    scale = np.concatenate([1e4 / np.maximum(chunk.totals, 1) for chunk in chunks]).astype(np.float32)
    values = np.repeat(scale, n_stored)
    values *= counts
    np.log1p(values, out=values)
    matrix = sparse.csr_matrix((values, indices, indptr), shape=shape)
    adata = AnnData(matrix, obs=obs, var=pd.DataFrame(index=pd.Index(genes.astype(str).to_numpy())))
    if keep_counts:
        # Arrays of its own: in-place changes of one matrix must not reach the other.
        adata.layers["counts"] = sparse.csr_matrix((counts, indices.copy(), indptr.copy()), shape=shape)
    return adata


def truth(
    parameters: dict[str, Any], effects: PlantedEffects, population: Population, genes: pd.Series, *, n_jobs: int
) -> dict[str, Any]:
    """Return the simulated truth and the expected log-normalized profiles."""
    profiles = expected_profiles(population, n_jobs=n_jobs)
    delta = profiles[1:] - profiles[0]
    sets = confounder_sets()
    share = {
        name: gene_set_share(delta, genes.isin(group["target"]).to_numpy()) for name, group in sets.groupby("source")
    }
    share["mt"] = gene_set_share(delta, is_mitochondrial(genes))
    share["systematic"] = systematic_share(delta)
    names = effects.targets.astype(str)
    symbols = genes.to_numpy(dtype=str)
    return {
        "parameters": dict(parameters),
        "genes": symbols,
        "axis": effects.axis,
        "perturbations": names,
        "loading": effects.loading,
        "module": effects.module,
        "inert": effects.inert,
        "program_perturbation": names[effects.program_row],
        "program_gene": symbols[effects.program_gene],
        "program_lfc": effects.program_lfc,
        "expected_control": profiles[0].astype(np.float32),
        "expected_delta": delta.astype(np.float32),
        "share": share,
    }
