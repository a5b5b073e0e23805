import base64

import numpy as np
import pandas as pd
import pytest

from scpertbias._report.explore import N_GENES, explore


def unpacked(column):
    kind = {"f16": "<f2", "f32": "<f4", "u16": "<u2"}[column["type"]]
    return np.frombuffer(base64.b64decode(column["data"]), dtype=kind)


def test_strongest_genes_and_predictions_of_every_perturbation(drawing):
    made, effects = explore(drawing), drawing.effects
    names = made["rows"]["perturbation"]
    assert set(names) == set(effects.names)
    at = [effects.names.index(name) for name in names]
    genes = unpacked(made["top"]["gene"]).reshape(len(names), N_GENES)
    top = effects.strongest(N_GENES)[at]
    assert [[made["genes"][g] for g in row] for row in genes] == effects.symbols[top].tolist()
    observed = np.take_along_axis(effects.observed[at], top, axis=1)
    assert np.allclose(unpacked(made["top"]["effect"]).reshape(observed.shape), observed, rtol=1e-3, atol=1e-4)
    predicted = np.take_along_axis(effects.predicted["ridge"][at], top, axis=1)
    stored = unpacked(made["models"]["ridge"]["predicted"]).reshape(predicted.shape)
    assert np.allclose(stored, predicted, rtol=1e-3, atol=1e-4, equal_nan=True)


def test_scores_are_those_of_the_table(drawing):
    made = explore(drawing)
    scores = drawing.scores()
    own = scores[scores["model"] == "ridge"].groupby("perturbation")["l2_ratio"].mean()
    expected = own.reindex(made["rows"]["perturbation"])
    assert np.allclose(unpacked(made["models"]["ridge"]["relative_error"]), expected, rtol=1e-3)


def test_knockdown_is_the_loss_of_expression(drawing):
    made, effects = explore(drawing), drawing.effects
    rows = pd.DataFrame({key: made["rows"][key] for key in ("perturbation", "target_gene", "knockdown")})
    row = rows[rows["knockdown"].notna()].iloc[0]
    gene = effects.symbols.tolist().index(row["target_gene"])
    control = effects.control[gene]
    mean = control + effects.observed[effects.names.index(row["perturbation"]), gene]
    assert row["knockdown"] == pytest.approx(1 - np.expm1(mean) / np.expm1(control), rel=1e-3)


def test_shares_on_axes_are_named(drawing):
    made = explore(drawing)
    assert "mitochondrial genes" in {axis["title"] for axis in made["axes"]}
    assert all(axis["field"] in made["rows"] for axis in made["axes"])
    assert not any("leading" in axis["title"] for axis in made["axes"])


def test_without_profiles_only_facts_remain(drawing):
    bare = type(drawing)(**{**drawing.__dict__, "effects": None})
    made = explore(bare)
    assert "top" not in made
    assert made["models"] == {}
    assert "knockdown" not in made["rows"]


def test_cells_needed_are_shown_for_every_target(drawing):
    first, second, third = drawing.tables["perturbations"]["perturbation"].iloc[:3]
    rows = [
        ("perturbation", first, 0.8, 1_240, 900, 2_000, "more cells"),
        ("perturbation", second, 0.8, 300, 200, pd.NA, "more cells"),
        ("perturbation", third, 0.8, pd.NA, pd.NA, pd.NA, "more controls"),
        ("screen", "", 0.8, 500, 400, 600, "more cells"),
    ]
    columns = ["level", "perturbation", "target", "n_needed", "ci_low", "ci_high", "status"]
    made = explore(drawing, pd.DataFrame(rows, columns=columns))
    texts = dict(zip(made["rows"]["perturbation"], made["rows"]["needed_0.8"], strict=True))
    assert texts[first] == "1,240 (900–2,000)"
    assert texts[second] == "300 (at least 200)"
    assert texts[third] == "more control cells needed"
    assert made["facts"][-1]["title"] == "cells for reproducibility 0.8"


def test_no_perturbation_nothing_to_explore(drawing):
    tables = {**drawing.tables, "perturbations": drawing.tables["perturbations"].head(0)}
    assert explore(type(drawing)(**{**drawing.__dict__, "tables": tables})) is None
