"""Perturb-seq screens with a known truth, for tests of claims about nulls, intervals and verdicts.

The simulator shares no code with the package that it tests. A screen is planted once and its cells are drawn as often
as wanted::

    world = screen("nested", "own", n_genes=500).plant(seed=1)  # genes, effects, batches, who is where: fixed
    adata = world.draw(seed=2)  # cells: new with every seed
    adata = draw(3, shape="uneven", plant="pathway")  # both at once

``world.draw`` with many seeds repeats one screen (perturbations fixed, cells vary); ``draw`` with many seeds repeats
the study (perturbations vary too).

Model
-----
The rate of gene g in cell i of perturbation p and batch b is ::

    share_g · exp(state_i · loading_g - |loading_g|²/2 + batch_bg + log_fold_pg)

times the library size of the cell (lognormal, by batch and perturbation where asked), with gamma or lognormal noise of
mean 1 for every cell and gene, then counted. What a rise of some genes does to the others is the ``closure``:

``none``
    Nothing. The total is the library size, as if the genes were a small part of a transcriptome; it is in
    ``obs["total"]`` and is not the sum of the counts.
``open``
    Counts of other genes stay, the total rises with the effect, so *normalized* values of other genes fall.
``relative``
    Shares are scaled to sum to 1, so counts of other genes fall; the total is random about the library size.
``fixed``
    As ``relative``, and the counts are multinomial: their sum is exactly the library size.

Truth
-----
``uns["truth"]`` holds expected means of log1p(1e4 · count / total) by perturbation and batch. Counts are integrated out
(a table of the expectation of log1p over Poisson or binomial counts and Poisson totals); states, library sizes and
noise of ``truth_cells`` cells are stratified draws that *all* perturbations, batches and the control share. So an
effect that was not planted is exactly 0, and the error of an effect is a small part of the effect:
``truth["means_error"]`` and ``truth["effects_error"]`` are standard errors (root mean square over genes and
perturbations) between four independent quarters of those cells. The table itself is right to
1e-4 of a mean (4e-4 at totals of 60, 3e-3 at totals of 25) and to less of a difference. With the default of 256 cells
the error of a mean is about 0.005 and that of an effect about 0.4 % of it; with 8,192 cells, means over 40,000 cells
drawn lie about the expected ones as their standard errors say, for all count models and closures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, get_args

import anndata as ad
import numpy as np
import pandas as pd
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray
from scipy import sparse
from scipy.interpolate import CubicSpline
from scipy.special import gammainccinv, gammaincinv, gammaln, ndtri
from scipy.stats import qmc

__all__ = [
    "DESIGNS",
    "PLANTED",
    "Screen",
    "World",
    "axis_share",
    "common_share",
    "draw",
    "normalize",
    "screen",
    "set_share",
]

Array = NDArray[np.float64]
Design = Literal["one", "balanced", "random", "nested", "uneven", "other_lot"]
Tails = Literal["equal", "gamma", "lognormal", "pareto"]
GeneTails = Literal["normal", "heavy"]
CountModel = Literal["negative_binomial", "poisson_lognormal", "poisson"]
Closure = Literal["none", "open", "relative", "fixed"]

CONTROL = "control"
SCALE = 1e4
QUARTERS = 4
CHUNK = 1 << 19


def _names(text: str, prefix: str = "") -> tuple[str, ...]:
    """Split a list of names."""
    return tuple(prefix + name for name in text.split())


_RIBO = """
L3 S3 L5 S6 L7 S8 L10 S12 L11 S14 L13 S18 L15 S19 L18 S23 L19 S24 L23 S27
L26 S28 L27 S2 L28 S5 L30 S7 L32 S9 L34 S11 L35 S13 L37 S15 L38 S16 L39 S20
"""
_CELL_CYCLE = "MKI67 TOP2A CDK1 CCNB1 PCNA MCM5 TYMS CCNB2 AURKA BIRC5 MCM2 CDC20 UBE2C CENPF RRM2 TPX2"

GENE_SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mt": _names("CO1 CO2 CO3 ND1 ND2 ND3 ND4 ND4L ND5 ND6 CYB ATP6 ATP8", "MT-"),
        "ribo": _names(_RIBO, "RP"),
        "heat_shock": _names("HSPA1A HSPA1B DNAJB1 HSPA8 HSPH1 HSPB1 HSPD1 HSPE1"),
        "upr_isr": _names("DDIT3 ATF4 ATF3 HSPA5 XBP1 TRIB3 ASNS CHAC1"),
        "cell_cycle": _names(_CELL_CYCLE),
    }
)
"""Genes of the sets that a panel has; a panel takes the first ones of each."""

_SET_PARTS = {"mt": 0.05, "ribo": 0.12, "heat_shock": 0.03, "upr_isr": 0.03, "cell_cycle": 0.05}
_SET_LEVELS = {"mt": 2.0, "ribo": 1.5, "heat_shock": 0.5, "upr_isr": 0.0, "cell_cycle": 0.0}


@dataclass(frozen=True)
class Screen:
    """Everything that a simulated screen depends on but the seed.

    Strengths of effects are root mean squares of natural log-fold changes over all genes and over the perturbations
    that carry them, so that screens with light and heavy tails, sparse and dense effects hold a similar response.

    Parameters
    ----------
    n_genes, n_perturbations, n_control
        Size of the panel, of the library, and number of control cells.
    cells_per_perturbation
        A number, or (median, standard deviation of the log) of lognormal numbers.
    design
        Where cells are. ``one`` batch; ``balanced``: as even as can be; ``random``: each cell in a random batch;
        ``nested``: each perturbation in one batch, control in all; ``uneven``: batch proportions of each perturbation
        are Dirichlet, control even; ``other_lot``: perturbations in the first half of the batches, control in the
        other half, but for a part ``lot_leak`` of either.
    n_batches, concentration, lot_leak, fewest_controls
        ``concentration`` is that of the Dirichlet; each batch has at least ``fewest_controls`` controls.
    batch_strength, batch_genes, batch_depth
        Standard deviation of log batch effects, part of the genes that have one, standard deviation of the log of the
        median library size of batches.
    count_model, dispersion, dispersion_spread
        Noise of each cell and gene about its rate has variance ``dispersion`` (median over genes; lognormal with
        standard deviation ``dispersion_spread`` of the log), gamma for ``negative_binomial``.
    library, library_spread, gene_spread
        Median library size, standard deviation of its log; standard deviation of log shares of genes.
    n_states, state_strength
        Number of latent factors of all cells (the first moves cell-cycle genes, the second MT, RP and stress genes,
        all move many others) and root mean square of their loadings.
    closure
        ``none``, ``open``, ``relative`` or ``fixed``; see the head of this file.
    tails
        Sizes of perturbations: ``equal``, ``gamma``, ``lognormal`` or ``pareto`` (few carry most of the response).
    largest_size
        Sizes are cut to this before they are scaled; the smallest possible one of ``pareto`` is 1.
    gene_density, gene_tails
        Part of the genes that a direction moves, and whether its changes are normal or heavy (t with 3 degrees of
        freedom).
    own_strength, own_fraction, own_by, orthogonal
        Effects in directions of their own, of a fraction of all perturbations or of those that are not on the axis
        (``others``); ``orthogonal``: no two perturbations move the same gene.
    axis_strength, axis_carriers, axis_signs
        Effects along one direction, carried by a number of perturbations (None: all), with signs ``alike`` or
        ``mixed``.
    set_changes, set_fraction
        Log-fold changes of whole gene sets, moved by a fraction of the perturbations.
    mediator_strength, n_mediators
        Each perturbation acts through one or two of ``n_mediators`` genes, each of which moves itself and a direction.
    knock_down
        Log-fold change of the target gene in each perturbation whose target is measured.
    depth_spread
        Standard deviation of the log library size between perturbations.
    escape
        Part of the perturbed cells that have no effect.
    limit
        Log-fold changes are cut to ± this.
    truth_cells
        Cells over which the truth is averaged; 0 for none.
    """

    n_genes: int = 300
    n_perturbations: int = 40
    cells_per_perturbation: int | tuple[int, float] = 60
    n_control: int = 600
    design: Design = "balanced"
    n_batches: int = 3
    concentration: float = 1.0
    lot_leak: float = 0.1
    fewest_controls: int = 0
    batch_strength: float = 0.2
    batch_genes: float = 0.5
    batch_depth: float = 0.1
    count_model: CountModel = "negative_binomial"
    dispersion: float = 0.3
    dispersion_spread: float = 0.6
    library: float = 3000.0
    library_spread: float = 0.4
    gene_spread: float = 1.3
    n_states: int = 3
    state_strength: float = 0.2
    closure: Closure = "relative"
    tails: Tails = "gamma"
    largest_size: float = float("inf")
    gene_density: float = 1.0
    gene_tails: GeneTails = "normal"
    own_strength: float = 0.0
    own_fraction: float = 1.0
    own_by: Literal["all", "others"] = "all"
    orthogonal: bool = False
    axis_strength: float = 0.0
    axis_carriers: int | None = None
    axis_signs: Literal["alike", "mixed"] = "alike"
    set_changes: tuple[tuple[str, float], ...] = ()
    set_fraction: float = 0.7
    mediator_strength: float = 0.0
    n_mediators: int = 3
    knock_down: float = 0.0
    depth_spread: float = 0.0
    escape: float = 0.0
    limit: float = 3.0
    truth_cells: int = 256

    def __post_init__(self) -> None:
        """Check the settings."""
        choices = {
            "design": get_args(Design),
            "tails": get_args(Tails),
            "gene_tails": get_args(GeneTails),
            "count_model": get_args(CountModel),
            "closure": get_args(Closure),
            "own_by": ("all", "others"),
            "axis_signs": ("alike", "mixed"),
        }
        for name, values in choices.items():
            if getattr(self, name) not in values:
                msg = f"{name} must be one of {', '.join(values)}, not {getattr(self, name)!r}"
                raise ValueError(msg)
        for name, _ in self.set_changes:
            if name not in GENE_SETS:
                msg = f"no gene set {name!r}; there are {', '.join(GENE_SETS)}"
                raise ValueError(msg)
        if self.n_genes < 20 or self.n_perturbations < 1 or self.n_control < 1 or self.n_batches < 1:
            msg = "a screen needs at least 20 genes, a perturbation, a control cell and a batch"
            raise ValueError(msg)
        if self.design == "other_lot" and self.n_batches < 2:
            msg = "other_lot needs at least 2 batches"
            raise ValueError(msg)
        if self.axis_carriers is not None and not 0 <= self.axis_carriers <= self.n_perturbations:
            msg = "axis_carriers must lie between 0 and n_perturbations"
            raise ValueError(msg)
        if self.orthogonal and self.n_genes < self.n_perturbations:
            msg = "orthogonal effects need at least as many genes as perturbations"
            raise ValueError(msg)
        if self.fewest_controls * self.batches > self.n_control:
            msg = "n_control is less than fewest_controls in each batch"
            raise ValueError(msg)
        for name in ("escape", "own_fraction", "set_fraction", "gene_density", "batch_genes", "lot_leak"):
            if not 0 <= getattr(self, name) <= 1:
                msg = f"{name} must lie between 0 and 1"
                raise ValueError(msg)

    @property
    def batches(self) -> int:
        """Number of batches in use: 1 where the design is ``one``."""
        return 1 if self.design == "one" else self.n_batches

    def plant(self, seed: int) -> World:
        """Fix genes, effects, batches and the number of cells everywhere.

        Parameters
        ----------
        seed
            Seed of the world. Genes, layout, batches and each kind of effect have streams of their own, so that two
            screens that differ in one of them are alike in all others.

        Returns
        -------
        World
            What cells are drawn from.
        """
        return _plant(self, seed)


@dataclass(frozen=True)
class World:
    """A screen whose genes, effects, batches and cell numbers are fixed.

    Attributes
    ----------
    screen
        The settings.
    seed
        Seed of the world.
    genes
        Frame by gene: ``set``, ``share`` (expected part of the counts in control), ``dispersion``.
    log_share, loadings
        Log shares in control (genes) and loadings of states (states by genes).
    batch_effects, batch_depth
        Log changes by batch (batches by genes; batches).
    log_fold, depth
        Planted log-fold changes (perturbations by genes) and log changes of library size (perturbations).
    cells
        Number of cells by label (control first) and batch.
    perturbations
        Frame by perturbation: what it carries.
    truth
        What ``uns["truth"]`` of each draw holds: ``cells``, ``perturbations`` (frames as above); ``genes``,
        ``labels``, ``batches`` (names, control first); ``log_fold``, ``depth``; ``axis_direction``;
        and unless ``truth_cells`` is 0: ``means_by_batch`` (labels by batches by genes, NaN where a perturbation has no
        cell), ``means`` (labels by genes, weighed by the cells drawn), ``effects`` (perturbations by genes: means less
        those of the control in the same batches), ``effects_pooled`` (means less that of the control, as they would
        be without regard to batches), ``squared_effect`` (by perturbation), ``axis_share``, ``axis_by_perturbation``,
        ``common_share``, ``set_shares``, ``means_error``, ``effects_error``.
    """

    screen: Screen
    seed: int
    genes: pd.DataFrame
    log_share: Array
    loadings: Array
    batch_effects: Array
    batch_depth: Array
    log_fold: Array
    depth: Array
    cells: pd.DataFrame
    perturbations: pd.DataFrame
    truth: dict[str, Any] = field(repr=False)

    def draw(self, seed: int) -> ad.AnnData:
        """Draw the cells.

        Parameters
        ----------
        seed
            Seed of the cells. Each label has a stream of its own: the cells of one do not depend on the number of
            cells of others.

        Returns
        -------
        AnnData
            Raw counts (CSR, float32), cells in random order; ``obs``: ``perturbation``, ``batch``, ``total``;
            ``var``: ``set``, ``share``, ``dispersion``; ``uns["truth"]``.
        """
        return _draw_cells(self, seed)


# ---------------------------------------------------------------------------------------------------- tables of shapes

DESIGNS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "one_batch": MappingProxyType({"design": "one"}),
    "balanced": MappingProxyType({"design": "balanced", "n_batches": 3}),
    "random": MappingProxyType({"design": "random", "n_batches": 3}),
    "nested": MappingProxyType({"design": "nested", "n_batches": 4}),
    "uneven": MappingProxyType({"design": "uneven", "n_batches": 3, "concentration": 1.0}),
    "control_of_another_lot": MappingProxyType({
        "design": "other_lot", "n_batches": 2, "n_control": 400, "lot_leak": 0.1, "fewest_controls": 20,
    }),
    "few_controls": MappingProxyType({"design": "balanced", "n_batches": 4, "n_control": 44}),
    "small_panel": MappingProxyType({
        "design": "balanced", "n_batches": 2, "n_genes": 30, "n_perturbations": 12, "n_control": 200, "library": 400.0,
    }),
})  # fmt: skip
"""Shapes of screens, as settings of `Screen`; by themselves they are null screens with batch effects."""

PLANTED: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "none": MappingProxyType({}),
    "own": MappingProxyType({"own_strength": 0.12}),
    "own_strong": MappingProxyType({"own_strength": 0.2, "orthogonal": True}),
    "own_sparse": MappingProxyType({
        "own_strength": 0.12, "gene_density": 0.05, "gene_tails": "heavy", "tails": "lognormal",
    }),
    "few_strong": MappingProxyType({
        "own_strength": 0.4, "own_fraction": 0.25, "orthogonal": True, "tails": "equal",
    }),
    "axis": MappingProxyType({"axis_strength": 0.15, "own_strength": 0.05}),
    "axis_heavy": MappingProxyType({"axis_strength": 0.15, "own_strength": 0.05, "tails": "pareto"}),
    "pathway": MappingProxyType({
        "axis_strength": 0.3, "axis_carriers": 5, "own_strength": 0.08, "own_by": "others", "gene_density": 0.3,
    }),
    "pathway_alone": MappingProxyType({"axis_strength": 0.3, "axis_carriers": 5, "gene_density": 0.3}),
    "sets": MappingProxyType({
        "set_changes": (("mt", 0.4), ("ribo", -0.25), ("heat_shock", 0.4), ("upr_isr", 0.4)), "own_strength": 0.05,
    }),
    "mt_rise": MappingProxyType({"set_changes": (("mt", 0.6),), "set_fraction": 1.0, "closure": "relative"}),
    "batch_only": MappingProxyType({
        "design": "uneven", "concentration": 0.5, "n_batches": 3, "batch_strength": 0.5, "batch_depth": 0.2,
    }),
    "depth_only": MappingProxyType({"depth_spread": 0.3}),
    "mediators": MappingProxyType({"mediator_strength": 0.15, "n_mediators": 3, "gene_density": 0.3}),
    "target_gene_only": MappingProxyType({"knock_down": -1.5, "closure": "none"}),
})  # fmt: skip
"""What is planted, as settings of `Screen`."""


def screen(shape: str = "balanced", plant: str = "none", **changes: Any) -> Screen:
    """Take settings from the tables of shapes.

    Parameters
    ----------
    shape
        A name in `DESIGNS`.
    plant
        A name in `PLANTED`; its settings hold over those of the shape.
    changes
        Settings of `Screen` that hold over both.

    Returns
    -------
    Screen
        The settings.
    """
    return replace(Screen(), **{**DESIGNS[shape], **PLANTED[plant], **changes})


def draw(seed: int, *, shape: str = "balanced", plant: str = "none", **changes: Any) -> ad.AnnData:
    """Plant a screen and draw its cells, both by one seed.

    Parameters
    ----------
    seed
        Seed of the world and of its cells (independent streams).
    shape, plant, changes
        As in `screen`.

    Returns
    -------
    AnnData
        As of `World.draw`.
    """
    return screen(shape, plant, **changes).plant(seed).draw(seed)


def normalize(adata: ad.AnnData, *, keep_counts: bool = False) -> ad.AnnData:
    """Bring log1p(1e4 · count / total) into X.

    Parameters
    ----------
    adata
        A screen; ``obs["total"]`` is the total of each cell.
    keep_counts
        Whether ``layers["counts"]`` keeps the counts.

    Returns
    -------
    AnnData
        A new object with the same ``obs``, ``var`` and ``uns``.
    """
    counts = adata.X
    total = adata.obs["total"].to_numpy(dtype=float)
    factor = np.divide(SCALE, total, out=np.zeros_like(total), where=total > 0)
    values = np.log1p(counts.data * np.repeat(factor, np.diff(counts.indptr))).astype(np.float32)
    matrix = sparse.csr_matrix((values, counts.indices.copy(), counts.indptr.copy()), shape=counts.shape)
    layers = {"counts": counts.copy()} if keep_counts else None
    return ad.AnnData(matrix, obs=adata.obs.copy(), var=adata.var.copy(), uns=dict(adata.uns), layers=layers)


# ------------------------------------------------------------------------------------------------------ shares of truth


def set_share(effects: Array, genes: NDArray[np.bool_]) -> float:
    """Part of the sum of squares of effects that lies on some genes.

    Parameters
    ----------
    effects
        Perturbations by genes.
    genes
        Mask of genes.

    Returns
    -------
    float
        The share; NaN where there is no effect.
    """
    total = float(np.square(effects).sum())
    return float(np.square(effects[:, genes]).sum()) / total if total > 0 else float("nan")


def axis_share(effects: Array) -> tuple[float, Array]:
    """Part of the sum of squares of effects along the axis that the other perturbations have in common.

    Of each perturbation: the square of its projection onto the sum of the effects of all others, 0 where that sum is
    0.

    Parameters
    ----------
    effects
        Perturbations by genes.

    Returns
    -------
    tuple
        The share (NaN where there is no effect) and the sum of squares on the axis, by perturbation.
    """
    others = effects.sum(axis=0) - effects
    norm = np.square(others).sum(axis=1)
    product = np.einsum("pg,pg->p", effects, others)
    usable = norm > 1e-20 * max(float(np.square(effects).sum()), 1e-300)
    own = np.divide(np.square(product), norm, out=np.zeros_like(norm), where=usable)
    total = float(np.square(effects).sum())
    return (float(own.sum()) / total if total > 0 else float("nan")), own


def common_share(effects: Array) -> float:
    """Part of the sum of squares that is one and the same shift of all perturbations.

    Parameters
    ----------
    effects
        Perturbations by genes.

    Returns
    -------
    float
        Mean product of two different perturbations over the mean square; NaN where there is no effect.
    """
    total = float(np.square(effects).sum())
    if total <= 0 or len(effects) < 2:
        return float("nan")
    return (float(np.square(effects.sum(axis=0)).sum()) - total) / ((len(effects) - 1) * total)


# ------------------------------------------------------------------------------------------------------------- planting


def _plant(config: Screen, seed: int) -> World:
    """Draw everything but the cells."""
    streams = SeedSequence(seed).spawn(2)[0].spawn(10)
    rngs = [np.random.default_rng(stream) for stream in streams]
    labels = [f"TARGET{i + 1:03d}" for i in range(config.n_perturbations)]
    genes, log_share, loadings = _panel(config, labels, rngs[0])
    cells = _layout(config, labels, rngs[1], rngs[2])
    batch_effects = rngs[3].normal(0, config.batch_strength, (config.batches, config.n_genes))
    batch_effects *= rngs[3].random((1, config.n_genes)) < config.batch_genes
    batch_depth = rngs[3].normal(0, config.batch_depth, config.batches)
    if config.batches == 1:
        batch_effects, batch_depth = np.zeros_like(batch_effects), np.zeros(1)
    log_fold, depth, direction, table = _effects(config, genes, labels, rngs[4:9])
    world = World(
        screen=config, seed=seed, genes=genes, log_share=log_share, loadings=loadings, batch_effects=batch_effects,
        batch_depth=batch_depth, log_fold=log_fold, depth=depth, cells=cells, perturbations=table, truth={},
    )  # fmt: skip
    truth: dict[str, Any] = {
        "labels": cells.index.to_numpy(dtype=object),
        "genes": genes.index.to_numpy(dtype=object),
        "batches": cells.columns.to_numpy(dtype=object),
        "cells": cells,
        "perturbations": table,
        "log_fold": log_fold,
        "depth": depth,
        "axis_direction": direction,
    }
    if config.truth_cells > 0:
        truth |= _truth(world, rngs[9])
    return replace(world, truth=truth)


def _panel(config: Screen, labels: list[str], rng: Generator) -> tuple[pd.DataFrame, Array, Array]:
    """Genes: names, sets, shares, dispersions, loadings of states."""
    names: list[str] = []
    sets: list[str] = []
    for name, members in GENE_SETS.items():
        size = max(1, min(len(members), int(config.n_genes * _SET_PARTS[name])))
        names += members[:size]
        sets += [name] * size
    n_targets = min(config.n_perturbations, (config.n_genes - len(names)) * 2 // 3)
    names += labels[:n_targets]
    sets += ["target"] * n_targets
    n_other = config.n_genes - len(names)
    names += [f"GENE{i + 1:04d}" for i in range(n_other)]
    sets += ["other"] * n_other
    member = np.array(sets)

    log_share = rng.normal(0, config.gene_spread, config.n_genes)
    for name, level in _SET_LEVELS.items():
        inside = member == name
        log_share[inside] = level + 0.5 * log_share[inside] / max(config.gene_spread, 1e-12) + config.gene_spread**2 / 2
    log_share -= np.log(np.exp(log_share).sum())
    dispersion = config.dispersion * np.exp(rng.normal(0, config.dispersion_spread, config.n_genes))
    if config.count_model == "poisson":
        dispersion[:] = 0.0

    loadings = rng.normal(0, 1, (config.n_states, config.n_genes))
    loadings *= rng.random(loadings.shape) < 0.5
    if config.n_states > 0:
        loadings[0, member == "cell_cycle"] = 3.0
    if config.n_states > 1:
        loadings[1, np.isin(member, ["mt", "heat_shock", "upr_isr"])] = 2.0
        loadings[1, member == "ribo"] = -1.0
    scale = np.sqrt(np.square(loadings).mean(axis=1, keepdims=True)) if config.n_states else 1.0
    loadings = config.state_strength * loadings / scale
    frame = pd.DataFrame({"set": pd.Categorical(sets), "share": np.exp(log_share), "dispersion": dispersion}, names)
    return frame, log_share, loadings


def _even(n: int, parts: Array, start: int = 0) -> NDArray[np.int64]:
    """Whole numbers of sum n in proportion to parts; what is left goes in turn from `start` among the largest."""
    exact = n * parts / parts.sum()
    whole: NDArray[np.int64] = np.floor(exact + 1e-9).astype(np.int64)
    rest = np.round(exact - whole, 9)
    order = np.lexsort(((np.arange(len(parts)) - start) % len(parts), -rest))
    whole[order[: n - int(whole.sum())]] += 1
    return whole


def _layout(config: Screen, labels: list[str], sizes: Generator, places: Generator) -> pd.DataFrame:
    """Deal numbers of cells to labels and batches."""
    n_batches, n_labels = config.batches, config.n_perturbations
    n_cells = np.empty(n_labels, dtype=np.int64)
    if isinstance(config.cells_per_perturbation, tuple):
        median, spread = config.cells_per_perturbation
        n_cells[:] = np.maximum(2, np.rint(median * np.exp(sizes.normal(0, spread, n_labels))))
    else:
        n_cells[:] = config.cells_per_perturbation
    even = np.ones(n_batches)
    table = np.zeros((n_labels + 1, n_batches), dtype=np.int64)
    table[0] = _even(config.n_control, even)
    home = np.arange(n_batches) < (n_batches + 1) // 2
    turn = places.permutation(n_labels)
    for p, n in enumerate(n_cells):
        match config.design:
            case "one" | "balanced":
                table[p + 1] = _even(int(n), even, int(turn[p]))
            case "random":
                table[p + 1] = places.multinomial(n, even / n_batches)
            case "nested":
                table[p + 1, turn[p] % n_batches] = n
            case "uneven":
                table[p + 1] = places.multinomial(n, places.dirichlet(config.concentration * even))
            case "other_lot":
                parts = np.where(home, (1 - config.lot_leak) / home.sum(), config.lot_leak / (~home).sum())
                table[p + 1] = places.multinomial(n, parts)
    if config.design == "random":
        table[0] = places.multinomial(config.n_control, even / n_batches)
    if config.design == "other_lot":
        parts = np.where(home, config.lot_leak / home.sum(), (1 - config.lot_leak) / (~home).sum())
        table[0] = _even(config.n_control, parts)
    for b in np.flatnonzero(table[0] < config.fewest_controls):
        lack = config.fewest_controls - table[0, b]
        table[0, b] += lack
        for _ in range(lack):
            table[0, np.argmax(table[0])] -= 1
    return pd.DataFrame(table, [CONTROL, *labels], [f"batch{b + 1}" for b in range(n_batches)])


def _sizes(config: Screen, rng: Generator) -> Array:
    """Sizes of perturbations, before they are scaled."""
    n = config.n_perturbations
    match config.tails:
        case "gamma":
            return rng.gamma(4.0, 1.0, n)
        case "lognormal":
            return np.exp(rng.normal(0, 1.0, n))
        case "pareto":
            return 1 + rng.pareto(1.5, n)
        case _:
            return np.ones(n)


def _directions(config: Screen, n: int, rng: Generator, *, apart: NDArray[np.bool_] | None = None) -> Array:
    """Draw directions with a mean square of 1 over all genes.

    No two of those in the mask `apart` move the same gene; the others are then 0.
    """
    n_genes = config.n_genes
    values = rng.standard_t(3, (n, n_genes)) if config.gene_tails == "heavy" else rng.normal(0, 1, (n, n_genes))
    if apart is not None:
        owner = np.flatnonzero(apart)[rng.permutation(n_genes) % max(int(apart.sum()), 1)] if apart.any() else -1
        values = np.where(owner == np.arange(n)[:, None], values, 0.0)
    else:
        size = max(1, round(config.gene_density * n_genes))
        rank = np.argsort(np.argsort(rng.random((n, n_genes)), axis=1), axis=1)
        values = np.where(rank < size, values, 0.0)
    norm = np.sqrt(np.square(values).mean(axis=1, keepdims=True))
    scaled: Array = np.divide(values, norm, out=np.zeros_like(values), where=norm > 0)
    return scaled


def _effects(
    config: Screen, genes: pd.DataFrame, labels: list[str], rngs: list[Generator]
) -> tuple[Array, Array, Array, pd.DataFrame]:
    """Log-fold changes, changes of depth, the direction of the axis, and who carries what."""
    n = config.n_perturbations
    who, axis_rng, own_rng, set_rng, depth_rng = rngs
    size = np.minimum(_sizes(config, who), config.largest_size)
    order = who.permutation(n)

    def scaled(carriers: NDArray[np.bool_]) -> Array:
        """Sizes of the carriers with a mean square of 1 over them, 0 for all others."""
        weights: Array = np.where(carriers, size, 0.0)
        scale = np.sqrt(float(np.square(weights).sum()) / max(int(carriers.sum()), 1))
        return weights / scale if scale > 0 else weights

    def some(eligible: NDArray[np.int64], number: int) -> NDArray[np.bool_]:
        """Mask of the first of the eligible perturbations."""
        mask = np.zeros(n, dtype=bool)
        mask[eligible[:number]] = True
        return mask

    log_fold = np.zeros((n, config.n_genes))
    n_axis = n if config.axis_carriers is None else config.axis_carriers
    on_axis = some(order, n_axis if config.axis_strength else 0)
    direction = _directions(config, 1, axis_rng)[0]
    signs = np.where(axis_rng.random(n) < 0.5, -1.0, 1.0) if config.axis_signs == "mixed" else np.ones(n)
    log_fold += config.axis_strength * np.outer(signs * scaled(on_axis), direction)

    eligible = order[n_axis if config.axis_strength else 0 :] if config.own_by == "others" else order[::-1]
    has_own = some(eligible, round(config.own_fraction * len(eligible)) if config.own_strength else 0)
    if config.own_strength:
        own = _directions(config, n, own_rng, apart=has_own if config.orthogonal else None)
        log_fold += config.own_strength * scaled(has_own)[:, None] * own

    on_sets = some(set_rng.permutation(n), round(config.set_fraction * n) if config.set_changes else 0)
    for name, change in config.set_changes:
        log_fold += change * np.outer(scaled(on_sets), genes["set"].to_numpy() == name)

    mediators = np.full(n, "", dtype=object)
    if config.mediator_strength:
        log_fold += _mediators(config, genes, scaled(np.ones(n, dtype=bool)), mediators, depth_rng.spawn(1)[0])

    measured = np.isin(labels, genes.index)
    column = np.flatnonzero(genes["set"].to_numpy() == "target")
    log_fold[: len(column)][np.arange(len(column)), column] += config.knock_down
    log_fold = np.clip(log_fold, -config.limit, config.limit)
    depth = depth_rng.normal(0, config.depth_spread, n)
    table = pd.DataFrame(
        {
            "target": labels, "target_in_panel": measured, "size": size, "axis": on_axis, "own": has_own,
            "sets": on_sets, "mediators": mediators, "knock_down": measured & (config.knock_down != 0),
            "depth": depth, "responds": (log_fold != 0).any(axis=1) & (config.escape < 1),
        },
        labels,
    )  # fmt: skip
    table["no_effect"] = ~table["responds"] & ((table["depth"] == 0) | (config.escape == 1))
    return log_fold, depth, direction, table


def _mediators(config: Screen, genes: pd.DataFrame, size: Array, names: NDArray[np.object_], rng: Generator) -> Array:
    """Effects through one or two of few genes; writes the names of each perturbation's mediators."""
    pool = np.flatnonzero(genes["set"].to_numpy() == "other")
    chosen = rng.choice(pool, min(config.n_mediators, len(pool)), replace=False)
    programs = _directions(config, len(chosen), rng)
    programs[np.arange(len(chosen)), chosen] = 1.0 / config.mediator_strength
    weights = np.zeros((config.n_perturbations, len(chosen)))
    for p in range(config.n_perturbations):
        hit = rng.choice(len(chosen), min(int(rng.integers(1, 3)), len(chosen)), replace=False)
        weights[p, hit] = rng.choice([-1.0, 1.0]) * rng.dirichlet(np.full(len(hit), 2.0))
        names[p] = "+".join(genes.index[chosen[np.sort(hit)]])
    weights /= np.sqrt(np.square(weights).sum(axis=1, keepdims=True))
    return config.mediator_strength * size[:, None] * (weights @ programs)


