import math

import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._report.columns import SUMMARY
from scpertbias._report.content import described
from scpertbias._report.layout import METRICS, WIDTH, _history, _training, bar, card_rows, lay_out, views
from scpertbias._report.tables import NAMES, read
from scpertbias._tables import Column, empty


def shown_of(tables):
    return views(tables, None, described(tables["models"], {}))


def test_cells_have_text_and_a_value_to_sort_by():
    table = pd.DataFrame(
        {
            "model": ["a"],
            "metric": ["l2"],
            "n": [1234],
            "estimate": [0.31234],
            "ci_low": [0.2],
            "ci_high": [0.4],
            "ceiling": [math.nan],
        }
    )
    laid = lay_out(table, SUMMARY, name="x", caption="X")
    assert [c.name for c in laid["columns"]] == ["model", "metric", "n", "estimate", "ceiling"]
    assert [cell["text"] for cell in laid["rows"][0]] == ["a", "l2", "1,234", "0.312 (0.200–0.400)", "–"]
    assert [cell["sort"] for cell in laid["rows"][0]] == ["a", "l2", "1234.0", "0.31234", ""]


def test_warnings_sort_before_notes():
    statuses = pd.DataFrame({"status": ["ok", "warning", "note"]})
    laid = lay_out(statuses, [Column("status", "str", "", form="status")], name="x", caption="X")
    order = sorted(laid["rows"], key=lambda row: row[0]["sort"])
    assert [row[0]["text"] for row in order] == ["warning", "note", "ok"]


def test_views_pick_rows_and_change_none(audit):
    tables = read(audit)
    made = shown_of(tables)
    summary = tables["summary"]
    kept = summary[(summary["subset"] == "all") & (summary["regime"] == "full")]
    shown = [(row[0]["text"], row[1]["text"]) for row in made["summary"]["rows"]]
    assert {m for m, _ in shown} == set(kept["model"])
    assert {"l2", "l2_ratio", "l2_skill", "pearson_delta"} <= {metric for _, metric in shown}
    assert len(shown) == len(set(shown))
    assert {metric for _, metric in shown} <= set(METRICS)
    assert "planted" not in made


def shown(view):
    keys = [c.name for c in view["columns"]]
    return [dict(zip(keys, (cell["text"] for cell in row), strict=True)) for row in view["rows"]]


def test_perturbations_are_those_of_get_strongest_first(audit):
    table = spb.get.perturbations(audit)
    rows = shown(shown_of(read(audit))["perturbations"])
    assert [r["perturbation"] for r in rows] == table.sort_values("response_share", ascending=False)[
        "perturbation"
    ].tolist()
    assert {r["perturbation"]: r["kind"] for r in rows} == table.set_index("perturbation")["kind"].to_dict()
    assert {"n_cells", "reproducibility", "effect", "response_share", "systematic", "top_genes"} <= set(rows[0])


def test_views_show_the_full_screen_alone(audit):
    made, tables = shown_of(read(audit)), read(audit)
    response = shown(made["confounding"])
    assert len({r["axis"] for r in response}) == len(response)
    assert {r["metric"] for r in shown(made["specificity"])} == {"l2", "pearson_delta_perturbed"}
    assert len(made["specificity"]["rows"]) == 2 * tables["specificity"]["model"].nunique()
    skills = shown(made["specific_skill"])
    assert {r["model"]: r["category"] for r in skills} == dict.fromkeys(("no_change", "mean", "ridge"), "not specific")
    assert [r["model"] for r in shown(made["variance_ratio"])] == ["no_change", "mean", "ridge"]
    assert shown(made["variance_ratio"])[2]["collapsed_to"] == "mean"
    assert [r["flag"] for r in shown(made["attribution_check"])] == tables["attribution_check"]["flag"].tolist()
    assert not made["attribution_agreement"]["rows"], "one model has attributions, there is no pair"
    assert len(made["coupling"]["rows"]) == len(tables["coupling"]) > 0
    assert len(made["random_removals"]["rows"]) == len(tables["random_removals"]) == 3


