import re

import pytest

from scpertbias._report.content import CHAPTERS
from scpertbias._report.wording import sentence, word
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
    "too_good": [],
    "evidence": ["above_ceiling", "observed_means"],
    "estimate": [1.2, 1.1],
    "n_copied": [0, 3],
    "left_out": True,
    "quality": ["depth"],
    "n_target_only": 0,
    "max_q": 0.05,
    "common": 0.1,
    "common_ci_low": 0.0,
    "common_ci_high": 0.2,
    "p": 0.001,
    "n_sets": 3,
    "n_columns": 1,
    "much": 0.25,
    "n_effective": 40.0,
    "n_judged": 3,
    "n_same": 2,
    "negligible": 0.0005,
    "others_include_0": True,
}
OF_MODELS = {
    "model": ["two_stage_perturbations", "b"],
    **{
        name: [0.2, 0.1]
        for name in (
            "skill",
            "ci_low",
            "ci_high",
            "specific_skill",
            "specific_ci_low",
            "specific_ci_high",
            "specific_slope",
        )
    },
}


def facts_of(name):
    return {**FACTS, **OF_MODELS} if name in ("models", "retraining") else FACTS


def facts_of_kind(name, kind):
    """The facts of models are lists of them, but in the verdict that none is better."""
    facts = facts_of(name)
    of_each = name == "models" and kind != "none_better"
    return {**facts, "n": [150, 150], "n_effective": [40.0, 40.0]} if of_each and kind != "all_constant" else facts


WORD = re.compile(r"(Yes|Partly|No|None|Not tested|Inconclusive)(, by all|, by a few|, batch)?|No sign")


@pytest.mark.parametrize(("name", "kind"), WORDS)
def test_tile_and_sentence_have_one_word(name, kind):
    text = sentence(kind, facts_of_kind(name, kind))
    assert WORD.fullmatch(word(text)), text
    made = tile({"name": name, "kind": kind, "verdict": "partly", "text": text, "facts": facts_of(name)})
    assert made.word in (word(text), *OF_MODELS["model"])
    if made.word != word(text):
        assert word(text) in ("Yes", "Partly"), "a model is named where one can be trusted"


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
    made = tile({"name": name, "kind": kind, "verdict": "partly", "text": "Partly. Why.", "facts": facts_of(name)})
    assert made.word
    sentences = re.split(r"(?<=\.)\s", f"{made.text} {made.action}")
    assert all(len(sentence.split()) <= 25 for sentence in sentences)
    assert len(f"{made.text} {made.action}".split()) <= 30
    assert made.text.endswith(".")
    assert made.action.endswith(".")
    assert not made.text[0].islower() or name == "retraining"


def test_a_verdict_names_its_model():
    verdict = {"name": "models", "kind": "perturbation_specific", "verdict": "yes", "facts": facts_of("models")}
    assert tile(verdict).word == "two_stage_perturbations"
    assert "1 other model does too." in tile(verdict).text


def test_confounded_labels_change_the_advice():
    verdict = {
        "name": "screen",
        "kind": "some_detected",
        "verdict": "partly",
        "text": "Partly. Why.",
        "facts": {**FACTS, "confounded_with": ["lot"]},
    }
    assert "lot" in tile(verdict).action
