"""Which labels are combinations, and of what."""

import pytest

from scpertbias._labels.combinations import CONTROL_PART, Splitter

GENES = {"STAT1", "JAK2", "HLA-A", "KLF1", "MAP2K6"}


def splitter(sep=None, other=frozenset({"drug X", "A", "B"})):
    def measured(part):
        return CONTROL_PART if part == "ctrl" else part if part in GENES else None

    return Splitter(measured, lambda part: part if part in other else None, sep)


def parts(label, **kwargs):
    result = splitter(**kwargs).split(label)
    return None if result is None else [target for _, target in result[0]]


@pytest.mark.parametrize(
    "sep", ["+", " + ", "_", "__", "-", " - ", ":", "/", "|", "||", " || ", ";", ", ", "&", " ", " and ", " x "]
)
def test_known_parts_make_a_combination_whatever_separates_them(sep):
    for first, second in [("STAT1", "JAK2"), ("HLA-A", "JAK2"), ("A", "STAT1"), ("KLF1", "drug X")]:
        assert parts(f"{first}{sep}{second}") == [first, second]
    assert parts(f"STAT1{sep}unknown") == (["STAT1", "unknown"] if sep.strip() == "+" else None)
    assert parts(f"STAT1{sep}ctrl") == ["STAT1", CONTROL_PART]


@pytest.mark.parametrize(
    "label", ["HLA-A", "TGT0_+_1000.23-P1P2", "TGT1+/-", "(+)-JQ1", "CD4+ T", "A+", "+A", "", "+", "1+2", "a(b+c)d"]
)
def test_a_sign_alone_makes_none(label):
    if label != "HLA-A":  # the caller asks for measured genes first
        assert parts(label) is None


def test_a_pair_of_pairs():
    assert parts("KLF1_MAP2K6__KLF1_MAP2K6") == ["KLF1", "MAP2K6"] * 2
    assert parts("KLF1_ctrl__KLF1_ctrl") == ["KLF1", CONTROL_PART] * 2


def test_a_separator_that_is_named_needs_no_known_part():
    assert parts("x~y", sep="~") == ["x", "y"]
    assert parts("STAT1+JAK2", sep="~") is None
    assert parts("STAT1~ctrl", sep="~") == ["STAT1", CONTROL_PART]
    assert parts("STAT1+JAK2", sep="") is None
    assert parts("x~", sep="~") is None


def test_long_labels_take_no_time():
    assert parts("_".join(["zz"] * 5000)) is None
    assert parts("a" * 100_000) is None