# ---------------------------------------------------------------------------------------------------------------- cells


def _draw_cells(world: World, seed: int) -> ad.AnnData:
    """Cells of all labels, in random order."""
    config, table = world.screen, world.cells.to_numpy()
    streams = SeedSequence(seed).spawn(2)[1].spawn(len(table) + 1)
    step = max(1, CHUNK // config.n_genes)
    data, columns, lengths, totals, codes, batches, names = [], [], [], [], [], [], []
    for row, label in enumerate(world.cells.index):
        rng = np.random.default_rng(streams[row + 1])
        batch = np.repeat(np.arange(table.shape[1]), table[row])
        for start in range(0, len(batch), step):
            here = batch[start : start + step]
            counts, library = _count(world, row, here, rng)
            flat = np.flatnonzero(counts)
            data.append(counts.ravel()[flat].astype(np.float32))
            lengths.append(np.count_nonzero(counts, axis=1))
            first = np.repeat(np.arange(len(here)) * config.n_genes, lengths[-1])
            columns.append((flat - first).astype(np.int32))
            totals.append(library if config.closure == "none" else counts.sum(axis=1).astype(float))
        codes.append(np.full(len(batch), row))
        batches.append(batch)
        names += [f"{label}-{i}" for i in range(len(batch))]
    indptr = np.concatenate(([0], np.cumsum(np.concatenate(lengths))))
    matrix = sparse.csr_matrix(
        (np.concatenate(data), np.concatenate(columns), indptr), shape=(len(indptr) - 1, config.n_genes)
    )
    order = np.random.default_rng(streams[0]).permutation(matrix.shape[0])
    obs = pd.DataFrame(
        {
            "perturbation": pd.Categorical.from_codes(np.concatenate(codes)[order], categories=world.cells.index),
            "batch": pd.Categorical.from_codes(np.concatenate(batches)[order], categories=world.cells.columns),
            "total": np.concatenate(totals)[order],
        },
        index=np.array(names, dtype=object)[order],
    )
    return ad.AnnData(matrix[order], obs=obs, var=world.genes.copy(), uns={"truth": dict(world.truth)})


def _count(world: World, row: int, batch: NDArray[np.int64], rng: Generator) -> tuple[NDArray[np.int64], Array]:
    """Draw counts and library sizes of some cells of one label."""
    config, n = world.screen, len(batch)
    library = np.exp(rng.normal(0, config.library_spread, n) + world.batch_depth[batch]) * config.library
    states = rng.standard_normal((n, config.n_states), dtype=np.float32)
    centers = world.log_share + world.batch_effects - np.square(world.loadings).sum(axis=0) / 2
    logs = centers.astype(np.float32)[batch]
    if config.n_states:
        logs += states @ world.loadings.astype(np.float32)
    if row > 0:
        hit = rng.random(n) >= config.escape if config.escape > 0 else np.ones(n, dtype=bool)
        logs += hit[:, None] * world.log_fold[row - 1].astype(np.float32)
        library *= np.exp(hit * world.depth[row - 1])
    rates = np.exp(logs, out=logs)
    if config.closure in ("relative", "fixed"):
        rates /= rates.sum(axis=1, keepdims=True)
    dispersion = world.genes["dispersion"].to_numpy()
    if config.count_model == "negative_binomial":
        shape = 1 / np.maximum(dispersion, 1e-9)
        rates *= rng.standard_gamma(shape, (n, config.n_genes), dtype=np.float32)
        rates *= (1 / shape).astype(np.float32)
    elif config.count_model == "poisson_lognormal":
        spread = np.sqrt(np.log1p(dispersion)).astype(np.float32)
        noise = rng.standard_normal((n, config.n_genes), dtype=np.float32)
        noise *= spread
        noise -= spread**2 / 2
        rates *= np.exp(noise, out=noise)
    if config.closure == "fixed":
        library = np.maximum(np.rint(library), 1)
        parts = rates.astype(float)
        parts /= parts.sum(axis=1, keepdims=True) * (1 + 1e-12)
        return rng.multinomial(library.astype(np.int64), parts), library
    return rng.poisson(rates * library[:, None].astype(np.float32)), library


# ---------------------------------------------------------------------------------------------------------------- truth


@dataclass(frozen=True)
class _Table:
    """Expectation of log1p(1e4 · count / total) on a grid of log totals and log shares."""

    low_total: float
    step_total: float
    low_share: float
    step_share: float
    values: Array

    def rows(self, log_total: Array) -> Array:
        """Return the expectation by share for each total."""
        place = np.clip((log_total - self.low_total) / self.step_total, 0, len(self.values) - 1.001)
        index = place.astype(np.int64)
        part = (place - index)[:, None]
        return self.values[index] * (1 - part) + self.values[index + 1] * part

    def expect(self, log_total: Array, log_share: Array) -> Array:
        """Return expectations (cells by genes), by interpolation with the mean second difference."""
        rows = self.rows(log_total)
        bend = np.zeros_like(rows)
        bend[:, 1:-2] = (rows[:, :-3] - rows[:, 1:-2] - rows[:, 2:-1] + rows[:, 3:]) / 4
        place = (log_share - self.low_share) * (1 / self.step_share)
        np.clip(place, 0, rows.shape[1] - 2.001, out=place)
        index = place.astype(np.int32)
        place -= index
        index += (np.arange(len(rows), dtype=np.int32) * rows.shape[1])[:, None]
        low = rows.ravel()[index]
        high = rows.ravel()[index + 1]
        bent = bend.ravel()[index]
        return low + place * (high - low + (place - 1) * bent)


@lru_cache(maxsize=3)
def _table(kind: Literal["poisson", "binomial", "poisson_total"]) -> _Table:
    """Tabulate the expectation of log1p(1e4 · count / total).

    ``poisson``: the total is given and the count Poisson; ``binomial``: the total is given and the count binomial;
    ``poisson_total``: the total is Poisson and the count binomial (so count and rest are independent Poisson). Counts
    of mean up to 100 are summed, above that moments up to the fourth are used.
    """
    step_share, low_share = 0.1, -23.0
    log_share = np.arange(low_share, 3.2 if kind == "poisson" else 0.5, step_share)
    total = np.unique(np.rint(np.geomspace(5, 1e6, 66)))
    mean = total[:, None] * np.exp(log_share)
    share = np.ones_like(mean) * np.exp(log_share) if kind == "poisson" else np.minimum(np.exp(log_share), 1) + 0 * mean
    mean = total[:, None] * share
    scale = SCALE / total[:, None]
    # moments of the count about its mean
    spread = mean if kind == "poisson" else mean * (1 - share)
    third = mean if kind == "poisson" else spread * (1 - 2 * share)
    fourth = 3 * spread**2 + (mean if kind == "poisson" else spread * (1 - 6 * share * (1 - share)))
    slope = scale / (1 + scale * mean)
    values = np.log1p(scale * mean) - slope**2 * spread / 2 + slope**3 * third / 3 - slope**4 * fourth / 4
    # sums where the mean is small
    k = np.arange(1, 241)
    for t, n in enumerate(total):
        small = np.flatnonzero(mean[t] <= 100)
        q = share[t, small][:, None]
        if kind == "poisson":
            log_weight = k * np.log(n * q) - n * q - gammaln(k + 1)
        else:
            ways = np.where(k <= n, gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1), -np.inf)
            log_weight = ways + k * np.log(q) + np.maximum(n - k, 0) * np.log1p(-np.minimum(q, 1 - 1e-15))
        values[t, small] = np.exp(log_weight) @ np.log1p(SCALE / n * k)
    fine = np.linspace(np.log(20), np.log(5e5), 512)
    spline = CubicSpline(np.log(total), values, axis=0)
    if kind == "poisson_total":
        nodes, weights = np.polynomial.hermite_e.hermegauss(5)
        near = np.exp(fine)[:, None] + np.sqrt(np.exp(fine))[:, None] * nodes
        grid = np.einsum("tkq,k->tq", spline(np.log(near)), weights / weights.sum())
    else:
        grid = spline(fine)
    return _Table(float(fine[0]), float(fine[1] - fine[0]), low_share, step_share, grid)


