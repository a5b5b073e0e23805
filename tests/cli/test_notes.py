import argparse
import time
import warnings

import pytest

from scpertbias._cli.notes import batch_columns, noted, sayer


def test_warnings_are_notes_also_before_an_error():
    lines = []

    def fail():
        with noted(lines.append):
            for _ in range(2):
                warnings.warn("pass batch_key='lane'", stacklevel=1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert lines == ["note: pass --batch lane"]


def test_quiet(capsys):
    for quiet in (True, False):
        sayer(argparse.Namespace(quiet=quiet, start=time.perf_counter()))("a line")
    assert capsys.readouterr().err.count("a line") == 1


@pytest.mark.parametrize(
    ("columns", "expected"), [(None, "auto"), (["auto"], "auto"), (["none"], None), (["a", "b"], ["a", "b"])]
)
def test_batches(columns, expected):
    assert batch_columns(columns) == expected
