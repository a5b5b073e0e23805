import json

import pytest

from scpertbias._report import to_json
from scpertbias._report.compare_charts import COLORS, charts
from scpertbias._report.compare_rows import audit_of, forest, pairs

MINE = "two_stage_perturbations"


@pytest.fixture(scope="module")
def audits(small_audit, other_models_audit):
    return [audit_of(name, json.loads(to_json(data))) for name, data in (("a", small_audit), ("b", other_models_audit))]


def test_every_figure_has_its_rows_and_colors(audits):
    figures = {figure.name: figure for figure in charts(audits)}
    assert list(figures) == ["forest", "map", "pairs"]
    assert figures["forest"].rows["estimate"].tolist() == forest(audits)[0]["estimate"].tolist()
    assert figures["forest"].options["colors"] == {"a": COLORS[0], "b": COLORS[1]}
    assert figures["map"].rows["name"].tolist() == [f"{MINE} · b"]
    assert set(figures["map"].options["x"]) >= {"field", "low", "high", "title", "domain", "refs"}


def test_pairs_are_there_in_both_directions(audits):
    rows = {figure.name: figure for figure in charts(audits)}["pairs"].rows
    table = pairs(audits)
    table = table[table["metric"] == "l2_ratio"]
    assert len(rows) == 2 * len(table)
    by_pair = rows.set_index(["reference", "model"])["difference"]
    for row in table.itertuples():
        assert by_pair[row.model_a, row.model_b] == row.difference, "of the error, so left of 0 is better"
        assert by_pair[row.model_b, row.model_a] == -row.difference
    assert {figure.name: figure for figure in charts(audits)}["pairs"].options["choices"][0]["first"] == "mean"


def test_nothing_to_draw(audits):
    empty = [audit_of(audit.name, {**audit.contents, "scorecard": [], "drawn": [], "tables": {}}) for audit in audits]
    assert charts(empty) == []
