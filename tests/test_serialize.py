import numpy as np
import pandas as pd
import pytest

from scpertbias._serialize import plain


def test_collections_are_arrays_and_keys_are_text():
    made = plain({1: (1, 2), "b": {"z", "a"}, "c": ["x", None], "d": pd.Index(["u", "v"]), "e": np.float32(2.5)})
    assert list(made) == ["1", "b", "c", "d", "e"]
    assert made["1"].tolist() == [1, 2]
    assert made["b"].tolist() == ["a", "z"]
    assert made["c"].tolist() == ["x", ""]
    assert made["d"].tolist() == ["u", "v"]
    assert type(made["e"]) is float
    assert plain(np.random.default_rng(0)) is None


def test_frames_have_text_as_categories_and_no_objects():
    frame = pd.DataFrame({"t": ["a", None], "b": [True, None], "n": np.array([1, 2.5], dtype=object)}, index=["x", "y"])
    before = frame.copy()
    made = plain(frame)
    assert isinstance(made.index, pd.RangeIndex)
    assert made["t"].tolist() == ["a", ""]
    assert str(made["b"].dtype) == "boolean"
    assert made["n"].dtype == np.float64
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [
        ({"a/b": 1}, ValueError, "cannot be stored as names"),
        ([1, "a"], TypeError, "mixes text"),
        (object(), TypeError, "cannot be stored"),
        (pd.DataFrame({"a": [[1], [2]]}), TypeError, "only text and numbers"),
    ],
)
def test_what_no_file_holds_is_refused(value, error, match):
    with pytest.raises(error, match=match):
        plain(value)
