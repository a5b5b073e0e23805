import numpy as np

from scpertbias._report.charts.models import boxes, skill_forest, skill_map


def test_constants_that_the_baseline_equals_are_one_mark_at_the_origin(drawing):
    card = drawing.card.assign(constant=[True, True], skill=[0.001, -0.4], ci_low=[-0.01, -0.5], ci_high=[0.01, -0.3])
    card = card.assign(specific_skill=0.0, specific_ci_low=0.0, specific_ci_high=0.0, kind="constant")
    (chart,) = skill_map(type(drawing)(**{**drawing.__dict__, "card": card}))
    first, second = card["model"]
    rows = chart.rows.set_index("model")
    assert rows.loc[f"mean, {first}", ["skill", "specific_skill"]].tolist() == [0, 0]
    assert rows.loc[second, "skill"] == -0.4, "worse than the mean: not at the origin"


def test_models_without_an_interval_are_named(drawing):
    first, second = drawing.card["model"]
    card = drawing.card.assign(skill=0.1, ci_low=0.0, ci_high=0.2, specific_skill=[0.0, np.nan])
    (chart,) = skill_map(type(drawing)(**{**drawing.__dict__, "card": card}))
    assert chart.reading.endswith(f"Not drawn, as without an interval: {second}.")
    assert first not in chart.reading
    assert skill_map(type(drawing)(**{**drawing.__dict__, "card": card.assign(specific_skill=np.nan)})) == []


def test_the_forest_has_every_model_but_the_baseline(drawing):
    (chart,) = skill_forest(drawing)
    names = ", ".join(chart.rows["model"]).split(", ")
    assert set(names) == set(drawing.card["model"])
    assert "mean" not in names


def test_boxes_have_a_dot_per_held_out_perturbation(drawing):
    charts = {chart.name: chart for chart in boxes(drawing)}
    assert set(charts) == {"l2", "pearson_delta_perturbed_unshared"}
    assert len(charts["l2"].rows) == len(drawing.ranked(drawing.scores()))
    assert charts["l2"].rows["ceiling"].notna().all()
