from scpertbias._report.charts.screen import N_NAMED, embedding, perturbations


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
    assert chart.rows["perturbation"].tolist() == list(drawing.effects.names)
    assert chart.rows[["first", "second"]].notna().all(axis=None)


def test_no_effects_no_map(drawing):
    assert embedding(type(drawing)(**{**drawing.__dict__, "effects": None})) == []
