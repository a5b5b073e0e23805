from scpertbias._report.wording.methods import citation, methods

PROVENANCE = {
    "parameters": {"reference": ["nt"], "batch_key": ["rep"], "n_folds": 5},
    "versions": {"scpertbias": "0.1.0"},
    "n_cells": 2_000,
    "genes": {"full": 300},
    "seed": 7,
}


def test_the_paragraph_says_what_was_done():
    text = methods(PROVENANCE, 12, ["ridge", "mean"], ["without mitochondrial genes"])
    for part in (
        "2,000 cells",
        "12 perturbations",
        "scpertbias 0.1.0",
        "(nt)",
        "levels of rep",
        "5 folds",
        "seed was 7",
    ):
        assert part in text
    assert "retrained without mitochondrial genes" in text


def test_without_models_none_are_described():
    text = methods({**PROVENANCE, "parameters": {**PROVENANCE["parameters"], "batch_key": None}}, 12, [], [])
    assert "Models" not in text
    assert "levels of" not in text


def test_citation_names_the_version():
    assert citation("0.1.0").endswith("Version 0.1.0.")
