from dataclasses import replace as changed

import numpy as np

from scpertbias._report.charts.models import boxes, skill_forest, skill_map


def test_constants_at_one_place_are_one_mark_each_at_its_own_skill(drawing):
    card = drawing.card.assign(constant=[True, True], skill=[0.001, -0.4], ci_low=[-0.01, -0.5], ci_high=[0.01, -0.3])
    card = card.assign(specific_skill=0.0, specific_ci_low=0.0, specific_ci_high=0.0, kind="constant")
    (chart,) = skill_map(type(drawing)(**{**drawing.__dict__, "card": card}))
    first, second = card["model"]
    rows = chart.rows.set_index("model")
    assert rows.loc[f"mean, {first}", ["skill", "specific_skill"]].tolist() == [0, 0]
    assert rows.loc[second, ["skill", "ci_low", "specific_skill"]].tolist() == [-0.4, -0.5, 0]
    assert chart.reading.startswith("Lines are 95% intervals.")
    (without,) = skill_map(changed(drawing, card=card.assign(ci_low=card["skill"], ci_high=card["skill"])))
    assert "intervals" not in without.reading, "no line is drawn"


def test_with_combinations_the_mean_has_a_skill_of_its_own(drawing):
    summary = drawing.tables["summary"].copy()
    own = (summary["model"] == "mean") & (summary["metric"] == "l2_skill")
    summary.loc[own, ["estimate", "ci_low", "ci_high"]] = [-0.085, -0.2, 0.04]
    mixed = changed(drawing, tables={**drawing.tables, "summary": summary})
    (figure,) = skill_map(mixed)
    at_mean = figure.rows[figure.rows["model"].str.startswith("mean")].iloc[0]
    assert at_mean[["skill", "ci_low", "ci_high"]].tolist() == [-0.085, -0.2, 0.04]
    assert "additive for combinations" in figure.options["x"]["title"]
    assert "additive for combinations" in boxes(mixed)[0].options["ticks"][0]["title"]
    (forest,) = skill_forest(mixed)
    assert "mean" in ", ".join(forest.rows["model"]).split(", ")
    assert "mean baseline" in skill_map(drawing)[0].options["x"]["title"]


def test_models_without_an_interval_are_named(drawing):
    first, second = drawing.card["model"]
    card = drawing.card.assign(skill=0.1, ci_low=0.0, ci_high=0.2, specific_skill=[0.0, np.nan])
    (chart,) = skill_map(type(drawing)(**{**drawing.__dict__, "card": card}))
    assert chart.reading.endswith(f"{second} is not drawn, because the skill or the specific skill is missing.")
    assert first not in chart.reading
    assert skill_map(type(drawing)(**{**drawing.__dict__, "card": card.assign(specific_skill=np.nan)})) == []


def test_the_forest_has_every_model_but_the_baseline(drawing):
    (chart,) = skill_forest(drawing)
    names = ", ".join(chart.rows["model"]).split(", ")
    assert set(names) == set(drawing.card["model"])
    assert "mean" not in names


def test_boxes_have_a_dot_per_held_out_perturbation(drawing):
    charts = {chart.name: chart for chart in boxes(changed(drawing, constant=frozenset({"mean"})))}
    assert set(charts) == {"l2", "pearson_delta_perturbed_unshared"}
    assert set(charts["pearson_delta_perturbed_unshared"].rows["model"]) == {"ridge"}, "constants distinguish nothing"
    assert len(charts["l2"].rows) == len(drawing.ranked(drawing.scores()))
    assert charts["l2"].rows["ceiling"].notna().all()
