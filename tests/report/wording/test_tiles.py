import re

import pytest

from scpertbias._report.content import CHAPTERS
from scpertbias._report.wording.tiles import TILES, WORDS, tile

FACTS = {
    "n_detected": 134,
    "n": 150,
    "confounded_with": [],
    "share": 0.57,
    "ci_low": 0.55,
    "ci_high": 0.58,
    "null": 0.05,
    "carriers": ["A", "B", "C", "D"],
    "axis": "ribo",
    "others": [],
    "column": "lot",
    "missing": ["technical_sets", "columns"],
    "regime": "no_mt_ribo",
    "above_ceiling": [],
}
OF_MODELS = {
    "model": ["two_stage_perturbations", "b"],
    **{
        name: [0.2, 0.1]
        for name in ("skill", "ci_low", "ci_high", "specific_skill", "specific_ci_low", "specific_ci_high")
    },
}


def facts_of(name):
    return {**FACTS, **OF_MODELS} if name in ("models", "retraining") else FACTS


def test_every_kind_of_verdict_has_its_words():
    kinds = {
        (module.NAME, kind)
        for module in CHAPTERS
        if hasattr(module, "NAME") and module.NAME in TILES
        for kind in module.KINDS
    }
    assert kinds == set(WORDS)


@pytest.mark.parametrize(("name", "kind"), WORDS)
def test_tiles_are_short_plain_sentences(name, kind):
    made = tile({"name": name, "kind": kind, "verdict": "partly", "facts": facts_of(name)})
    assert made.word
    sentences = re.split(r"(?<=\.)\s", f"{made.text} {made.action}")
    assert all(len(sentence.split()) <= 25 for sentence in sentences)
    assert len(f"{made.text} {made.action}".split()) <= 30
    assert made.text.endswith(".")
    assert made.action.endswith(".")
    assert not made.text[0].islower() or name == "retraining"


def test_a_verdict_names_its_model_and_warns_of_leakage():
    verdict = {"name": "models", "kind": "perturbation_specific", "verdict": "yes", "facts": facts_of("models")}
    assert tile(verdict).word == "two_stage_perturbations"
    assert "So does 1 more." in tile(verdict).text
    verdict["facts"] = {**verdict["facts"], "above_ceiling": ["b"]}
    assert tile(verdict).action == "Check for leakage."


def test_confounded_labels_change_the_advice():
    verdict = {
        "name": "screen",
        "kind": "some_detected",
        "verdict": "partly",
        "facts": {**FACTS, "confounded_with": ["lot"]},
    }
    assert "lot" in tile(verdict).action
