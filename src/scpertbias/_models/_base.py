"""Models: the problem, the solution, and the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .._core.arrays import BoolArray, FloatArray, IntArray
from .._core.linear import ALL, Rows
from .._core.solvers import LowRank, low_rank_part
from .._moments import Screen
from ._net import Graphs
from ._products import EFFECTS, Products, ScreenProducts, means_by_perturbation

Fit = TypeVar("Fit", bound=Callable[..., Any])


def always(**_: Any) -> bool:
    """Return True, for any parameters."""
    return True


def _never(**_: Any) -> bool:
    """Return False, for any parameters."""
    return False


@dataclass(frozen=True)
class ModelSpec:
    """Properties of a kind of model.

    ``unseen`` describes its prediction for a perturbation without training cells, ``needs`` its requirements in
    addition to profiles (``net``, ``cells``), and ``attribution`` the values in ``varm``. ``solve`` is the closed
    form, if any; such models are cross-fitted. ``check`` refuses invalid parameters before any work. ``stored_as``
    returns the name of its results, from the requested name and the parameters (scGPT without pretraining is marked).
    ``unseen_by_axis`` contains ``unseen`` for each ``axis=`` that an audit fits (empty without such a parameter): the
    first under its own name, each other under ``name_axis``. ``fits_genes_separately`` returns, for given parameters,
    whether predictions of a gene are independent of the other genes.
    """

    name: str
    fit: Callable[..., Any]
    unseen: str
    unseen_by_axis: Mapping[str, str]
    needs: tuple[str, ...]
    attribution: str
    citation: str
    solve: Callable[..., Solution] | None
    check: Callable[..., None]
    stored_as: Callable[..., str]
    fits_genes_separately: Callable[..., bool] = _never


def _nothing_to_check(**_: Any) -> None:
    """Accept the parameters."""


def _name_as_it_is(key: str, **_: Any) -> str:
    """Return the requested name."""
    return key


_REGISTRY: dict[str, ModelSpec] = {}


def model(
    name: str,
    *,
    unseen: str | Mapping[str, str],
    citation: str,
    needs: tuple[str, ...] = (),
    attribution: str = "",
    solve: Callable[..., Solution] | None = None,
    check: Callable[..., None] = _nothing_to_check,
    stored_as: Callable[..., str] = _name_as_it_is,
    fits_genes_separately: Callable[..., bool] = _never,
) -> Callable[[Fit], Fit]:
    """Register the public ``fit_*`` of a model; ``unseen`` by axis if it smooths over one of several."""
    by_axis = {} if isinstance(unseen, str) else dict(unseen)
    text = unseen if isinstance(unseen, str) else "; ".join(f"{axis} axis: {words}" for axis, words in by_axis.items())

    def register(fit: Fit) -> Fit:
        _REGISTRY[name] = ModelSpec(
            name, fit, text, by_axis, needs, attribution, citation, solve, check, stored_as, fits_genes_separately
        )
        return fit

    return register


def specs() -> dict[str, ModelSpec]:
    """Return the registered models by name."""
    return dict(_REGISTRY)


def closed_form(name: str) -> Callable[..., Solution]:
    """Return the closed form of a model; the error lists models with a closed form."""
    spec = _REGISTRY.get(name)
    if spec is None or spec.solve is None:
        msg = f"There is no model {name!r} with a closed form; choose from {closed_forms()}."
        raise ValueError(msg)
    return spec.solve


def from_cells() -> list[str]:
    """Return the names of the models that are trained on cells."""
    return [name for name, spec in _REGISTRY.items() if "cells" in spec.needs]


def closed_forms() -> list[str]:
    """Return the names of the models that have a closed form."""
    return [name for name, spec in _REGISTRY.items() if spec.solve is not None]


CONSTANT = "same prediction for every unseen perturbation"


@dataclass(frozen=True)
class TrainingNoise:
    """Sources of the noise of the training means, by perturbation (P).

    ``weights`` (P × batches) are the shares of the batches in their cells, ``own`` the sampling variance of their own
    cells, summed over genes; both are 0 without training cells, and for the control. ``of_control`` (G) is noise of the
    control mean: the noise of half of its cells minus the noise of all cells.
    """

    weights: FloatArray
    own: FloatArray
    of_control: FloatArray


@dataclass(frozen=True)
class Problem:
    """Training means of P perturbations; one without training cells has ``n`` 0 and a row of NaN.

    Row 0 is the control. ``val_means`` and ``val_n`` are the validation rows, for models that choose a parameter.
    ``rows`` are the perturbations to predict. ``products`` are those that fits of other perturbations share.
    """

    means: FloatArray
    n: FloatArray
    val_means: FloatArray
    val_n: FloatArray
    control: FloatArray
    names: tuple[str, ...]
    targets: tuple[tuple[str, ...], ...]
    symbols: npt.NDArray[np.str_]
    graphs: Graphs | None = None
    noise: TrainingNoise | None = None
    rows: Rows = field(default_factory=lambda: ALL)
    products: Products | ScreenProducts | None = None
    _shared: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def trained(self) -> BoolArray:
        """Which perturbations have training cells."""
        return self.n > 0

    @property
    def perturbed(self) -> BoolArray:
        """Which perturbations other than the control have training cells."""
        return self.trained & (np.arange(len(self.n)) > 0)

    @property
    def row_codes(self) -> IntArray:
        """The perturbations to predict, by number."""
        codes: IntArray = np.arange(len(self.n))[self.rows]
        return codes

    def low_rank(self, rank: int) -> LowRank:
        """Return the low rank part of the training means, which models share."""
        if rank not in self._shared:
            products = None if self.products is None else self.products.of(EFFECTS, self.trained)
            self._shared[rank] = low_rank_part(self.means, self.trained, rank, products)
        part: LowRank = self._shared[rank]
        return part

    def moved(self, move: FloatArray) -> Problem:
        """Return the problem with another control mean, which models share; all have the same ``move`` (G)."""
        if "moved" not in self._shared:
            means = self.means.copy()
            means[0] += move
            products = self.products.moved(move) if isinstance(self.products, ScreenProducts) else None
            self._shared["moved"] = replace(self, means=means, control=self.control + move, products=products)
        problem: Problem = self._shared["moved"]
        return problem

    def target_columns(self) -> IntArray:
        """Return the column of each perturbation's only target, −1 where it is not measured or there are several."""
        column = {symbol: i for i, symbol in enumerate(self.symbols.tolist())}
        return np.array([column.get(t[0], -1) if len(t) == 1 else -1 for t in self.targets], dtype=np.int64)


