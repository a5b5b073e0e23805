"""What values are, told from the data, row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scpertbias._models.external.scale import ScreenMeans, check_control, check_scale

RNG = np.random.default_rng(0)
N_GENES = 200
SHARE = RNG.gamma(0.7, 1, N_GENES) + 0.02
EFFECT = np.vstack([np.zeros(N_GENES), RNG.normal(0, 0.3, (8, N_GENES))])


def means(transform, seed=0, n=60, depth=2000):
    """Means of the control and of eight perturbations, of cells that ``transform`` takes from counts to values."""
    rng = np.random.default_rng(seed)
    rate = SHARE * np.exp(EFFECT)
    rate /= rate.sum(axis=1, keepdims=True)
    counts = [rng.poisson(r * rng.lognormal(np.log(depth), 0.4, (n, 1))) for r in rate]
    return np.array([transform(k).mean(axis=0) for k in counts])


def normalized(counts, total=1e4):
    return counts / counts.sum(axis=1, keepdims=True) * total


def logged(counts):
    return np.log1p(normalized(counts))


OBSERVED = means(logged)
CONTROL, EXPRESSION = OBSERVED[0], OBSERVED[1:]
DELTA = EXPRESSION - CONTROL
NAMES = [f"TGT{i}" for i in range(8)]
DATA = ScreenMeans(CONTROL, EXPRESSION, NAMES)
OTHERS = {
    "logarithms to base 2": means(lambda k: np.log2(1 + normalized(k)))[1:],
    "logarithms to base 10": means(lambda k: np.log10(1 + normalized(k)))[1:],
    "a sum of 1": means(lambda k: np.log1p(normalized(k, 1e6)))[1:],
    "to 0.1": means(lambda k: np.log1p(normalized(k, 1e3)))[1:],
}


def check(values, kind="expression", *, data=DATA, are_integers=False, signed=False, allow_offset=False):
    check_scale(values, data, kind, are_integers=are_integers, signed=signed, allow_offset=allow_offset)


def only(row, values, i=3):
    """One row of these among those of the data."""
    out = row.copy()
    out[i] = values[i]
    return out


def test_what_it_takes():
    check(EXPRESSION)
    check(means(logged, seed=1)[1:])
    check(EXPRESSION - 0.02)  # a linear model goes a little below zero
    check(np.vstack([EXPRESSION[:7], np.full((1, N_GENES), np.nan)]))
    check(DELTA, "delta")
    check(np.zeros((8, N_GENES)), "delta")  # no change
    check(0.2 * CONTROL + DELTA, "delta")  # mostly rises, some fall
    check(np.tile(CONTROL, (8, 1)))
    check(np.tile(EXPRESSION.mean(axis=0), (8, 1)))
    check(EXPRESSION + np.random.default_rng(2).normal(0, 0.3, N_GENES).clip(-CONTROL))  # an own offset for each gene


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 1), st.floats(0, 0.3), st.integers(0, 100))
def test_a_poor_model_is_not_on_another_scale(weight, noise, seed):
    """Whatever part of an effect a model predicts, it is judged, not refused."""
    error = np.random.default_rng(seed).normal(0, noise, EXPRESSION.shape)
    check((CONTROL + weight * DELTA + error * np.sqrt(CONTROL)).clip(0))


@pytest.mark.parametrize("seed", range(20))
def test_any_shuffling_is_caught(seed):
    order = np.random.default_rng(seed).permutation(N_GENES)
    for values in (EXPRESSION[:, order], only(EXPRESSION, EXPRESSION[:, order])):
        with pytest.raises(
            ValueError, match="genes seem to be shuffled, or values are on another scale|another scale than the data"
        ):
            check(values)


def test_the_correlation_is_named():
    order = np.random.default_rng(0).permutation(N_GENES)
    r = np.median([np.corrcoef(row, CONTROL)[0, 1] for row in EXPRESSION[:, order]])
    with pytest.raises(ValueError, match=f"control of the data is {r:.2f}"):
        check(EXPRESSION[:, order])


def test_an_offset_passes_only_where_it_is_taken_out():
    check(EXPRESSION + 3, allow_offset=True)
    with pytest.raises(ValueError, match="another scale"):
        check(EXPRESSION + 3)
    with pytest.raises(ValueError, match="another scale than the data: its spread"):
        check(3 * EXPRESSION, allow_offset=True)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("allow_offset", [False, True])
@pytest.mark.parametrize("rows", ["all", "one"])
def test_other_logarithms_and_other_sums_are_named(name, allow_offset, rows):
    values = OTHERS[name] if rows == "all" else only(EXPRESSION, OTHERS[name])
    with pytest.raises(ValueError, match="`predictions` (has another scale|seems to have logarithms)") as error:
        check(values, allow_offset=allow_offset)
    message = str(error.value)
    if not (allow_offset and name == "a sum of 1"):  # an offset hides what a slope comes from
        assert name in message or "normalized to 9" in message
    assert ("every row" if rows == "all" else "1 of 8 rows: TGT3") in message


def test_what_the_message_proposes_passes():
    for base in (2, 10):
        check(OTHERS[f"logarithms to base {base}"] * np.log(base))


def test_natural_logarithms_where_the_data_are_log2():
    values = means(lambda k: np.log2(1 + normalized(k)))
    data = ScreenMeans(values[0], values[1:], NAMES, base=2.0)
    check(values[1:], data=data)
    with pytest.raises(ValueError, match=r"to base e, but the data have base 2.*slope .* 0.693.*Multiply .* 1.443"):
        check(EXPRESSION, data=data)


def test_a_sum_that_is_nearly_that_of_the_data_is_a_warning():
    with pytest.warns(UserWarning, match="normalized to 0.6"):
        check(means(lambda k: np.log1p(normalized(k, 6e3)))[1:])


def test_another_sum_of_one_row_is_the_prediction_of_a_model():
    observed = np.concatenate([EXPRESSION, EXPRESSION])
    values = observed.copy()
    values[3] = np.log1p(np.expm1(values[3]) * 1.6)
    check(values, data=ScreenMeans(CONTROL, observed, (*NAMES, *NAMES)))  # a warning would be an error


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (DELTA, "negative values"),
        (only(EXPRESSION, DELTA), r"negative values \(down to .*1 of 8 rows: TGT3"),
        ((EXPRESSION - EXPRESSION.mean(axis=0)) / EXPRESSION.std(axis=0).clip(1e-9), "negative values"),
        (only(EXPRESSION, np.abs(DELTA)), "1 of 8 rows: TGT3"),
        (np.expm1(EXPRESSION), "log1p included|another scale"),
        (only(EXPRESSION, np.expm1(EXPRESSION)), "1 of 8 rows: TGT3"),
        (only(EXPRESSION, np.round(5 * EXPRESSION)), "raw counts .whole numbers in 1 of 8 rows: TGT3"),
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
        with pytest.raises(ValueError, match="seems to contain expression"):
            check(EXPRESSION, kind)
        with pytest.raises(ValueError, match=r"seems to contain expression.*1 of 8 rows: TGT3"):
            check(only(DELTA, EXPRESSION), kind)
        with pytest.raises(ValueError, match="too large"):
            check(DELTA * 1000, kind)


def test_data_below_zero_tell_nothing():
    below = ScreenMeans(-CONTROL, -EXPRESSION, NAMES)
    check(-EXPRESSION, signed=True)
    check(-EXPRESSION, data=below)
    with pytest.raises(ValueError, match="needs log-normalized"):
        check(DELTA, "log2fc", signed=True)


def test_a_strong_response_of_a_small_panel_is_not_shuffled():
    rng = np.random.default_rng(3)
    control = rng.gamma(2.0, 0.5, 25)
    observed = (control + rng.normal(0, 0.8, (8, 25))).clip(0)
    assert min(np.corrcoef(row, control)[0, 1] for row in observed) < 0.6
    check(observed, data=ScreenMeans(control, observed, NAMES))


NOISE = np.full(N_GENES, 0.02**2)


def test_a_control_that_is_off_is_told_of_the_argument():
    off = CONTROL + np.random.default_rng(0).normal(0, 0.3, N_GENES)
    with pytest.warns(UserWarning, match=r"control of the data, .* over genes is 0\.[23]\d?; .*control='predicted'"):
        check_control(off, NOISE, DATA)


def test_a_control_that_is_that_of_the_data():
    check_control(CONTROL, NOISE, DATA)
    check_control(CONTROL + np.random.default_rng(0).normal(0, 0.04, N_GENES), NOISE, DATA)  # that of fewer cells
    check_control(CONTROL + np.random.default_rng(0).normal(0, 0.04, N_GENES), NOISE * 0, DATA)  # within the effects
    check_control(means(logged, seed=5)[0], means_noise(), DATA)


def means_noise(n=60):
    """Variance of the mean of so many cells, by their repeats."""
    return np.var([means(logged, seed=seed, n=n)[0] for seed in range(10, 18)], axis=0)


def test_a_strong_response_does_not_make_a_poor_prediction_another_scale():
    observed = EXPRESSION.copy()
    observed[0] = np.maximum(observed[0] + 0.5 * (CONTROL - CONTROL.mean()), 0.0)  # high genes rise, low ones fall
    reference = ScreenMeans(CONTROL, observed, NAMES)
    for constant in (CONTROL, EXPRESSION.mean(axis=0)):
        check_scale(np.tile(constant, (8, 1)), reference, "expression", are_integers=False, signed=False)
    with pytest.raises(ValueError, match="another scale|seems to have logarithms"):
        check_scale(1.4 * EXPRESSION, reference, "expression", are_integers=False, signed=False)
