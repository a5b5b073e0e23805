import math

import pandas as pd

import scpertbias as spb
from scpertbias._report.columns import SUMMARY
from scpertbias._report.content import described
from scpertbias._report.layout import METRICS, _history, _training, lay_out, views
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
    assert [cell["text"] for cell in laid["rows"][0]] == ["a", "L2 error", "1,234", "0.312 (0.200–0.400)", "–"]
    assert [cell["sort"] for cell in laid["rows"][0]] == ["a", "L2 error", "1234.0", "0.31234", ""]
    assert laid["rows"][0][1]["code"] == "l2"
    assert "code" not in laid["rows"][0][0]


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
    shown = [(row[0]["text"], row[1].get("code", row[1]["text"])) for row in made["summary"]["rows"]]
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
    assert {r["metric"] for r in shown(made["specificity"])} == {"L2 error", "correlation beyond the mean"}
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


def test_notes_name_scores_as_the_page_does():
    note = "inflation 0.08: read pearson_delta_unshared"
    row = pd.DataFrame({"model": ["x"], "note": [note]})
    laid = lay_out(row, [SUMMARY[0], SUMMARY[-1]], name="summary", caption="Scores")
    assert laid["rows"][0][1]["text"] == "inflation 0.08: read “correlation of effects, without shared noise”"
    assert laid["rows"][0][1]["code"] == note
