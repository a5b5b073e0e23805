"""What is refused says what to do, and what it says to do is not refused again."""

import re

import numpy as np
import pytest
from scipy import sparse

from scpertbias import _scale
from scpertbias._scale import FIXES, PROBLEMS, Scale

RNG = np.random.default_rng(0)
SHARE = RNG.gamma(0.7, 1, 300) + 0.02
COUNTS = RNG.poisson(SHARE / SHARE.sum() * RNG.lognormal(np.log(2500), 0.4, 90)[:, None]).astype(np.float64)


def normalized(x):
    return x / x.sum(axis=1, keepdims=True) * 1e4


def logged(x):
    return np.log1p(normalized(x))


def ambient(x, depth=1.0):
    return np.where(x > 0, np.maximum(x - 0.07 * x.mean(0), 0.03), 0) * depth


def alternating(first, second):
    return np.where(np.arange(len(first))[:, None] % 2 == 0, first, second)


LOGGED = logged(COUNTS)
SCRAN = np.log1p(COUNTS / RNG.lognormal(0, 0.5, 90)[:, None])
Z = (LOGGED - LOGGED.mean(0)) / LOGGED.std(0).clip(1e-9)
BROKEN = LOGGED.copy()
BROKEN[3, 4] = np.nan
# Values, whether they are to be normalized, and what is wrong with them.
STATES = {
    "counts": (COUNTS, False, "counts"),
    "counts to be normalized": (COUNTS, True, None),
    "logs": (LOGGED, False, None),
    "logs to be normalized": (LOGGED, True, "logs"),
    "log2": (np.log2(1 + normalized(COUNTS)), False, None),
    "log2 of a million": (np.log2(1 + 100 * normalized(COUNTS)), False, None),
    "log2 to be normalized": (np.log2(1 + normalized(COUNTS)), True, "logs"),
    "logs by size factors": (SCRAN, False, None),
    "logs of some genes": (LOGGED[:, ::4], False, None),
    "logs of counts": (np.log1p(COUNTS), False, None),
    "logs of logs": (np.log1p(LOGGED), False, "logged_twice"),
    "logs of logs to be normalized": (np.log1p(LOGGED), True, "logged_twice"),
    "normalized, not logged": (normalized(COUNTS), False, "linear"),
    "normalized, not logged, to be normalized": (normalized(COUNTS), True, None),
    "counts per hundred, not logged": (normalized(COUNTS) / 100, False, "linear"),
    "proportions": (normalized(COUNTS) / 1e4, False, "proportions"),
    "proportions to be normalized": (normalized(COUNTS) / 1e4, True, None),
    "fractions of counts": (ambient(COUNTS), False, "too_large"),
    "fractions of counts to be normalized": (ambient(COUNTS), True, None),
    "small fractions of counts": (ambient(COUNTS, 0.02), False, None),  # nothing tells them from logarithms
    "small fractions of counts to be normalized": (ambient(COUNTS, 0.02), True, "not_counts"),
    "counts between fractions": (alternating(COUNTS, ambient(COUNTS)), False, "too_large"),
    "counts between fractions to be normalized": (alternating(COUNTS, ambient(COUNTS)), True, None),
    "counts between logs": (alternating(COUNTS, LOGGED), False, "mixed"),
    "counts between logs to be normalized": (alternating(COUNTS, LOGGED), True, "mixed"),
    "counts between logs of some genes": (alternating(COUNTS, SCRAN)[:, ::2], False, "mixed"),
    "log2 between logs": (alternating(np.log2(1 + normalized(COUNTS)), LOGGED), False, "mixed"),
    "normalized between logs": (alternating(normalized(COUNTS), LOGGED), False, "mixed"),
    "z-scores": (Z, False, "negative"),
    "z-scores to be normalized": (Z, True, "negative"),
    "gaps": (BROKEN, False, "not_finite"),
}


