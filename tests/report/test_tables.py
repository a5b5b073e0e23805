import math

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._report._tables import PERTURBATIONS, SUMMARY, Column, lay_out, plain, read, views, write_tables


def test_csv_hold_all_digits(audit, tmp_path):
    paths = write_tables(audit, tmp_path / "tables")
    assert sorted(p.name for p in paths) == [
        "check.csv",
        "models_left_out.csv",
        "regimes.csv",
        "regimes_left_out.csv",
        "scores.csv",
        "summary.csv",
    ]
    again = pd.read_csv(tmp_path / "tables" / "summary.csv", keep_default_na=False, na_values=[""], encoding="utf-8")
    np.testing.assert_allclose(again["estimate"], spb.get.summary(audit)["estimate"], rtol=1e-12)


def test_what_is_no_audit_is_refused(audit):
    audit.uns.clear()
    with pytest.raises(KeyError, match=r"spb\.tl\.audit"):
        read(audit)


def test_cells_have_text_and_a_value_to_sort_by():
    table = pd.DataFrame(
        {
            "model": ["a"],
            "metric": ["l2"],
            "n": [1234],
            "estimate": [0.31234],
            "low": [0.2],
            "high": [0.4],
            "ceiling": [math.nan],
        }
    )
    laid = lay_out(table, SUMMARY, name="x", caption="X")
    assert [c.key for c in laid["columns"]] == ["model", "metric", "n", "estimate", "ceiling"]
    assert [cell["text"] for cell in laid["rows"][0]] == ["a", "l2", "1,234", "0.312 [0.200, 0.400]", "–"]
    assert [cell["sort"] for cell in laid["rows"][0]] == ["a", "l2", "1234.0", "0.31234", ""]


def test_warnings_sort_before_notes():
    statuses = pd.DataFrame({"status": ["ok", "warning", "note"]})
    laid = lay_out(statuses, [Column("status", "status", "status")], name="x", caption="X")
    order = sorted(laid["rows"], key=lambda row: row[0]["sort"])
    assert [row[0]["text"] for row in order] == ["warning", "note", "ok"]


def test_views_pick_rows_and_change_none(audit):
    tables = read(audit)
    made = views(tables, None)
    summary = tables["summary"]
    kept = summary[(summary["subset"] == "all") & (summary["regime"] == "full")]
    shown = [(row[0]["text"], row[1]["text"]) for row in made["summary"]["rows"]]
    assert {m for m, _ in shown} == set(kept["model"])
    assert {"l2", "l2_ratio", "l2_skill", "pearson_delta"} <= {metric for _, metric in shown}
    assert len(shown) == len(set(shown))
    assert len(made["perturbations"]["rows"]) == 12
    assert len(made["perturbations"]["columns"]) == len(PERTURBATIONS)
    assert "planted" not in made


def test_plain():
    given = {"a": [np.float64("nan"), math.inf, np.int64(3), pd.NA, None, "x"], "b": np.bool_(True)}
    assert plain(given) == {"a": [None, None, 3, None, None, "x"], "b": True}
