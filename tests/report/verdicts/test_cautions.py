"""What a reader is warned of, each sentence in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import statement_records
from scpertbias._report.verdicts.cautions import cautions
from scpertbias._report.verdicts.scorecard import COLUMNS as CARD

ROWS = ["check", "perturbation", "status", "detail"]


def texts(tables, card=None):
    return [s["text"] for s in statement_records(cautions(tables, pd.DataFrame(card, columns=CARD)))]


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
            "theirs comes closer to what was measured than the truth itself would (183 % [152, 239] of the way, n = 100): "
            "has it seen these perturbations?"
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
def test_values_beside_their_gene_names(tables, proposed, shift, said):
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
    assert not said or found[0].startswith(
        "Values seem to lie beside their gene names: from A to Z by −1 (there 27 targets"
    )


@pytest.mark.parametrize(("flag", "said"), [("one_hot", "are one gene only"), ("zero", "are all zero"), ("ok", None)])
def test_degenerate_attributions(tables, flag, said):
    tables["attribution_check"] = pd.DataFrame([{"regime": "full", "model": "gears", "flag": flag, "detail": ""}])
    found = texts(tables)
    assert len(found) == (said is not None)
    assert said is None or (said in found[0] and "those of gears" in found[0])


@pytest.mark.parametrize(("model", "said"), [("scgpt (no pretraining)", True), ("scgpt", False)])
def test_a_model_without_its_pretraining_is_no_verdict_on_it(tables, model, said):
    found = texts(tables, [{"model": model, "n": 100, "n_effective": 40.0, "kind": "worse"}])
    assert found == (
        [
            "Trained from scratch, without a published checkpoint: scgpt (no pretraining); nothing here is a verdict on what "
            "pretraining brings."
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
    assert texts(tables) == [
        "Regime no_mt_ribo was left out: no ribosomal gene is measured.",
        "Model y was left out (regime full and no_mt): no net.",
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [("x", 49, 40.0)],
            "Under 50 held-out perturbations (down to 49) intervals are approximate: those of all models.",
        ),
        ([("x", 50, 40.0)], None),
        (
            [("x", 150, 40.0), ("y", 27, 20.0)],
            "Under 50 held-out perturbations (down to 27) intervals are approximate: those of y.",
        ),
        (
            [("x", 150, 19.4), ("y", 150, 20.0)],
            "Where under 20 in effect carry the error of the mean (down to 19) intervals are approximate: those of x.",
        ),
        (
            [("x", 150, 12.0), ("y", 30, 25.0)],
            "Under 50 held-out perturbations (down to 30) or where under 20 in effect carry the error of the mean (down to "
            "12) intervals are approximate: those of all models.",
        ),
    ],
)
def test_intervals_of_few_perturbations_are_approximate(tables, rows, said):
    card = [{"model": model, "n": n, "n_effective": effective, "kind": "worse"} for model, n, effective in rows]
    assert texts(tables, card) == ([said] if said else [])
    assert texts(tables, [{**row, "kind": "none"} for row in card]) == []