def problem(values, normalize, log_base=None):
    check = Scale(layer=None, normalize=normalize, log_base=log_base)
    try:
        check.add(values)
        check.finish()
    except ValueError as error:
        return check.problem(), str(error)
    return None, ""


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_each_state_is_what_it_is(name, form):
    values, normalize, expected = STATES[name]
    assert problem(form(values.astype(np.float32)), normalize)[0] == expected


def test_every_problem_occurs():
    assert {expected for _, _, expected in STATES.values()} - {None} == set(PROBLEMS)


# What a reader does who is told so, to the values, to normalize= and to the base that uns states.
STEPS = {
    "normalize": lambda x, _: (x, True),
    "log_normalize": lambda x, _: (logged(x), False),
    "as_they_are": lambda x, _: (x, False),
    "counts": lambda _x, normalize: (COUNTS, normalize),
    "logs": lambda _x, _n: (LOGGED, False),
    "unlog": lambda x, _: (np.expm1(x), False),
    "one_scale": lambda x, _: (LOGGED[:, : x.shape[1]], False),
    "finite": lambda x, normalize: (np.nan_to_num(x), normalize),
    "base": lambda _x, _n: (np.log2(1 + ambient(COUNTS, 1e3)), False, 2.0),  # where they are log2
}


@pytest.mark.parametrize("name", STATES)
def test_what_a_message_proposes_is_not_refused(name):
    values, normalize, expected = STATES[name]
    for fix in PROBLEMS[expected][1] if expected else ():
        assert problem(*STEPS[fix](values, normalize))[0] is None, fix


@pytest.mark.parametrize("name", [n for n, state in STATES.items() if state[2]])
def test_the_message_states_every_fix(name):
    values, normalize, expected = STATES[name]
    _, message = problem(values, normalize)
    for fix in PROBLEMS[expected][1]:
        assert FIXES[fix][1:] in message
    assert "\n" not in message


def test_the_mixture_is_named():
    _, message = problem(STATES["counts between logs"][0], False)
    assert re.search(r"5\d% natural logarithms|50% raw counts", message)
    assert "raw counts" in message
    assert "natural logarithms" in message


def test_a_base_that_is_stated_widens_the_range():
    values = np.log2(1 + ambient(COUNTS, 1e3))
    assert values.max() > 14
    for stated, refused in ((None, True), (2.0, False)):
        check = Scale(layer=None, normalize=False, log_base=stated)
        if refused:
            with pytest.raises(ValueError, match="too large"):
                check.add(values)
        else:
            check.add(values)
            assert check.log_base == 2


def test_the_values_outweigh_a_base_that_is_stated():
    check = Scale(layer=None, normalize=False, log_base=2.0)
    check.add(LOGGED)
    assert check.log_base == pytest.approx(np.e)


def test_record():
    check = Scale(layer=None, normalize=False)
    check.add(LOGGED)
    record = check.record()
    assert np.isnan(record.pop("mean_size"))
    assert record == {
        "scale": "ln",
        "scale_sum": 1e4,
        "scale_sums": [1e4],
        "not_normalized": False,
        "log_base": float(np.e),
        "n_shallow": 0,
    }


def test_cells_of_next_to_no_counts():
    check = Scale(layer=None, normalize=True)
    check.add_sizes(np.array([0.0, 2.0, 9.0, 10.0, 400.0]))
    other = check.fresh()
    other.add_sizes(np.array([1.0]))
    check.join(other)
    assert (check.n_shallow, check.n_sized, check.record()["mean_size"]) == (3, 5, 422 / 5)


def test_layers_of_ours_are_not_judged():
    check = Scale(layer="standardized", normalize=False, may_be_negative=True)
    check.add(Z * 100)
    check.finish()


def test_parts_that_are_joined_are_judged_as_one():
    whole = Scale(layer=None, normalize=False)
    part = whole.fresh()
    whole.add(LOGGED[:40])
    part.add(LOGGED[40:])
    whole.join(part)
    whole.finish()
    assert whole.rows.n == len(LOGGED)


def test_no_value_says_what_to_do():
    check = Scale(layer=None, normalize=False)
    with pytest.raises(ValueError, match=r"X is empty.*layer="):
        check.finish()
    assert _scale.EARLY
