import inspect

import pandas as pd
import pytest

import scpertbias as spb
from scpertbias.get._select import modality, select

TABLE = pd.DataFrame(
    {
        "model": ["mean", "ridge", "mean", "ridge"],
        "regime": ["full", "full", "no_mt", "no_mt"],
        "metric": ["l2", "l2", "l2", "mae"],
    }
)
PAIRS = pd.DataFrame({"model_a": ["a", "a", "b"], "model_b": ["b", "c", "c"]})


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"models": None, "regime": None}, [0, 1, 2, 3]),
        ({"models": "ridge"}, [1, 3]),
        ({"models": ["ridge", "mean"], "regime": "no_mt"}, [2, 3]),
        ({"models": ("ridge",), "metric": "l2"}, [1]),
        ({"regime": "full", "metric": "mae"}, []),
        ({"models": []}, []),
    ],
)
def test_rows_with_the_values(values, rows):
    selected = select(TABLE, **values)
    pd.testing.assert_frame_equal(selected, TABLE.iloc[rows].reset_index(drop=True))
    selected["model"] = "changed"
    assert "changed" not in set(TABLE["model"])


@pytest.mark.parametrize(
    ("models", "rows"), [("b", [0, 2]), (["a", "c"], [1]), (["c", "b", "a"], [0, 1, 2]), (["a"], [0, 1])]
)
def test_pairs_of_models(models, rows):
    pd.testing.assert_frame_equal(select(PAIRS, models=models), PAIRS.iloc[rows].reset_index(drop=True))


def test_a_value_that_no_row_has():
    with pytest.raises(KeyError, match=r"`models`: 'gears' not available; choose from \['mean', 'ridge'\]"):
        select(TABLE, models=["ridge", "gears"])
    with pytest.raises(KeyError, match=r"`models`: 'd' not available; choose from \['a', 'b', 'c'\]"):
        select(PAIRS, models="d")
    many = pd.DataFrame({"perturbation": [f"p{i}" for i in range(30)]})
    with pytest.raises(KeyError, match="'x' not available; choose from 30, such as p0, p1, p2, p3, p4, …"):
        select(many, perturbation="x")
    with pytest.raises(ValueError, match="`regime` was given, but this table is not from an audit"):
        select(PAIRS, regime="full")


NOT_STORED = {"attribution_agreement", "calibration", "coupling", "de", "enrich", "metric"}
"""Tables that this audit has no rows of, and those that are computed when they are read."""


def test_every_table_of_an_audit_can_be_selected_from(small_audit):
    """By each parameter of its function, from a value of the last row."""
    n = 0
    for name in spb.get.__all__:
        read = getattr(spb.get, name)
        parameters = list(inspect.signature(read).parameters)[1:]
        if "key" in parameters or name in NOT_STORED:
            continue
        table = read(small_audit)
        for parameter in parameters:
            column = ("model" if "model" in table else "model_a") if parameter == "models" else parameter
            value = table[column].iloc[-1]
            rows = read(small_audit, **{parameter: value})
            assert 0 < len(rows) <= len(table)
            if column == "model_a":
                assert (rows[["model_a", "model_b"]] == value).any(axis=1).all()
            else:
                assert set(rows[column]) == {value}
            assert isinstance(rows.index, pd.RangeIndex)
            n += 1
    assert n > 30


def test_modality(small_audit):
    assert modality(small_audit, None) is small_audit.mod["full"]
    assert modality(small_audit, "no_mt") is small_audit.mod["no_mt"]
    assert modality(small_audit.mod["full"], None) is small_audit.mod["full"]
