import numpy as np
import pytest

from scpertbias.tl._lazy import OnDemand, Tables


def test_values_are_made_when_asked_for_and_only_the_last_is_held():
    made = []

    def maker(name):
        return lambda: made.append(name) or name.upper()

    values = OnDemand({"a": maker("a"), "b": maker("b")}, {"a": "at hand"})
    assert list(values) == ["a", "b"]
    assert [values["a"], values["b"], values["b"], values["a"], values["b"]] == ["at hand", "B", "B", "at hand", "B"]
    assert made == ["b"]
    with pytest.raises(KeyError):
        values["c"]
    others = OnDemand({"x": maker("x"), "y": maker("y")})
    assert others["x"] + others["y"] + others["x"] == "XYX"
    assert made == ["b", "x", "y", "x"]


def test_tables_are_made_each_time():
    tables = Tables({"a": lambda: np.zeros(2)})
    tables["a"][0] = 1
    assert tables["a"].tolist() == [0, 0]
    assert len(tables) == 1
