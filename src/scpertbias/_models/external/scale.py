"""Checks of external predictions: whether rows are expression, changes or fold changes, as declared."""

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
OF_OBSERVED = 0.6  # strong responses correlate less with control, so the limit is relative to the observed correlation
EXPRESSION = 0.9  # changes that correlate so with control, and are never negative, are expression
NEGATIVE = 0.2  # share of negative values in Σ|x|: about half for changes and z-scores, almost 0 for expression
FOLD = 2.0  # mean and spread over genes, relative to control: of log-normalized expression close to 1
LARGEST_CHANGE = 30.0  # no log-normalized value is above 14
EXPLAINED = 0.5  # another scale is one that brings predictions so much closer to the data, in squares
SOME = 0.1  # rows near to the data at another total, of less than twofold, that a poor model may have
SAME = 1.25  # totals that differ by less are the same
TOTALS = (0.02, 1e4)
OFF = 3.0  # distance of the predicted control from that of the data, in multiples of its noise, and
MUCH = 0.05  # than this share of the squared effects, is off


@dataclass(frozen=True)
class ScreenMeans:
    """Reference for predictions: the ``control`` mean (G,) of the data, and their ``observed`` means (P, G).

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
        Whether the data are regressed or standardized, so that the control does not show the scale of expression.
    allow_offset
        Whether all predictions may have the same offset.
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
                f"`predictions` contains changes of up to {largest:.3g} ({_rows(large, reference)}), too large for kind={kind!r} "
                "on a logarithmic scale. Convert them to changes of log-normalized values."
            )
            raise ValueError(msg)
    if signed or reference.control.min() < 0:
        if kind == "log2fc":
            msg = (
                "`kind='log2fc'` needs log-normalized data, but these data contain negative values. Pass changes with "
                "kind='delta'."
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
            f"`predictions` seems to contain expression, not kind={kind!r}. In {_rows(like_expression, reference)}, no value is "
            f"negative, and the correlation with the control of the data is {r:.2f}. Pass kind='expression'."
        )
        raise ValueError(msg)


def _check_expression(values: FloatArray, reference: ScreenMeans, *, are_integers: bool, allow_offset: bool) -> None:
    whole = np.all(values == np.round(values), axis=1) & (values.max(axis=1) >= 2) & (np.ptp(values, axis=1) > 0)
    if are_integers or whole.any():
        which = "only whole numbers" if are_integers else f"whole numbers in {_rows(whole, reference)}"
        msg = (
            f"`predictions` seems to contain raw counts ({which}). Convert them to the scale of the data: "
            "sc.pp.normalize_total(…, target_sum=1e4), sc.pp.log1p(…)."
        )
        raise ValueError(msg)
    negative = -values.clip(max=0).sum(axis=1) > NEGATIVE * np.abs(values).sum(axis=1)
    if negative.any():
        msg = (
            f"`predictions` contains many negative values (down to {values.min():.3g}; {_rows(negative, reference)}), "
            "like changes or z-scores. For changes from control, pass kind='delta'. Convert z-scores to log-normalized "
            "values."
        )
        raise ValueError(msg)
    _check_scales(values, reference, allow_offset=allow_offset)
    r = _correlation(values, reference.control)
    expected = np.minimum(SHUFFLED, OF_OBSERVED * _correlation(reference.observed, reference.control))
    shuffled = (r < expected) | (np.median(r) < SHUFFLED)
    if shuffled.any():
        msg = (
            "`predictions`: genes seem to be shuffled, or values are on another scale. The correlation (over genes) of "
            f"predictions with the control of the data is {np.median(r[shuffled]):.2f} "
            f"({_rows(shuffled, reference)}); typical values are close to 1. Check the order of the gene names. If the "
            "values are changes from control, pass kind='delta'."
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
            advice = (
                "Normalize the predictions in the same way as the data, including log1p."
                if value > usual
                else "If the values are changes from control, pass kind='delta'."
            )
            msg = (
                f"`predictions` has another scale than the data: its {statistic} over genes is {value:.3g} "
                f"({_rows(off, reference)}), but {usual:.3g} in the control of the data. {advice}"
            )
            raise ValueError(msg)


def _check_scales(values: FloatArray, reference: ScreenMeans, *, allow_offset: bool) -> None:
    """Raise an error for rows that fit the data much better after a change of the base or the total of the data."""
    observed, base = reference.observed, reference.base
    with np.errstate(over="ignore"):
        total = np.expm1(values * np.log(base)).sum(axis=1) / np.expm1(observed * np.log(base)).sum(axis=1)
    other = (total > TOTALS[0]) & (total < TOTALS[1]) & ((total > SAME) | (total < 1 / SAME))
    total = np.where(other, total, 1.0)
    bases = [b for b in BASES.values() if abs(b - base) > 1e-6]
    others = [observed * np.log(base) / np.log(b) for b in bases]
    others.append(np.log1p(np.expm1(observed * np.log(base)) * total[:, None]) / np.log(base))
    distance = np.array([_distance(values, x) for x in others])
    for i, x in enumerate(others[:-1]):  # small values fit any smaller scale better
        level = values.sum(axis=1) / np.maximum(x.sum(axis=1), 1e-12)
        distance[i, (level > SAME) | (level < 1 / SAME)] = np.inf
    plain = _distance(values, observed, without_mean=allow_offset)
    nearest = np.where(distance.min(axis=0) < EXPLAINED * plain, distance.argmin(axis=0), -1)
    nearest[_scaled_as(reference.control, values, base)] = -1
    for i, b in enumerate(bases):
        if (there := nearest == i).any():
            factor = np.log(base) / np.log(b)
            msg = (
                f"`predictions` seems to have logarithms to base {_base_text(b)}, but the data have base {_base_text(base)}: the "
                f"slope of predictions on data is {factor:.3g} ({_rows(there, reference)}). Multiply the predictions by "
                f"{1 / factor:.4g}."
            )
            raise ValueError(msg)
    there = nearest == len(bases)
    far = there & ((total > FOLD) | (total < 1 / FOLD))
    if not far.any() and there.sum() <= SOME * len(values):  # a poor prediction of one perturbation can look like this
        there[:] = False
    if there.any():
        which = far if far.any() else there
        msg = (
            f"`predictions` has another scale than the data ({_rows(which, reference)}). Either cells were normalized "
            f"to {np.median(total[which]):.3g} times the total of the data, or the values are logarithms of means "
            "instead of means of logarithms. Normalize as for the data: first to target_sum, then log1p, then the "
            "mean over cells."
        )
        if far.any():
            raise ValueError(msg)
        warn(msg)
    _check_slope(values, observed, plain, reference)


def _check_slope(values: FloatArray, observed: FloatArray, plain: FloatArray, reference: ScreenMeans) -> None:
    """Raise an error for rows that fit the data much better after the data are multiplied by a slope."""
    x, y = (v - v.mean(axis=1, keepdims=True) for v in (values, observed))
    size = (y**2).sum(axis=1)
    slope = np.divide((x * y).sum(axis=1), size, out=np.ones_like(size), where=size > 0)
    # Larger slopes are detected by the spread
    stretched = ((slope > SAME) & (slope < FOLD)) | ((slope < 1 / SAME) & (slope > 1 / FOLD))
    stretched &= ~_scaled_as(reference.control, values, reference.base)
    stretched &= _distance(x, y * slope[:, None]) < EXPLAINED * np.minimum(plain, _distance(x, y))
    if stretched.any():
        msg = (
            f"`predictions` has another scale than the data: the slope of predictions on data is "
            f"{np.median(slope[stretched]):.3g} instead of about 1 ({_rows(stretched, reference)}). Apply the normalization "
            "of the data, with its target_sum and its logarithm."
        )
        raise ValueError(msg)


def _scaled_as(control: FloatArray, values: FloatArray, base: float) -> BoolArray:
    """Whether rows have the slope and total of the control, as poor predictions of strong responses have."""
    x, y = values - values.mean(axis=1, keepdims=True), control - control.mean()
    slope = x @ y / (y @ y) if y.any() else np.zeros(len(values))
    with np.errstate(over="ignore"):
        total = np.expm1(values * np.log(base)).sum(axis=1) / np.expm1(control * np.log(base)).sum()
    return (slope > 1 / SAME) & (slope < SAME) & (total > 1 / SAME) & (total < SAME)


def _base_text(base: float) -> str:
    return "e" if abs(base - np.e) < 1e-6 else f"{base:g}"


def check_control(predicted: FloatArray, noise: FloatArray, reference: ScreenMeans) -> None:
    """Warn if the predicted control is not that of the data, because every predicted change contains the difference.

    ``noise`` (G,) is the variance of the control mean of the data.
    """
    away = float(((predicted - reference.control) ** 2).sum())
    effects = float(np.median(((reference.observed - reference.control) ** 2).sum(axis=1)))
    if away <= OFF**2 * float(noise.sum()) or away <= MUCH * effects:
        return
    spread = float(reference.control.var())
    slope = float(np.cov(predicted, reference.control, ddof=0)[0, 1]) / spread if spread > 0 else 1.0
    warn(
        "`predictions`: the predicted control differs from the control of the data, and every prediction contains "
        f"this difference. Its root mean square over genes is {np.sqrt(away / len(noise)):.2g}; that of observed "
        f"effects is {np.sqrt(effects / len(noise)):.2g}. The slope of the predicted on the observed control is "
        f"{slope:.2f}. To compute effects from the predicted control, pass control='predicted' to "
        "spb.tl.add_predictions."
    )


def _distance(values: FloatArray, others: FloatArray, *, without_mean: bool = False) -> FloatArray:
    """Return the sum of squares over genes between rows."""
    away = values - others
    away = away - away.mean(axis=1, keepdims=True) if without_mean else away
    # Rounding errors do not count
    return np.asarray((away**2).sum(axis=1) + 1e-12 * (others**2).sum(axis=1))


def _correlation(values: FloatArray, control: FloatArray) -> FloatArray:
    """Return the correlation of each row with control over genes (1 where control is constant)."""
    x, c = values - values.mean(axis=1, keepdims=True), control - control.mean()
    size = np.sqrt((x**2).sum(axis=1) * (c @ c))
    if not c.any():
        return np.ones(len(values))
    return np.divide(x @ c, size, out=np.zeros_like(size), where=size > 0)


def _rows(which: BoolArray, reference: ScreenMeans) -> str:
    """Return the number and names of rows for a message."""
    n = int(which.sum())
    if n == len(which):
        return "every row"
    names = [reference.names[i] for i in np.flatnonzero(which).tolist()]
    return f"{n} of {len(which)} rows: {some(names, 3)}"
