import numpy as np
import pandas as pd

from scpertbias._report.charts.screen import N_NAMED, _inner, embedding, perturbations


def test_every_perturbation_is_a_dot_and_the_strongest_are_named(drawing):
    (chart,) = perturbations(drawing)
    table = drawing.tables["perturbations"]
    assert len(chart.rows) == len(table)
    named = chart.rows[chart.rows["named"] != ""]
    assert len(named) == min(N_NAMED, len(table))
    assert named["response_share"].min() >= chart.rows.loc[chart.rows["named"] == "", "response_share"].max() or len(
        named
    ) == len(table)


def test_the_map_has_a_place_for_each(drawing):
    (chart,) = embedding(drawing)
    assert set(chart.rows["perturbation"]) == set(drawing.effects.names)
    assert chart.rows["response_share"].is_monotonic_decreasing, "the strongest are named first"
    assert chart.rows[["first", "second"]].notna().all(axis=None)


def test_one_outlier_does_not_flatten_the_map():
    values = pd.Series(np.linspace(0, 1, 40))
    assert _inner(values) is None
    low, high = _inner(pd.concat([values, pd.Series([30.0])], ignore_index=True))
    assert low < 0 < 1 < high < 2


def test_no_effects_no_map(drawing):
    assert embedding(type(drawing)(**{**drawing.__dict__, "effects": None})) == []
