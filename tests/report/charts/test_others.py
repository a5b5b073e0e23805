import pandas as pd
import pytest

from scpertbias._report.charts.others import agreement, probes, recurrence, retraining


def test_values_of_probes_are_those_of_the_table(drawing):
    table = drawing.of_full("probes")
    (chart,) = probes(drawing)
    matrix = chart.options["matrix"]
    at = matrix["rows"].index("no change") * len(matrix["columns"]) + matrix["columns"].index("squared error")
    value = table.set_index(["probe", "metric"])["scaled"]["no_change", "mse"]
    assert matrix["layers"]["observed"][at] == pytest.approx(value, abs=1e-3)
    without = {**drawing.tables, "probes": table.head(0)}
    assert probes(type(drawing)(**{**drawing.__dict__, "tables": without})) == []


def test_genes_are_counted_in_predictions_and_data(drawing):
    for chart in recurrence(drawing):
        assert (chart.rows["count"] >= 1).all()
        assert "observed" not in set(chart.rows["model"])
        assert (chart.rows.groupby("model").size() <= 8).all()


def test_gains_of_each_regime(drawing):
    (chart,) = retraining(drawing)
    assert set(chart.rows["set"]) == {"without mitochondrial genes"}
    assert "mean" not in ", ".join(chart.rows["model"]).split(", ")


def test_agreement_is_a_symmetric_matrix(drawing):
    pairs = pd.DataFrame({"model_a": ["ridge"], "model_b": ["no_change"], "spearman": [0.4]}).assign(
        regime="full", perturbation=""
    )
    tables = {**drawing.tables, "attribution_agreement": pairs}
    (chart,) = agreement(type(drawing)(**{**drawing.__dict__, "tables": tables}))
    assert sorted(chart.options["matrix"]["layers"]["observed"]) == [0.4, 0.4, 1.0, 1.0]
    assert agreement(drawing) == []
