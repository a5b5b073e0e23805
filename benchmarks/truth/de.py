"""Expected scores of differential expression, over a population of perturbations and over controls."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from benchmarks import screens
from scpertbias._core.de import DE_SCORES, ObservedChanges, de_scores

from .population import Array, Population, codes

N_CONTROLS = 10
MIN_DETECTING = 10


class _Observed(NamedTuple):
    """Means of the halves of a control by batch (2 x B x G), and the changes of the population against either."""

    halves: Array
    changes: tuple[ObservedChanges, ObservedChanges]


@lru_cache(maxsize=1)
def _observed(people: Population) -> list[_Observed]:
    """Take the changes of all perturbations against other controls, in plain numpy."""
    n_0 = people.world.cells.iloc[0].to_numpy(float)
    n_p = people.world.cells.to_numpy(float)[1:].sum(axis=1, keepdims=True)
    # Effective number of cells that carry a gene, (Σx)² / Σx²
    squares = people.means**2 + people.variances * (n_p - 1) / n_p
    carrying = n_p * np.divide(people.means**2, squares, out=np.zeros_like(squares), where=squares > 0)
    result = []
    for seed in range(N_CONTROLS):
        adata = people.draw(np.empty(0, dtype=np.int64), 3 * 10**9 + seed)
        x, batch = adata.X.toarray().astype(float), codes(adata, [screens.CONTROL])[1]
        by_batch = [x[batch == b] for b in range(len(n_0))]
        halves = np.array([[cells[a::2].mean(axis=0) for cells in by_batch] for a in (0, 1)])
        n_half = np.array([[len(cells[a::2]) for cells in by_batch] for a in (0, 1)])
        var_0 = np.array([cells.var(axis=0, ddof=1) for cells in by_batch])
        within = ((n_p - 1) * people.variances).sum(axis=0) + (n_0 - 1) @ var_0
        pooled = within / ((n_p - 1).sum() + (n_0 - 1).sum())
        own = np.maximum(people.variances, pooled) / n_p
        total = (x**2).sum(axis=0)
        in_control = np.divide(x.sum(axis=0) ** 2, total, out=np.zeros_like(total), where=total > 0)
        changes = []
        for a in (0, 1):
            error = np.sqrt(own + people.weights**2 @ (np.maximum(var_0, pooled) / n_half[a][:, None]))
            error[carrying + in_control < MIN_DETECTING] = np.nan
            change = people.means - people.weights @ halves[a]
            changes.append(ObservedChanges.of(change, error, np.zeros(change.shape, dtype=bool)))
        result.append(_Observed(halves, (changes[0], changes[1])))
    return result


def expected_de(people: Population, predicted: Callable[[Array], Array]) -> dict[str, float]:
    """Return the mean scores of what is predicted with the control means of the batches (B x G): means (P x G, or G)."""
    values: dict[str, list[Array]] = {name: [] for name in DE_SCORES}
    for halves, changes in _observed(people):
        # Each half of the control predicts against the other
        by_half = [predicted(c_b) - people.control_weights @ c_b for c_b in halves]
        by_half = [np.broadcast_to(x, changes[0].change.shape).copy() for x in by_half]
        for name, scores in de_scores(by_half, changes[::-1]).items():
            values[name].append(scores[np.isfinite(scores)])
    return {name: float(np.concatenate(parts).mean()) for name, parts in values.items()}


@lru_cache(maxsize=4)
def expected_of_means(people: Population, effects: Callable[[Array], Array]) -> dict[str, float]:
    """Return those of some function of the true effects, given as means: the true control and these effects."""
    fixed = people.control + effects(people.effects)
    return expected_de(people, lambda c_b: fixed)


@lru_cache(maxsize=1)
def expected_of_truth(people: Population) -> dict[str, float]:
    """Return those of the true effects, given as changes: what ceilings are of."""
    return expected_de(people, lambda c_b: people.control_weights @ c_b + people.effects)
