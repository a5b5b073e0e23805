import numpy as np
import pandas as pd
import pytest

from scpertbias._models._embedding import aligned, check_table

FRAME = pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=["x", "y"])


def test_rows_are_matched_by_name():
    rows = aligned(FRAME, np.array(["y", "z", "x", "y"]), argument="e")
    np.testing.assert_array_equal(rows, [[2, 4], [np.nan, np.nan], [1, 3], [2, 4]])


def test_none_stays_none():
    assert aligned(None, ["x"], argument="e") is None
    assert check_table(None, argument="e") is None


def test_a_good_table_passes():
    assert check_table(FRAME, argument="e") is None


@pytest.mark.parametrize("frame", [FRAME[[]], FRAME.astype(str)])
def test_no_numbers(frame):
    with pytest.raises(TypeError, match="`e`"):
        check_table(frame, argument="e")