def test_columns_that_say_nothing_are_left_out():
    table = pd.DataFrame({"model": ["a", "b"], "metric": "l2", "note": ["", ""]})
    assert [c.name for c in lay_out(table, SUMMARY, name="x", caption="X")["columns"]] == ["model", "metric"]
    table["note"] = ["", "why"]
    assert [c.name for c in lay_out(table, SUMMARY, name="x", caption="X")["columns"]] == ["model", "metric", "note"]


def test_training_has_the_columns_of_the_models_own_history():
    tables = {name: empty(name, audit=True) for name in NAMES}
    history = {"epoch": [1, 2], "loss": [0.5, 0.4], "seconds": [1.0, 1.0], "best": [False, True], "note": ["", ""]}
    tables["training"] = pd.DataFrame({"model": "gears", "regime": "full", **history})
    made = _views_of_training(tables)
    assert [c.label for c in made["columns"]] == ["model", "regime", "epoch", "best so far", "loss", "seconds"]
    assert [[cell["text"] for cell in row][2:5] for row in made["rows"]] == [
        ["1", "–", "0.500"],
        ["2", "yes", "0.400"],
    ]


def _views_of_training(tables):
    return lay_out(_training(tables), _history(_training(tables)), name="training", caption="")


NAN = float("nan")


def test_numbers_of_the_scorecard_as_text():
    row = {"skill": 0.144, "ci_low": 0.089, "ci_high": 0.2051, "n_recurring": 28.0}
    row |= {f"specific_{part}": v for part, v in (("skill", 0.279), ("ci_low", 0.2456), ("ci_high", 0.315))}
    row |= {"model": "x", "kind": "right", "n": 100}
    row |= {f"regime_{part}": 1e-9 for part in ("gain", "ci_low", "ci_high")}
    (found,) = card_rows(pd.DataFrame([row]))
    assert found["way"] == ["14%", "(8.9–21)"]
    assert found["specific"] == ["0.279", "(0.246–0.315)"]
    assert (found["retrained"], found["recurring"]) == (["0"], "28")
    (unknown,) = card_rows(pd.DataFrame([{**row, "ci_low": NAN, "n_recurring": NAN}]))
    assert (unknown["way"], unknown["recurring"]) == (["–"], "–")


def test_constant_predictions_are_one_row():
    one = {"ci_low": -0.1, "ci_high": 0.1, "n_recurring": NAN, "n": 40}
    one |= {f"{name}_{part}": NAN for name in ("specific", "regime") for part in ("skill", "gain", "ci_low", "ci_high")}
    rows = [("right", "x", 0.2), ("unlinked", "u", 0.0), ("constant", "a", 0.01), ("constant", "b", -0.12)]
    rows += [("worse", "y", -0.3), ("none", "z", 0.5)]
    card = pd.DataFrame([{**one, "kind": kind, "model": model, "skill": skill} for kind, model, skill in rows])
    shown_rows = card_rows(card)
    assert [row["model"] for row in shown_rows] == ["x", "y", "a, b", "u", "z"]
    assert (shown_rows[3]["way"], shown_rows[3]["bar"]) == (["–"], "")
    assert (shown_rows[2]["way"], shown_rows[2]["bar"]) == (["−12% to 1.0%"], "")
    same = card_rows(card.assign(skill=0.0))
    assert same[2]["way"] == ["0%", "(−10 to 10)"]


def test_bar_lies_between_baseline_and_ceiling():
    made = bar(0.5, 0.4, 0.6)
    assert made.count("<line") == 3
    assert 'cx="77.6"' in made, "halfway between 0 and 1, drawn from -0.6 to 1.1"
    assert bar(NAN, NAN, NAN) == bar(0.1, NAN, NAN) == ""


@pytest.mark.parametrize(("value", "place"), [(-9.0, 0.0), (9.0, WIDTH)])
def test_what_lies_outside_is_drawn_at_the_end(value, place):
    assert f'cx="{place:.1f}"' in bar(value, value, value)
