"""Amounts of noise of the control and the training data in the predictions of a closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .._core.arrays import FloatArray
from . import _base
from ._base import Problem, Solution, TrainingNoise


def closed_form(name: str) -> Callable[..., Solution]:
    """Return the closed form of a model, with the amount of noise in its solutions."""
    solve = _base.closed_form(name)

    def with_noise(problem: Problem, **params: Any) -> Solution:
        solution, noise = solve(problem, **params), problem.noise
        if noise is None:
            return solution
        again = partial(solve, **params | solution.chosen)
        linear = _base.specs()[name].fits_genes_separately(**params | solution.chosen)
        held = _of_linear(again, problem, noise) if linear else _of_moved(again, problem, noise, solution.predictions)
        return replace(solution, noise_weights=held)

    return with_noise


def noise_weights_alone(name: str, problem: Problem, noise: TrainingNoise, **params: Any) -> FloatArray:
    """Return how much noise a model that fits genes separately holds, without its predictions."""
    return _of_linear(partial(_base.closed_form(name), **params), problem, noise)


def _of_linear(solve: Callable[[Problem], Solution], problem: Problem, noise: TrainingNoise) -> FloatArray:
    """Where each gene is a weighted sum of its training means: the same sum of where their noise comes from."""
    columns = np.column_stack([noise.weights, noise.own])
    columns[~problem.trained] = np.nan
    sources = replace(problem, means=columns, control=np.zeros(columns.shape[1]), products=None)
    held = solve(sources).predictions
    held[:, -1] /= max(float(noise.own[problem.perturbed].mean()), np.finfo(np.float64).tiny)
    return held


def _of_moved(
    solve: Callable[[Problem], Solution], problem: Problem, noise: TrainingNoise, predictions: FloatArray
) -> FloatArray:
    """Where genes are fitted together: how far predictions follow the control as it would move with other cells.

    What all training means are moved by, the control with them, moves predictions by as much: the rest follows the
    training perturbations, taken as one mean.
    """
    move = noise.of_control
    moved = solve(problem.moved(move)).predictions
    size = float(move @ move)
    # ω_c = (x̂¹ − x̂) · (c¹ − c) / |c¹ − c|²
    of_control = (moved - predictions) @ move / size if size > 0 else np.zeros(len(predictions))
    of_training = 1 - of_control
    return np.column_stack([np.outer(of_training, noise.weights[problem.perturbed].mean(axis=0)), of_training])
