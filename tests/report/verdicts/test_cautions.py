"""What a reader is warned of, each sentence in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import statement_records
from scpertbias._report.verdicts.cautions import SEVERE, STATEMENTS, cautions
from scpertbias._report.verdicts.scorecard import COLUMNS as CARD

ROWS = ["check", "perturbation", "status", "detail"]


SIZE = {"n_cells": 1000, "n_left_out": 0, "n_genes": 200, "n_batches": 2, "fewest_controls": 40, "adopted": []}


def texts(tables, card=None, **size):
    made = cautions(tables, pd.DataFrame(card, columns=CARD), {**SIZE, **size})
    return [s["text"] for s in statement_records(made)]


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ({}, None),
        ({"n_left_out": 500}, None),
        (
            {"n_left_out": 800},
            "The audit left out 80% of the cells (800 of 1,000). Check the labels and the batch columns before you use a verdict.",
        ),
        ({"fewest_controls": 20}, None),
        (
            {"fewest_controls": 12},
            "One batch has only 12 control cells (at least 20 are recommended). Verdicts may change when more "
            "control cells are measured.",
        ),
        (
            {"fewest_controls": 1, "n_batches": 1},
            "The screen has only 1 control cell (at least 20 are recommended). Verdicts may change when more "
            "control cells are measured.",
        ),
        ({"n_genes": 50}, None),
        (
            {"n_genes": 28},
            "Only 28 genes are measured (at least 50 are recommended). The verdicts are valid for these genes only.",
        ),
    ],
)
def test_small_screens_may_change_a_verdict(tables, size, said):
    assert texts(tables, **size) == ([said] if said else [])
    assert all(kind in STATEMENTS for kind in SEVERE)


@pytest.mark.parametrize(
    ("status", "adopted", "start"),
    [
        ("adopted", ["lot"], "Each perturbed cell is compared with control cells of the same level of lot."),
        ("adopted", [], None),
        ("cannot be separated", [], "Effects cannot be separated from the column lot, because 30% of the"),
        ("balanced", [], None),
    ],
)
def test_columns_that_change_what_is_computed(tables, status, adopted, start):
    row = {"column": "lot", "kind": "column", "status": status, "share": 0.9, "null": 0.0, "p": 0.002, "untested": 0.3}
    tables["balance"] = pd.DataFrame([row])
    said = texts(tables, adopted=adopted)
    assert len(said) == (start is not None)
    assert start is None or said[0].startswith(start)


@pytest.mark.parametrize(
    ("metric", "low", "kind", "said"),
    [
        (
            "l2_skill",
            1.52,
            "worse",
            "The skill of theirs is 1.83 (95% CI 1.52–2.39, n = 100), above the noise ceiling of 1.",
        ),
        ("l2_skill", 0.95, "worse", None),
        ("l2_skill", 1.52, "none", None),
        (
            "pearson_delta_unshared_skill",
            1.01,
            "worse",
            "The skill of theirs by correlation is 1.83 (95% CI 1.01–2.39, n = 100), above the noise ceiling of 1.",
        ),
        ("pearson_delta_perturbed_unshared_skill", 1.52, "worse", None),
        ("pearson_delta_skill", 1.52, "worse", None),
    ],
)
def test_a_model_above_the_ceiling_may_have_seen_the_answer(tables, metric, low, kind, said):
    summary = {"model": "theirs", "subset": "all", "regime": "full", "metric": metric, "n": 100, "n_effective": 40.0}
    tables["summary"] = pd.DataFrame([{**summary, "estimate": 1.83, "ci_low": low, "ci_high": 2.39}])
    card = [{"model": "theirs", "n": 100, "n_effective": 40.0, "kind": kind}]
    rest = (
        " Predictions that were made without the held-out cells are rarely so good. Check that no cells of the held-out "
        "perturbations were used for these predictions before you use theirs."
    )
    assert texts(tables, card) == ([said + rest] if said else [])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            ("batches", "", "warning", "obs holds batch and `batch_key` was not given"),
            "obs holds batch and `batch_key` was not given.",
        ),
        (("genes", "", "warning", "no ribosomal genes are measured"), "No ribosomal genes are measured."),
        (
            ("split", "", "warning", "3 of 9 held-out perturbations have training cells"),
            "3 of 9 held-out perturbations have training cells.",
        ),
        (
            ("labels", "", "warning", "2 of 7 perturbations have under 20 cells"),
            "2 of 7 perturbations have under 20 cells.",
        ),
        (("batch_key", "", "ok", "cells are centered"), None),
        (("perturbation", "A", "warning", "left out"), None),
        (("response", "", "warning", "8 of 25 have no effect"), None),
    ],
)
def test_warnings_of_the_check(tables, row, said):
    tables["check"] = pd.DataFrame([row], columns=ROWS)
    assert texts(tables) == ([said] if said else [])


@pytest.mark.parametrize(
    ("proposed", "shift", "said"), [(True, -1, True), (True, 0, False), (False, -1, False), (None, -1, False)]
)
def test_values_shifted_against_their_gene_names(tables, proposed, shift, said):
    row = {
        "model": "observed",
        "level": "scan",
        "block": "3",
        "first": "A",
        "last": "Z",
        "shift": shift,
        "proposed": proposed,
    }
    row |= {"n_targets": 27.0, "percentile": 0.95, "expected": 0.6, "q": 0.002, "note": ""}
    tables["target_response"] = pd.DataFrame([row, {**row, "model": "ridge", "proposed": True, "shift": -1}])
    found = texts(tables)
    assert len(found) == said
    assert not said or "shifted by a number of columns: by −1 from gene A to gene Z (q" in found[0]


@pytest.mark.parametrize(
    ("flag", "said"), [("one_hot", "(nearly all on one gene"), ("zero", "(0 for all genes)"), ("ok", None)]
)
def test_degenerate_attributions(tables, flag, said):
    tables["attribution_check"] = pd.DataFrame([{"regime": "full", "model": "gears", "flag": flag, "detail": ""}])
    found = texts(tables)
    assert len(found) == (said is not None)
    assert said is None or (said in found[0] and "distinguish genes or perturbations: gears" in found[0])


@pytest.mark.parametrize(("model", "said"), [("scgpt (no pretraining)", True), ("scgpt", False)])
def test_a_model_without_its_pretraining_is_no_verdict_on_it(tables, model, said):
    found = texts(tables, [{"model": model, "n": 100, "n_effective": 40.0, "kind": "worse"}])
    assert found == (
        [
            "scgpt (no pretraining) was trained without published weights. This audit therefore does not evaluate pretraining."
        ]
        if said
        else []
    )


def test_what_was_left_out_and_why(tables):
    tables["models_left_out"] = pd.DataFrame(
        [("y", "full", "no net"), ("y", "no_mt", "no net")], columns=["model", "regime", "reason"]
    )
    tables["regimes_left_out"] = pd.DataFrame(
        [("no_mt_ribo", "no ribosomal gene is measured")], columns=["regime", "reason"]
    )
    tables["models_left_out"].loc[2] = ("z", "no_mt", "no gene is left")
    assert texts(tables) == [
        "No model was retrained without mitochondrial and ribosomal genes. Reason: no ribosomal gene is measured.",
        "y was left out in these feature regimes: all genes; without mitochondrial genes. Reason: no net.",
        "z was left out in this feature regime: without mitochondrial genes. Reason: no gene is left.",
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [("x", 49, 40.0)],
            "The intervals of all models are approximate, because only 49 held-out perturbations are predicted (at least 50 are recommended).",
        ),
        ([("x", 50, 40.0)], None),
        (
            [("x", 150, 40.0), ("y", 27, 20.0)],
            "The intervals of y are approximate, because only 27 held-out perturbations are predicted (at least 50 are recommended).",
        ),
        (
            [("x", 150, 19.4), ("y", 150, 20.0)],
            "The intervals of x are approximate, because strong effects dominate the scores. The effective number of held-out "
            "perturbations is only 19 (at least 20 are recommended).",
        ),
        (
            [("x", 150, 12.0), ("y", 30, 25.0)],
            "The intervals of all models are approximate, because as few as 30 held-out perturbations are predicted (at least 50 are "
            "recommended). Strong effects also dominate the scores, so the effective number of perturbations is only 12 (at least 20 "
            "are recommended).",
        ),
    ],
)
def test_intervals_of_few_perturbations_are_approximate(tables, rows, said):
    card = [{"model": model, "n": n, "n_effective": effective, "kind": "worse"} for model, n, effective in rows]
    assert texts(tables, card) == ([said] if said else [])
    assert texts(tables, [{**row, "kind": "none"} for row in card]) == []


def test_noise_on_both_sides_of_a_correlation_is_a_caution(tables):
    same = {"regime": "full", "trained_on": "full", "split": "test", "l2": 1.0, "l2_ceiling": 1.0}
    inflation = {"mean": (0.02, 0.1), "x": (0.01, 0.02), "ridge": (0.2, 0.1)}
    rows = [
        {**same, "model": model, "perturbation": f"P{i}", "inflation": value}
        for model, values in inflation.items()
        for i, value in enumerate(values)
    ]
    seen = {**rows[2], "split": "train", "inflation": 9.0}
    tables["scores"] = pd.DataFrame([*rows, seen, {**rows[2], "trained_on": "no_mt", "inflation": 9.0}])
    assert texts(tables) == [
        "Predicted and observed effects contain noise from the same control and training cells. This shared noise raises the mean "
        "correlation of these models by more than 0.05 (up to 0.15): mean and ridge. Use their correlations “without shared noise”."
    ]
    tables["scores"] = pd.DataFrame([row for row in rows if row["model"] == "x"])
    assert texts(tables) == []
