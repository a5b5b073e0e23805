import argparse
from pathlib import Path

import pytest

from scpertbias._cli import values


def test_models_with_their_files_and_parameters():
    assert values.prediction("mine@no_mt=a=b.csv") == ("mine@no_mt", Path("a=b.csv"))
    assert values.parameter("ridge.alpha=1.5") == ("ridge", "alpha", 1.5)
    assert values.parameter("ridge.coding=one_hot") == ("ridge", "coding", "one_hot")


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (values.prediction, "mine", "does not have the form NAME=FILE"),
        (values.parameter, "ridge=1", "does not have the form MODEL.NAME=VALUE"),
        (values.cells, "x.h5", "a matrix of Cell Ranger contains no perturbation labels"),
        (values.gigabytes, "-1", "not an amount of memory"),
    ],
)
def test_what_is_refused(read, text, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        read(text)


def test_files_that_can_be_inspected():
    assert values.inspectable("x.h5") == Path("x.h5")
