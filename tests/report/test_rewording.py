"""Words are for people: another wording of every sentence and note changes no verdict, kind, fact, mark or number."""

import json
import sys
import warnings

import pytest

import scpertbias as spb
from scpertbias._core import confounding, directions, resampling, variance
from scpertbias._models import _base
from scpertbias._report import to_json, wording
from scpertbias._report.wording import terms
from scpertbias.pp import _check
from scpertbias.tl import _coupling, _specificity_scores, _summary, _target_response

NOTES = [
    *(
        (confounding, name)
        for name in ("NO_RESPONSE", "NO_MEASURABLE_AXIS", "NO_REPRODUCIBLE_AXIS", "WEAK", "NO_GENES", "TOO_FEW_GENES")
    ),
    *((directions, name) for name in ("TOO_FEW", "NO_DEPTH", "NO_INTERVAL")),
    (_base, "CONSTANT"),
    *((_summary, name) for name in ("CONSTANT_PREDICTION", "OFFSET", "SMALL_FOLDS")),
    *((_specificity_scores, name) for name in ("NO_EFFECT",)),
    *((resampling, name) for name in ("NO_ROOM", "TOO_FEW")),
    *((_coupling, name) for name in ("NO_CHANGE", "NO_ROWS")),
    (variance, "NO_VARIANCE"),
    (_target_response, "FEW"),
    (_check, "LEFT_OUT"),
]
WORDS = {"text", "note", "detail", "reason", "notes", "warnings", "provenance"}
AUDIT = {"models": ("mean", "no_change", "ridge", "grn_linear", "bilinear"), "n_random": 2}


def without_words(value):
    """What scripts may rest on."""
    if isinstance(value, dict):
        words = WORDS | {"verdict"} if "tone" in value else WORDS  # of the scorecard: its words, beside its kind
        return {key: without_words(inner) for key, inner in value.items() if key not in words}
    return [without_words(inner) for inner in value] if isinstance(value, list) else value


def audited(**screen):
    adata = spb.ds.simulate(rng=1, keep_counts=False, **screen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return json.loads(to_json(spb.tl.audit(adata, **AUDIT)))


def reword(monkeypatch):
    for kind in wording.TEMPLATES:
        monkeypatch.setitem(wording.TEMPLATES, kind, lambda facts, kind=kind: f"another sentence: {kind}")
    for standing in terms.STANDINGS:
        monkeypatch.setitem(terms.STANDINGS, standing, f"another verdict: {standing}")
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("scpertbias")]
    before = [getattr(module, name) for module, name in NOTES]
    for i, note in enumerate(before):
        for module in modules:
            for name in [name for name, value in vars(module).items() if name.isupper() and value == note]:
                monkeypatch.setattr(module, name, f"another note {i}")


@pytest.mark.parametrize(
    "screen",
    [
        {"n_cells": 1500, "n_genes": 60, "n_perturbations": 12},
        {"n_cells": 900, "n_genes": 60, "n_perturbations": 12, "axis_strength": 0.0, "specific_strength": 0.3},
        {"n_cells": 900, "n_genes": 60, "n_perturbations": 8, "axis_strength": 0.0, "specific_strength": 0.0},
    ],
    ids=["confounded", "weak", "null"],
)
def test_another_wording_changes_words_alone(monkeypatch, screen):
    before = audited(**screen)
    reword(monkeypatch)
    after = audited(**screen)
    assert before["answer"][0]["text"] != after["answer"][0]["text"]
    assert before["scorecard"][0]["verdict"] != after["scorecard"][0]["verdict"]
    assert without_words(before) == without_words(after)
    said = [row["note"] for table in after["tables"].values() for row in table if row.get("note")]
    assert any("another note" in note for note in said)
