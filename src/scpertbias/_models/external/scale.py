"""Whether the values of other makers are what they are said to be: expression, changes, fold changes; row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..._core.arrays import BoolArray, FloatArray
from ..._core.scales import BASES
from ..._log import some, warn

KINDS = ("expression", "delta", "log2fc")
# Genes in another order correlate at 0 with control, on panels of 300 genes at up to 0.45; models at 0.95 and above.
SHUFFLED = 0.5
OF_OBSERVED = 0.6  # a strong response itself correlates less with control: so much of that is asked for
EXPRESSION = 0.9  # changes that correlate so with control, and are never negative, are expression
NEGATIVE = 0.2  # share of negative values in Σ|x|: about half of changes and z-scores, next to nothing of expression
FOLD = 2.0  # mean and spread over genes, relative to control: of log-normalized expression close to 1
LARGEST_CHANGE = 30.0  # no log-normalized value is above 14
EXPLAINED = 0.5  # another scale is one that brings predictions so much closer to the data, in squares
SOME = 0.1  # rows near to the data at another total, of less than twofold, that a poor model may have
SAME = 1.25  # totals that differ by less are the same
TOTALS = (0.02, 1e4)
OFF = 3.0  # a predicted control farther from that of the data than so many times its noise, and
MUCH = 0.05  # than this share of the squared effects, is off


@dataclass(frozen=True)
class ScreenMeans:
    """What predictions are compared with: the ``control`` mean (G,) of the data, and their ``observed`` means (P, G).

    ``names`` are those of the P perturbations; the values are logarithms to ``base``.
    """

    control: FloatArray
    observed: FloatArray
    names: Sequence[str]
    base: float = float(np.e)


def check_scale(
    values: FloatArray,
    reference: ScreenMeans,
    kind: str,
    *,
    are_integers: bool,
    signed: bool,
    allow_offset: bool = False,
) -> None:
    """Refuse shuffled genes, and rows that are not of the kind that they are said to be.

    Parameters
    ----------
    values
        Perturbations × genes; rows of NaN do not count.
    reference
        The data.
    kind
        One of ``KINDS``.
    are_integers
        Whether the values came as whole numbers.
    signed
        Whether the data are regressed or standardized: then the control does not tell what expression looks like.
    allow_offset
        Whether expression may carry an offset that all predictions share.
    """
    rows = np.isfinite(values).all(axis=1)
    values = values[rows]
    reference = ScreenMeans(
        reference.control,
        reference.observed[rows],
        [reference.names[i] for i in np.flatnonzero(rows).tolist()],
        reference.base,
    )
    if kind != "expression":
        large = np.abs(values).max(axis=1) > LARGEST_CHANGE
        if large.any():
            largest = float(np.abs(values).max())
            msg = (
                f"`predictions` holds changes of up to {largest:.3g} ({_rows(large, reference)}), too large for kind={kind!r} "
                "on a logarithmic scale."
            )
            raise ValueError(msg)
    if signed or reference.control.min() < 0:
        if kind == "log2fc":
            msg = (
                "`kind='log2fc'` needs log-normalized data, but these hold negative values; pass changes, kind='delta'."
            )
            raise ValueError(msg)
        return
    if kind == "expression":
        _check_expression(values, reference, are_integers=are_integers, allow_offset=allow_offset)
        return
    like_expression = (_correlation(values, reference.control) > EXPRESSION) & (values.min(axis=1) >= 0)
    like_expression &= values.any(axis=1)
    if like_expression.any():
        r = float(np.median(_correlation(values[like_expression], reference.control)))
        msg = (
            f"`predictions` looks like expression, not like kind={kind!r}: {_rows(like_expression, reference)} is never "
            f"negative, and correlates with the control of the data at {r:.2f}. Pass kind='expression'."
        )
        raise ValueError(msg)


def _check_expression(values: FloatArray, reference: ScreenMeans, *, are_integers: bool, allow_offset: bool) -> None:
    whole = np.all(values == np.round(values), axis=1) & (values.max(axis=1) >= 2) & (np.ptp(values, axis=1) > 0)
    if are_integers or whole.any():
        which = "whole numbers only" if are_integers else f"whole numbers in {_rows(whole, reference)}"
        msg = (
            f"`predictions` looks like raw counts ({which}). Take them to the scale of the data first: "
            "sc.pp.normalize_total(…, target_sum=1e4), sc.pp.log1p(…)."
        )
        raise ValueError(msg)
    negative = -values.clip(max=0).sum(axis=1) > NEGATIVE * np.abs(values).sum(axis=1)
    if negative.any():
        msg = (
            f"`predictions` contains many negative values (down to {values.min():.3g}; {_rows(negative, reference)}), "
            "like changes or z-scores. If they are changes against control, pass kind='delta'. If they are z-scores, "
            "convert them to log-normalized values."
        )
        raise ValueError(msg)
    _check_scales(values, reference, allow_offset=allow_offset)
    r = _correlation(values, reference.control)
    expected = np.minimum(SHUFFLED, OF_OBSERVED * _correlation(reference.observed, reference.control))
    shuffled = (r < expected) | (np.median(r) < SHUFFLED)
    if shuffled.any():
        msg = (
            f"`predictions`: genes look shuffled or on another scale: predicted expression correlates with the control of "
            f"the data at {np.median(r[shuffled]):.2f} over genes ({_rows(shuffled, reference)}; typical values are near "
            "1). Check the order of the gene names. If the values are changes against control, pass kind='delta'."
        )
        raise ValueError(msg)
    statistics: dict[str, Callable[[FloatArray], FloatArray]] = {
        "spread": lambda x: np.std(x, axis=-1),
        "mean": lambda x: np.mean(x, axis=-1),
    }
    for statistic, of in statistics.items():
        at, usual = of(values), float(of(reference.control))
        if usual <= 0 or (allow_offset and statistic == "mean"):
            continue
        off = (at < usual / FOLD) | (at > usual * FOLD)
        if off.any():
            value = float(np.median(at[off]))
            advice = "apply the normalization of the data, log1p included" if value > usual else "is it kind='delta'?"
            msg = (
                f"`predictions` is on another scale: its {statistic} over genes is {value:.3g} ({_rows(off, reference)}), "
                f"that of the control of the data {usual:.3g}; {advice}"
            )
            raise ValueError(msg)


def _check_scales(values: FloatArray, reference: ScreenMeans, *, allow_offset: bool) -> None:
    """Refuse rows that are far nearer to the data once these are taken to another base, or to another total."""
    observed, base = reference.observed, reference.base
    with np.errstate(over="ignore"):
        total = np.expm1(values * np.log(base)).sum(axis=1) / np.expm1(observed * np.log(base)).sum(axis=1)
    other = (total > TOTALS[0]) & (total < TOTALS[1]) & ((total > SAME) | (total < 1 / SAME))
    total = np.where(other, total, 1.0)
    bases = [b for b in BASES.values() if abs(b - base) > 1e-6]
    others = [observed * np.log(base) / np.log(b) for b in bases]
    others.append(np.log1p(np.expm1(observed * np.log(base)) * total[:, None]) / np.log(base))
    distance = np.array([_distance(values, x) for x in others])
    for i, x in enumerate(others[:-1]):  # what is small is nearer to any smaller scale
        level = values.sum(axis=1) / np.maximum(x.sum(axis=1), 1e-12)
        distance[i, (level > SAME) | (level < 1 / SAME)] = np.inf
    plain = _distance(values, observed, without_mean=allow_offset)
    nearest = np.where(distance.min(axis=0) < EXPLAINED * plain, distance.argmin(axis=0), -1)
    nearest[_scaled_as(reference.control, values, base)] = -1
    for i, b in enumerate(bases):
        if (there := nearest == i).any():
            factor = np.log(base) / np.log(b)
            msg = (
                f"`predictions` is on another scale: {_rows(there, reference)} has a slope of {factor:.3g} on the data, as "
                f"logarithms to base {_base_text(b)} have; those of the data are to base {_base_text(base)}. Multiply the "
                f"predictions by {1 / factor:.4g}."
            )
            raise ValueError(msg)
    there = nearest == len(bases)
    far = there & ((total > FOLD) | (total < 1 / FOLD))
    if not far.any() and there.sum() <= SOME * len(values):  # a poor prediction of one perturbation may look so
        there[:] = False
    if there.any():
        which = far if far.any() else there
        msg = (
            f"`predictions` is on another scale: {_rows(which, reference)} looks like cells that were normalized to "
            f"{np.median(total[which]):.3g} times the total of the data, or like logarithms of means instead of means "
            "of logarithms. Normalize as for the data: first to target_sum, then log1p, then the mean over cells."
        )
        if far.any():
            raise ValueError(msg)
        warn(msg)
    _check_slope(values, observed, plain, reference)


def _check_slope(values: FloatArray, observed: FloatArray, plain: FloatArray, reference: ScreenMeans) -> None:
    """Refuse rows that are far nearer to the data once these are stretched."""
    x, y = (v - v.mean(axis=1, keepdims=True) for v in (values, observed))
    size = (y**2).sum(axis=1)
    slope = np.divide((x * y).sum(axis=1), size, out=np.ones_like(size), where=size > 0)
    # What is stretched more is told by its spread
    stretched = ((slope > SAME) & (slope < FOLD)) | ((slope < 1 / SAME) & (slope > 1 / FOLD))
    stretched &= ~_scaled_as(reference.control, values, reference.base)
    stretched &= _distance(x, y * slope[:, None]) < EXPLAINED * np.minimum(plain, _distance(x, y))
    if stretched.any():
        msg = (
            f"`predictions` is on another scale: {_rows(stretched, reference)} has a slope of "
            f"{np.median(slope[stretched]):.3g} on the data, where it should be 1. Apply the normalization of the data: its "
            "target_sum and its logarithm."
        )
        raise ValueError(msg)


def _scaled_as(control: FloatArray, values: FloatArray, base: float) -> BoolArray:
    """Whether rows have the slope and the total of the control: a strong response differs in both from any poor prediction."""
    x, y = values - values.mean(axis=1, keepdims=True), control - control.mean()
    slope = x @ y / (y @ y) if y.any() else np.zeros(len(values))
    with np.errstate(over="ignore"):
        total = np.expm1(values * np.log(base)).sum(axis=1) / np.expm1(control * np.log(base)).sum()
    return (slope > 1 / SAME) & (slope < SAME) & (total > 1 / SAME) & (total < SAME)


def _base_text(base: float) -> str:
    return "e" if abs(base - np.e) < 1e-6 else f"{base:g}"


def check_control(predicted: FloatArray, noise: FloatArray, reference: ScreenMeans) -> None:
    """Warn where the predicted control is not that of the data: every predicted change holds the difference.

    ``noise`` (G,) is the variance of the control mean of the data.
    """
    away = float(((predicted - reference.control) ** 2).sum())
    effects = float(np.median(((reference.observed - reference.control) ** 2).sum(axis=1)))
    if away <= OFF**2 * float(noise.sum()) or away <= MUCH * effects:
        return
    spread = float(reference.control.var())
    slope = float(np.cov(predicted, reference.control, ddof=0)[0, 1]) / spread if spread > 0 else 1.0
    warn(
        f"`predictions`: the predicted control is off that of the data by {np.sqrt(away / len(noise)):.2g} per gene (root "
        f"mean square; effects are {np.sqrt(effects / len(noise)):.2g}; slope {slope:.2f}), and so is every prediction. Pass "
        "control='predicted' to spb.tl.add_predictions, which adds predicted changes to the control of the data."
    )


def _distance(values: FloatArray, others: FloatArray, *, without_mean: bool = False) -> FloatArray:
    """Return the sum of squares over genes between rows."""
    away = values - others
    away = away - away.mean(axis=1, keepdims=True) if without_mean else away
    # A rounding error is no distance
    return np.asarray((away**2).sum(axis=1) + 1e-12 * (others**2).sum(axis=1))


def _correlation(values: FloatArray, control: FloatArray) -> FloatArray:
    """Return the correlation of each row with control over genes (1 where control is constant)."""
    x, c = values - values.mean(axis=1, keepdims=True), control - control.mean()
    size = np.sqrt((x**2).sum(axis=1) * (c @ c))
    if not c.any():
        return np.ones(len(values))
    return np.divide(x @ c, size, out=np.zeros_like(size), where=size > 0)


def _rows(which: BoolArray, reference: ScreenMeans) -> str:
    """Name rows for a message."""
    n = int(which.sum())
    if n == len(which):
        return "every row"
    names = [reference.names[i] for i in np.flatnonzero(which).tolist()]
    return f"{n} of {len(which)} rows: {some(names, 3)}"