@dataclass(frozen=True)
class Solution:
    """Predictions for the R perturbations to predict (NaN: cannot predict), coefficients (NaN: no parameters), and a note.

    ``constant``: all unseen perturbations get the same prediction. The note is a text for users.
    ``noise_weights`` (R × batches and one) are the weights of the noise of the data in the predictions: see
    :class:`~scpertbias._core.correlations.NoiseWeights`.
    """

    predictions: FloatArray
    coef: FloatArray | None = None
    note: str = ""
    chosen: dict[str, Any] = field(default_factory=dict)
    constant: bool = False
    noise_weights: FloatArray | None = None

    def on_genes(self, genes: IntArray) -> Solution:
        """Return the solution on some genes, of a model that fits each gene separately."""
        coef = None if self.coef is None else np.take(self.coef, genes, axis=1)
        return replace(self, predictions=np.take(self.predictions, genes, axis=1), coef=coef)


def problem(
    screen: Screen,
    train: BoolArray,
    *,
    val: BoolArray | None = None,
    graphs: Graphs | None = None,
    rows: Rows = ALL,
    keep: BoolArray | IntArray | slice = ALL,
    products: Products | ScreenProducts | None = None,
) -> Problem:
    """Return the problem of a screen, or of some of its genes, with training and validation rows and the rows to predict."""
    means, n = means_by_perturbation(screen, train, keep)
    if not (n[1:] > 0).any():
        msg = "No perturbation has training cells. Check the column of splits (spb.pp.split) and min_cells."
        raise ValueError(msg)
    no_val = np.empty((len(n), 0)), np.zeros(len(n))
    val_means, val_n = no_val if val is None else means_by_perturbation(screen, val & ~train, keep)
    return Problem(
        means=means,
        n=n,
        val_means=val_means,
        val_n=val_n,
        control=screen.moments.control[keep],
        names=screen.names,
        targets=screen.targets,
        symbols=screen.symbols[keep],
        graphs=graphs,
        noise=training_noise(screen, train) if isinstance(keep, slice) else None,
        rows=rows,
        products=products,
    )


def training_noise(screen: Screen, train: BoolArray, genes: IntArray | None = None) -> TrainingNoise:
    """Return where the noise of the means of some rows comes from, over some genes or all."""
    m = screen.moments
    rows = np.flatnonzero(train & screen.used & (screen.perturbation > 0) & (m.n > 0))
    perturbation, n = screen.perturbation[rows], m.n[rows]
    # The cells of one perturbation can be in several rows
    cells = np.bincount(perturbation, weights=n, minlength=len(screen.names))
    if genes is None:
        total = screen.total_var[rows]
    else:
        var = m.var[np.ix_(rows, genes)]
        total = np.where(np.isfinite(var), var, m.pooled_var[genes]).sum(axis=1)
    own = np.zeros(len(screen.names))
    np.add.at(own, perturbation, n / cells[perturbation] ** 2 * total)
    weights = np.zeros((len(screen.names), len(m.n_control)))
    np.add.at(weights, perturbation, m.counts[:, rows].sum(axis=0) / cells[perturbation, None])
    return TrainingNoise(weights, own, m.half[0, m.reference] - m.control)
