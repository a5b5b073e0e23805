"""Whatever a reader stumbles over becomes one error that names the file."""

import tokenize
import zlib

import pytest

from scpertbias._files import one_line, reading


def test_one_line():
    assert one_line(KeyError("no 'x'")) == "no 'x'"
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(KeyError("low")) == "KeyError: low"


@pytest.mark.parametrize(
    "error", [zlib.error("x y"), tokenize.TokenError("a", (1, 2)), MemoryError(), AssertionError(), KeyError("k")]
)
def test_any_error_of_a_reader(error, tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"x\.csv cannot be read; it may be cut short") as caught, reading(path):
        raise error
    assert caught.value.__cause__ is error


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.csv does not exist"), reading(tmp_path / "x.csv"):
        pass


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_the_user_may_stop_it(stop, tmp_path):
    with pytest.raises(stop), reading(tmp_path):
        raise stop
