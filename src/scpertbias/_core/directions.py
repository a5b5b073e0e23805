"""Shares of directions other than the shared axis: sequencing depth, and those in which perturbations differ most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from scpertbias._core.arrays import FloatArray, IntArray
from scpertbias._core.axes import cosine, leading_axes
from scpertbias._core.confounding import NO_REPRODUCIBLE_AXIS, NO_RESPONSE, WEAK, Share, of_each, systematic_share
from scpertbias._core.response import Response
from scpertbias._core.shapley import NO_AXIS, Basis, shapley

N_LEADING = 5
N_PARTS = 5
WEAK_AXIS = 0.3
TOO_FEW = "too few perturbations"
NO_DEPTH = "the sequencing depth is unknown"
NO_INTERVAL = "no interval, because the error of the estimated direction is unknown"


def direction_shares(
    response: Response, depth: FloatArray | None, fold: IntArray, *, n_leading: int = N_LEADING
) -> dict[str, Share]:
    """Share of each direction: the shared axis, sequencing depth, and those in which perturbations differ most.

    Only the shared axis has an interval.

    Parameters
    ----------
    response
        The response.
    depth
        Slopes of the genes on log depth in the two halves of the control (2, G), if they are known.
    fold
        Part of each perturbation (P,): leading directions are estimated from the others.
    n_leading
        Number of leading directions.
    """
    if not len(response.energy):
        return {}
    shares = {"systematic": systematic_share(response)}
    shares["depth"] = Share(note=NO_DEPTH) if depth is None else _of_two_estimates(response, depth)
    leading, directions = leading_axes(response.effect, fold, n_leading)
    for k in range(n_leading):
        if not (len(leading) and np.isfinite(leading[:, k]).all()):
            shares[f"leading_{k + 1}"] = Share(note=TOO_FEW)
            continue
        axis = leading[fold, k]
        share = _share(response, energy_along(response.half, np.broadcast_to(axis, response.half.shape)))
        shares[f"leading_{k + 1}"] = replace(share, weights=directions[k])
    pairs = {"systematic": response.half.mean(axis=1)} | ({} if depth is None else {"depth": depth})
    return _with_shapley(response, shares, pairs, leading, fold)


def energy_along(half: FloatArray, axis: FloatArray) -> FloatArray:
    """Energy of each effect (2, P, G) along a direction of which there are two estimates (2, P or 1, G)."""
    # (D¹_p · u²)(D²_p · u¹) / (u¹ · u²) (P,)
    products = np.einsum("apg,apg->ap", half, np.broadcast_to(axis[::-1], half.shape))
    # u¹ · u² (P or 1)
    energy: FloatArray = products.prod(axis=0) / np.einsum("pg,pg->p", axis[0], axis[1])
    return energy


def _share(response: Response, own: FloatArray) -> Share:
    """Share of an axis from the energy of each perturbation along it (P,)."""
    alone = of_each(own, response)
    if not response.known:
        return Share(per_perturbation=alone, note=NO_RESPONSE)
    return Share(share=float(own.sum() / response.energy.sum()), per_perturbation=alone, note=NO_INTERVAL)


def _of_two_estimates(response: Response, axis: FloatArray) -> Share:
    """Share of a direction with two half estimates (2, G); NaN where they do not agree."""
    agreement = cosine(*axis)
    weights = axis.sum(axis=0)
    if agreement < NO_AXIS:
        return Share(weights=weights, note=NO_REPRODUCIBLE_AXIS)
    share = _share(response, energy_along(response.half, axis[:, None]))
    notes = [share.note, *([WEAK] if agreement < WEAK_AXIS and share.note == NO_INTERVAL else [])]
    return replace(share, weights=weights, note="; ".join(notes))


def _with_shapley(
    response: Response, shares: dict[str, Share], pairs: Mapping[str, FloatArray], leading: FloatArray, fold: IntArray
) -> dict[str, Share]:
    """Add to each direction its mean gain over all orders in which directions are taken."""
    names = [name for name, share in shares.items() if np.isfinite(share.share)]
    if not names:
        return shares
    names.sort(key=lambda name: not name.startswith("leading"))  # those that need no estimate first
    parts = []
    for f in range(len(leading)):
        of_fold = {f"leading_{k + 1}": np.stack([axis, axis]) for k, axis in enumerate(leading[f])}
        bases = np.stack([(of_fold | dict(pairs))[name] for name in names], axis=1)
        parts.append(Basis.of(response.half[:, fold == f], bases[0], bases[1]))
    gains = shapley(parts, len(names)) / response.energy.sum()
    return shares | {name: replace(shares[name], shapley=float(gain)) for name, gain in zip(names, gains, strict=True)}
