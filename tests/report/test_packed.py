import base64
import json

import numpy as np
import pandas as pd
import pytest

from scpertbias._report.packed import LONG, as_script, packed, packed_numbers, packed_table


def test_short_columns_are_lists():
    table = pd.DataFrame({"name": ["a", "b"], "value": [1 / 3, float("nan")], "n": [1, 2]})
    assert packed_table(table) == {"name": ["a", "b"], "value": [0.333333, None], "n": [1.0, 2.0]}


def test_long_numbers_are_packed_and_nan_stays():
    values = [*np.linspace(0, 1, LONG), None]
    column = packed(values)
    back = np.frombuffer(base64.b64decode(column["data"]), dtype="<f4")
    assert column["type"] == "f32"
    assert np.isnan(back[-1])
    assert np.allclose(back[:-1], values[:-1])


def test_long_texts_are_stored_once():
    values = ["x", "y"] * LONG
    column = packed(values)
    at = np.frombuffer(base64.b64decode(column["at"]["data"]), dtype="<u2")
    assert [column["words"][i] for i in at] == values


@pytest.mark.parametrize(("kind", "name"), [("f2", "f16"), ("f4", "f32"), ("u2", "u16")])
def test_numbers_of_each_width(kind, name):
    column = packed_numbers(np.array([1, 2, 3]), kind)
    assert column["type"] == name
    assert np.frombuffer(base64.b64decode(column["data"]), dtype=f"<{kind}").tolist() == [1, 2, 3]


def test_no_name_ends_the_script():
    text = as_script({"name": "</script><b>\u2028"})
    assert "<" not in text
    assert json.loads(text) == {"name": "</script><b>\u2028"}
