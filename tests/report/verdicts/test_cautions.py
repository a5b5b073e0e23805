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
            "80% of the cells were left out (800 of 1,000). Check labels and batches before you use a verdict.",
        ),
        ({"fewest_controls": 20}, None),
        (
            {"fewest_controls": 12},
            "One batch has only 12 control cells; 20 are recommended. Verdicts may change with more.",
        ),
        (
            {"fewest_controls": 1, "n_batches": 1},
            "The screen has only 1 control cell; 20 are recommended. Verdicts may change with more.",
        ),
        ({"n_genes": 50}, None),
        ({"n_genes": 28}, "The panel has only 28 genes; 50 are recommended. Verdicts hold for this panel."),
    ],
)
def test_small_screens_may_change_a_verdict(tables, size, said):
    assert texts(tables, **size) == ([said] if said else [])
    assert all(kind in STATEMENTS for kind in SEVERE)


@pytest.mark.parametrize(
    ("status", "adopted", "start"),
    [
        ("adopted", ["lot"], "Effects are computed within levels of lot."),
        ("adopted", [], None),
        ("cannot be separated", [], "Effects cannot be separated from lot: 30% of the perturbed cells"),
        ("balanced", [], None),
    ],
)
def test_columns_that_change_what_is_computed(tables, status, adopted, start):
    row = {"column": "lot", "kind": "column", "status": status, "share": 0.9, "null": 0.0, "p": 0.002, "untested": 0.3}
    tables["balance"] = pd.DataFrame([row])
    said = texts(tables, adopted=adopted)
    assert len(said) == (start is not None)
    assert start is None or said[0].startswith(start)


@pytest.mark.parametrize(("low", "kind", "said"), [(1.52, "worse", True), (1.0, "worse", False), (1.52, "none", False)])
def test_a_model_above_the_ceiling_may_have_seen_the_answer(tables, low, kind, said):
    card = [
        {"model": "theirs", "n": 100, "n_effective": 40.0, "kind": kind, "skill": 1.83, "ci_low": low, "ci_high": 2.39}
    ]
    assert texts(
        tables,
        [
            *card,
            {"model": "x", "n": 100, "n_effective": 40.0, "kind": "worse", "skill": 1.1, "ci_low": 0.9, "ci_high": 1.3},
        ],
    ) == (
        [
            "theirs scores above the noise ceiling (1.83, 95% CI 1.52–2.39, n = 100). Check that its training data exclude the "
            "held-out perturbations."
        ]
        if said
        else []
    )


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
    assert not said or found[0].startswith("Values seem shifted against their gene names: from A to Z by −1")


@pytest.mark.parametrize(("flag", "said"), [("one_hot", "(one gene only"), ("zero", "(all zero)"), ("ok", None)])
def test_degenerate_attributions(tables, flag, said):
    tables["attribution_check"] = pd.DataFrame([{"regime": "full", "model": "gears", "flag": flag, "detail": ""}])
    found = texts(tables)
    assert len(found) == (said is not None)
    assert said is None or (said in found[0] and "Ignore the attributions of gears" in found[0])


@pytest.mark.parametrize(("model", "said"), [("scgpt (no pretraining)", True), ("scgpt", False)])
def test_a_model_without_its_pretraining_is_no_verdict_on_it(tables, model, said):
    found = texts(tables, [{"model": model, "n": 100, "n_effective": 40.0, "kind": "worse"}])
    assert found == (
        ["scgpt (no pretraining): trained without published weights, so this audit does not evaluate pretraining."]
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
    assert texts(tables) == [
        "No model was retrained without mitochondrial and ribosomal genes: no ribosomal gene is measured.",
        "y was left out: no net.",
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [("x", 49, 40.0)],
            "Intervals of all models are approximate (49 held-out perturbations; 50 are recommended).",
        ),
        ([("x", 50, 40.0)], None),
        (
            [("x", 150, 40.0), ("y", 27, 20.0)],
            "Intervals of y are approximate (27 held-out perturbations; 50 are recommended).",
        ),
        (
            [("x", 150, 19.4), ("y", 150, 20.0)],
            "Intervals of x are approximate. Weighted by effect size, the held-out perturbations are as informative as 19 of "
            "equal size (20 are recommended).",
        ),
        (
            [("x", 150, 12.0), ("y", 30, 25.0)],
            "Intervals of all models are approximate (30 held-out perturbations; 50 are recommended). Weighted by "
            "effect size, the held-out perturbations are as informative as 12 of equal size (20 are recommended).",
        ),
    ],
)
def test_intervals_of_few_perturbations_are_approximate(tables, rows, said):
    card = [{"model": model, "n": n, "n_effective": effective, "kind": "worse"} for model, n, effective in rows]
    assert texts(tables, card) == ([said] if said else [])
    assert texts(tables, [{**row, "kind": "none"} for row in card]) == []


def test_noise_on_both_sides_of_a_correlation_is_a_caution(tables):
    same = {"regime": "full", "trained_on": "full", "split": "test"}
    inflation = {"mean": (0.02, 0.1), "x": (0.01, 0.02), "ridge": (0.2, 0.1)}
    rows = [
        {**same, "model": model, "perturbation": f"P{i}", "inflation": value}
        for model, values in inflation.items()
        for i, value in enumerate(values)
    ]
    seen = {**rows[2], "split": "train", "inflation": 9.0}
    tables["scores"] = pd.DataFrame([*rows, seen, {**rows[2], "trained_on": "no_mt", "inflation": 9.0}])
    assert texts(tables) == [
        "Noise of the same cells in predicted and observed effects raises the correlations of mean and ridge by up to 0.15 "
        "(limit 0.05). The report uses correlations without shared noise."
    ]
    tables["scores"] = pd.DataFrame([row for row in rows if row["model"] == "x"])
    assert texts(tables) == []
