"""The list of models: audit, palette, report and the contract test read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ._problem import Solution

Fit = TypeVar("Fit", bound=Callable[..., Any])


@dataclass(frozen=True)
class ModelSpec:
    """What a kind of model can do.

    ``unseen`` says in words what it predicts for a perturbation without training cells, ``needs`` what it needs beside
    profiles (``net``, ``cells``), ``attribution`` what it stores in ``varm``. ``solve`` is the closed form, where there
    is one: then the model costs nothing and is cross-fitted. ``check`` refuses wrong parameters before any work.
    ``stored_as`` is the name of its results, from the one asked for and its parameters: scGPT without pretraining says so.
    """

    name: str
    fit: Callable[..., Any]
    unseen: str
    needs: tuple[str, ...]
    attribution: str
    reference: str
    solve: Callable[..., Solution] | None
    check: Callable[..., None]
    stored_as: Callable[..., str]


def _nothing_to_check(**_: Any) -> None:
    """Accept the parameters."""


def _as_asked(key: str, **_: Any) -> str:
    """Return the name asked for."""
    return key


_REGISTRY: dict[str, ModelSpec] = {}


def model(
    name: str,
    *,
    unseen: str,
    reference: str,
    needs: tuple[str, ...] = (),
    attribution: str = "",
    solve: Callable[..., Solution] | None = None,
    check: Callable[..., None] = _nothing_to_check,
    stored_as: Callable[..., str] = _as_asked,
) -> Callable[[Fit], Fit]:
    """Register the public ``fit_*`` of a model."""

    def register(fit: Fit) -> Fit:
        _REGISTRY[name] = ModelSpec(name, fit, unseen, needs, attribution, reference, solve, check, stored_as)
        return fit

    return register


def specs() -> dict[str, ModelSpec]:
    """Return the registered models by name."""
    return dict(_REGISTRY)


def closed_form(name: str) -> Callable[..., Solution]:
    """Return the closed form of a model, or say which models have one."""
    spec = _REGISTRY.get(name)
    if spec is None or spec.solve is None:
        msg = f"There is no model {name!r} with a closed form; there are {closed_forms()}."
        raise ValueError(msg)
    return spec.solve


def from_cells() -> list[str]:
    """Return the names of the models that are trained from cells."""
    return [name for name, spec in _REGISTRY.items() if "cells" in spec.needs]


def closed_forms() -> list[str]:
    """Return the names of the models that have a closed form."""
    return [name for name, spec in _REGISTRY.items() if spec.solve is not None]
