from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from scpertbias._report.charts.response import MOST_GENES, composition, heatmap, shares
from scpertbias.ds import hallmark


def test_shares_are_those_of_the_screen(drawing):
    (chart,) = shares(drawing)
    table = drawing.of_full("confounding", level="screen").set_index("axis")
    rows = chart.rows.set_index("axis")
    assert rows.loc["mitochondrial genes", "share"] == table.loc["mt", "share"]
    assert set(chart.rows["kind"]) == {"Gene sets", "Directions"}
    assert not any("_" in name for name in chart.rows["axis"])


def test_stacked_shares_add_up(drawing):
    (chart,) = composition(drawing)
    parts = chart.rows.drop(columns="perturbation")
    assert np.allclose(parts.sum(axis=1), 1)
    assert (parts.min(axis=1) > -1e-9).all()
    assert chart.rows["rest"].is_monotonic_increasing


def test_the_matrix_holds_observed_and_predicted_effects(drawing):
    (chart,) = heatmap(drawing)
    matrix, effects = chart.options["matrix"], drawing.effects
    assert len(matrix["columns"]) == len(matrix["groups"]) <= MOST_GENES
    at = effects.names.index(matrix["rows"][1]), effects.symbols.tolist().index(matrix["columns"][2])
    place = len(matrix["columns"]) + 2
    assert matrix["layers"]["observed"][place] == pytest.approx(effects.observed[at], abs=1e-4)
    assert matrix["layers"]["mean"][place] == pytest.approx(effects.predicted["mean"][at], abs=1e-4)


def test_genes_of_a_set_stand_together(drawing):
    (chart,) = heatmap(drawing)
    groups = chart.options["matrix"]["groups"]
    changes = sum(a != b for a, b in zip(groups[:-1], groups[1:], strict=True))
    assert changes == len(set(groups)) - 1


def test_a_program_that_leads_the_response_is_a_group(drawing):
    program = hallmark().query("source == 'HALLMARK_GLYCOLYSIS'")["target"]
    symbols = drawing.effects.symbols.copy()
    free = np.flatnonzero(drawing.effects.gene_set == "other")[:8]
    symbols[free] = program.head(8).to_numpy()
    table = drawing.tables["confounding"].copy()
    rows = (table["level"] == "screen") & (table["axis"] == "HALLMARK_GLYCOLYSIS")
    table.loc[rows, ["share", "part_of"]] = [0.5, ""]
    for beyond in (True, False):
        table.loc[rows, "beyond"] = beyond
        tables = {**drawing.tables, "confounding": table}
        (chart,) = heatmap(replace(drawing, tables=tables, effects=replace(drawing.effects, symbols=symbols)))
        assert ("glycolysis" in chart.options["matrix"]["groups"]) is beyond


def test_what_was_not_compared_with_random_genes_is_neither_filled_nor_a_ring(drawing):
    table = drawing.tables["confounding"].copy()
    table.loc[table["axis"] == "mt", "beyond"] = pd.NA
    (chart,) = shares(replace(drawing, tables={**drawing.tables, "confounding": table}))
    assert np.isnan(chart.rows.set_index("axis").loc["mitochondrial genes", "beyond"])
