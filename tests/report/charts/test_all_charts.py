import re

import pytest

from scpertbias import pl
from scpertbias._report.charts.all_charts import charts

SECTIONS = {"hero", "screen", "response", "scores", "specificity", "recurrence", "attributions", "retraining", "probes"}
KINDS = {"scatter", "rows", "boxes", "stack", "heat"}


@pytest.fixture(scope="module")
def made(drawing):
    return charts(drawing)


def test_names_are_unique_and_places_exist(made):
    names = [chart.name for chart in made]
    assert len(names) == len(set(names)) >= 12
    assert {chart.section for chart in made} <= SECTIONS
    assert {chart.chart for chart in made} <= KINDS


def test_figures_read_columns_that_they_have(made):
    for chart in made:
        spec = chart.spec()
        if "matrix" in spec:
            matrix = spec["matrix"]
            size = len(matrix["rows"]) * len(matrix["columns"])
            assert all(len(values) == size for values in matrix["layers"].values())
            continue
        fields = [tip["field"] for tip in chart.tips] + [s["field"] for s in spec.get("series", ())]
        fields += [spec[axis]["field"] for axis in ("x", "y") if "field" in spec.get(axis, {})]
        fields += [spec[key] for key in ("names", "group", "choose", "text", "value") if key in spec]
        assert set(fields) <= set(spec["rows"]), chart.name
        assert len(chart.rows), chart.name


def test_code_calls_functions_that_exist(made):
    for chart in made:
        name = re.fullmatch(r"spb\.pl\.(\w+)\(mdata.*\)", chart.code).group(1)
        assert hasattr(pl, name), chart.code


def test_an_audit_without_models_has_figures_of_the_screen(drawing):
    tables = {
        name: table.head(0) if "model" in table or "model_a" in table else table
        for name, table in drawing.tables.items()
    }
    bare = type(drawing)(**{**drawing.__dict__, "tables": tables, "card": drawing.card.head(0)})
    without_models = charts(bare)
    assert {chart.section for chart in without_models} == {"hero", "screen", "response"}
    assert [chart.name for chart in without_models if chart.section == "hero"] == ["perturbations"]


def test_without_profiles_figures_of_tables_remain(drawing):
    bare = type(drawing)(**{**drawing.__dict__, "effects": None})
    missing = {chart.name for chart in charts(drawing)} - {chart.name for chart in charts(bare)}
    assert missing == {"embedding", "heatmap", "effect_size"}