def _noise(world: World, n: int, rng: Generator) -> Array:
    """Log of the noise of n cells (cells by genes), each gene's spread evenly over its distribution."""
    config, dispersion = world.screen, world.genes["dispersion"].to_numpy()
    if config.count_model == "poisson":
        return np.zeros((n, config.n_genes))
    ranks = rng.permuted(np.tile(np.arange(n)[:, None], (1, config.n_genes)), axis=0)
    place = np.clip((ranks + rng.random(ranks.shape)) / n, 1e-12, 1 - 1e-12)
    if config.count_model == "poisson_lognormal":
        spread = np.sqrt(np.log1p(dispersion))
        normal: Array = ndtri(place)
        normal = spread * normal - spread**2 / 2
        return normal
    shape = 1 / np.maximum(dispersion, 1e-9)
    draws: Array = np.where(place < 0.5, gammaincinv(shape, place), gammainccinv(shape, 1 - place))
    draws = np.log(np.maximum(draws / shape, 1e-30))
    return draws


def _truth(world: World, rng: Generator) -> dict[str, Any]:
    """Compute expected means, effects and shares."""
    config, table = world.screen, world.cells.to_numpy()
    n_labels, n_batches = table.shape
    m = 1 << max(4, round(np.log2(config.truth_cells / QUARTERS)))
    points, noise = [], []
    for _ in range(QUARTERS):
        uniform = qmc.Sobol(config.n_states + 1, rng=rng).random(m)
        points.append(ndtri(np.clip(uniform, 1e-12, 1 - 1e-12)))
        noise.append(_noise(world, m, rng))
    point, log_noise = np.concatenate(points), np.concatenate(noise)
    log_library = np.log(config.library) + config.library_spread * point[:, 0]
    mean_part = world.log_share + point[:, 1:] @ world.loadings - np.square(world.loadings).sum(axis=0) / 2
    log_rate = mean_part + log_noise
    mean_rate, rate = np.exp(mean_part), np.exp(log_rate)
    kind = {"none": "poisson", "open": "poisson_total", "relative": "poisson_total", "fixed": "binomial"}
    lookup = _table(kind[config.closure])

    def expect(change: Array, depth: float) -> Array:
        """Return expected means (quarters by genes) where log rates and log library size change by so much."""
        depths = log_library + depth
        ratio = np.exp(change)
        shares = log_rate + change
        if config.closure == "none":
            values = lookup.expect(depths, shares)
        else:
            log_sum = np.log(rate @ ratio)
            if config.closure == "fixed":
                depths = np.log(np.maximum(np.rint(np.exp(depths)), 1))
            elif config.closure == "relative":
                depths = depths + log_sum - np.log(mean_rate @ ratio)
            else:
                depths = depths + log_sum
            values = lookup.expect(depths, shares - log_sum[:, None])
        quarters: Array = values.reshape(QUARTERS, m, -1).mean(axis=1)
        return quarters

    means = np.full((QUARTERS, n_labels, n_batches, config.n_genes), np.nan)
    for b in range(n_batches):
        means[:, 0, b] = expect(world.batch_effects[b], world.batch_depth[b])
    idle = world.perturbations["no_effect"].to_numpy()
    for p, b in zip(*np.nonzero(table[1:]), strict=True):
        control = means[:, 0, b]
        if idle[p]:
            means[:, p + 1, b] = control
            continue
        hit = expect(world.batch_effects[b] + world.log_fold[p], world.batch_depth[b] + world.depth[p])
        means[:, p + 1, b] = (1 - config.escape) * hit + config.escape * control
    weights = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    filled = np.where(np.isnan(means), 0.0, means)
    by_label = np.einsum("lb,qlbg->qlg", weights, filled)
    by_effect = np.einsum("lb,qlbg->qlg", weights[1:], filled[:, 1:] - filled[:, :1])
    mean, effects = by_label.mean(axis=0), by_effect.mean(axis=0)
    effects[idle] = 0.0
    share, own = axis_share(effects)
    member = world.genes["set"].to_numpy()
    masks = {name: member == name for name in GENE_SETS}
    masks["stress"] = masks["heat_shock"] | masks["upr_isr"]
    return {
        "means_by_batch": means.mean(axis=0),
        "means": mean,
        "effects": effects,
        "effects_pooled": mean[1:] - mean[0],
        "squared_effect": np.square(effects).sum(axis=1),
        "axis_share": share,
        "axis_by_perturbation": own,
        "common_share": common_share(effects),
        "set_shares": {name: set_share(effects, mask) for name, mask in masks.items()},
        "means_error": float(np.sqrt(np.mean(by_label.var(axis=0, ddof=1)) / QUARTERS)),
        "effects_error": float(np.sqrt(np.mean(by_effect.var(axis=0, ddof=1)) / QUARTERS)),
    }
