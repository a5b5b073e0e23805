"""What values are, told from the control of the data."""

import numpy as np
import pytest

from scpertbias._models.external.scale import check_scale

RNG = np.random.default_rng(0)
CONTROL = RNG.gamma(0.7, 0.8, 200)
EXPRESSION = (CONTROL + RNG.normal(0, 0.1, (8, 200))).clip(0)
DELTA = EXPRESSION - CONTROL


def check(values, kind="expression", *, control=CONTROL, are_integers=False, signed=False, allow_offset=False):
    check_scale(values, control, kind, are_integers=are_integers, signed=signed, allow_offset=allow_offset)


def test_what_it_takes():
    check(EXPRESSION)
    check(EXPRESSION - 0.02)  # a linear model goes a little below zero
    check(np.vstack([EXPRESSION, np.full((1, 200), np.nan)]))
    check(DELTA, "delta")
    check(np.zeros((8, 200)), "delta")  # no change
    check(0.2 * CONTROL + DELTA, "delta")  # mostly rises, some fall
    check(np.tile(CONTROL, (8, 1)))


@pytest.mark.parametrize("seed", range(20))
def test_any_shuffling_is_caught(seed):
    order = np.random.default_rng(seed).permutation(200)
    with pytest.raises(ValueError, match="genes look shuffled or on another scale"):
        check(EXPRESSION[:, order])


def test_the_correlation_is_named():
    order = np.random.default_rng(0).permutation(200)
    r = np.median([np.corrcoef(row, CONTROL)[0, 1] for row in EXPRESSION[:, order]])
    with pytest.raises(ValueError, match=f"data at {r:.2f} over genes"):
        check(EXPRESSION[:, order])


def test_an_offset_passes_only_where_it_is_taken_out():
    check(EXPRESSION + 3, allow_offset=True)
    with pytest.raises(ValueError, match="another scale: its mean"):
        check(EXPRESSION + 3)
    with pytest.raises(ValueError, match="another scale: its spread"):
        check(3 * EXPRESSION, allow_offset=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (DELTA, "negative values"),
        ((EXPRESSION - EXPRESSION.mean(axis=0)) / EXPRESSION.std(axis=0), "negative values"),
        (0.1 * CONTROL + np.zeros((8, 1)), "is it kind='delta'"),
        (np.expm1(EXPRESSION) * 20, "log1p included"),
        (EXPRESSION / np.log(10), "another scale"),  # log10
    ],
)
def test_not_expression(values, message):
    with pytest.raises(ValueError, match=message):
        check(values)


def test_raw_counts():
    with pytest.raises(ValueError, match="raw counts"):
        check(np.round(EXPRESSION), are_integers=True)


def test_not_changes():
    for kind in ("delta", "log2fc"):
        with pytest.raises(ValueError, match="looks like expression"):
            check(EXPRESSION, kind)
        with pytest.raises(ValueError, match="too large"):
            check(DELTA * 1000, kind)


def test_data_below_zero_tell_nothing():
    check(-EXPRESSION, signed=True)
    check(-EXPRESSION, control=-CONTROL)
    with pytest.raises(ValueError, match="needs log-normalized"):
        check(DELTA, "log2fc", signed=True)
