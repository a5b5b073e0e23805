"""Whether the values of other makers are what they are said to be: expression, changes, fold changes."""

from __future__ import annotations

import numpy as np

from ..._core.arrays import FloatArray

KINDS = ("expression", "delta", "log2fc")
# Genes in another order correlate at 0 with control, on panels of 300 genes at up to 0.45; models at 0.95 and above.
SHUFFLED = 0.5
EXPRESSION = 0.9  # changes that correlate so with control, and are never negative, are expression
NEGATIVE = 0.2  # share of negative values in Σ|x|: about half of changes and z-scores, next to nothing of expression
FOLD = 2.0  # mean and spread over genes, relative to control: of log-normalized expression close to 1
LARGEST_CHANGE = 30.0  # no log-normalized value is above 14


def check_scale(
    values: FloatArray, control: FloatArray, kind: str, *, are_integers: bool, signed: bool, allow_offset: bool = False
) -> None:
    """Refuse shuffled genes, and values that are not of the kind that they are said to be.

    Parameters
    ----------
    values
        Perturbations × genes; rows of NaN do not count.
    control
        Control mean of the data.
    kind
        One of ``KINDS``.
    are_integers
        Whether the values came as whole numbers.
    signed
        Whether the data are regressed or standardized: then the control does not tell what expression looks like.
    allow_offset
        Whether expression may carry an offset that all predictions share.
    """
    values = values[np.isfinite(values).all(axis=1)]
    if kind != "expression" and (largest := float(np.abs(values).max())) > LARGEST_CHANGE:
        msg = f"`predictions` holds changes of up to {largest:.3g}, too large for kind={kind!r} on a logarithmic scale."
        raise ValueError(msg)
    if signed or control.min() < 0:
        if kind == "log2fc":
            msg = (
                "`kind='log2fc'` needs log-normalized data, but these hold negative values; pass changes, kind='delta'."
            )
            raise ValueError(msg)
        return
    r = _correlation(values, control)
    if kind == "expression":
        _check_expression(values, control, r, are_integers=are_integers, allow_offset=allow_offset)
    elif r > EXPRESSION and values.min() >= 0:
        msg = (
            f"`predictions` looks like expression, not like kind={kind!r}: it is never negative, and correlates with the "
            f"control of the data at {r:.2f}. Pass kind='expression'."
        )
        raise ValueError(msg)


def _check_expression(
    values: FloatArray, control: FloatArray, r: float, *, are_integers: bool, allow_offset: bool
) -> None:
    if are_integers:
        msg = (
            "`predictions` looks like raw counts (whole numbers only). Take them to the scale of the data first: "
            "sc.pp.normalize_total(…, target_sum=1e4), sc.pp.log1p(…)."
        )
        raise ValueError(msg)
    if -values.clip(max=0).sum() > NEGATIVE * np.abs(values).sum():
        msg = (
            f"`predictions` holds many negative values (down to {values.min():.3g}), as changes and z-scores do. Pass "
            "kind='delta' for changes against control; take z-scores back to log-normalized values."
        )
        raise ValueError(msg)
    if r < SHUFFLED:
        msg = (
            f"`predictions`: genes look shuffled or on another scale: predicted expression correlates with the control of "
            f"the data at {r:.2f} over genes (models come close to 1). Check the order of the gene names; pass "
            "kind='delta' for changes against control."
        )
        raise ValueError(msg)
    spread = float(np.median(values.std(axis=1))), float(control.std())
    level = float(values.mean()), float(control.mean())
    for statistic, (value, expected) in {"spread": spread, "mean": level}.items():
        if (
            expected > 0
            and not expected / FOLD <= value <= expected * FOLD
            and not (allow_offset and statistic == "mean")
        ):
            advice = (
                "apply the normalization of the data, log1p included" if value > expected else "is it kind='delta'?"
            )
            msg = (
                f"`predictions` is on another scale: its {statistic} over genes is {value:.3g}, that of the control of the data "
                f"{expected:.3g}; {advice}"
            )
            raise ValueError(msg)


def _correlation(values: FloatArray, control: FloatArray) -> float:
    """Return the median over perturbations of the correlation with control over genes (1 where control is constant)."""
    x, c = values - values.mean(axis=1, keepdims=True), control - control.mean()
    size = np.sqrt((x**2).sum(axis=1) * (c @ c))
    if not c.any():
        return 1.0
    return float(np.median(np.divide(x @ c, size, out=np.zeros_like(size), where=size > 0)))
