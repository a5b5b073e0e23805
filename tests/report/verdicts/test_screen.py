"""What may be said of the perturbations, each sentence in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import verdict_record
from scpertbias._report.verdicts.screen import scan, screen_verdict, shifted_rows

NAN = float("nan")


def perturbation(name, kind="specific", *, target_gene="", target_z=NAN, response_share=NAN, systematic=NAN):
    row = {"perturbation": name, "kind": kind, "target_gene": target_gene, "target_z": target_z}
    return {**row, "response_share": response_share, "systematic": systematic}


def ask(tables, *rows, response=NAN, target_response=()):
    tables["perturbations"] = pd.DataFrame(rows)
    other = {"axis": "other", "regime": "full", "level": "screen", "share": response}
    tables["confounding"] = pd.DataFrame([other])
    if target_response:
        tables["target_response"] = pd.DataFrame(target_response)
    found = verdict_record(screen_verdict(tables))
    return found, [s["text"] for s in found["sentences"]]


@pytest.mark.parametrize(
    ("kinds", "verdict", "text"),
    [
        (["specific", "mostly shared", "targets a confounder gene", "weak"], "yes", "4 of 4 perturbations have"),
        (["specific", "not detected"], "partly", "1 of 2 perturbations have"),
        (["specific", "target gene only"], "partly", "1 of 2 perturbations have"),
        (["not detected", "not detected"], "no", "None of 2 perturbations has"),
        (["specific", "too few cells"], "yes", "1 of 1 perturbations have"),
    ],
)
def test_in_how_many_an_effect_is_detected(tables, kinds, verdict, text):
    found, _ = ask(tables, *(perturbation(str(i), kind) for i, kind in enumerate(kinds)))
    assert found["verdict"] == verdict
    assert f"{text} a detected effect (q ≤ 0.05)." in found["text"]
    assert ("In 1 other perturbation, only the target gene changes." in found["text"]) == ("target gene only" in kinds)


def test_effects_that_are_detected_only_together_are_no_failure(tables):
    rows = [perturbation("a", "not detected"), perturbation("b", "not detected")]
    assert ask(tables, *rows)[0]["kind"] == "none_detected"
    assert ask(tables, *rows, response=0.9)[0]["kind"] == "only_together"


def test_categories_are_counted(tables):
    rows = [
        perturbation("a", "specific"),
        perturbation("b", "specific"),
        perturbation("c", "mostly shared", systematic=0.6),
        perturbation("f", "mostly shared", systematic=0.4),
        perturbation("g", "mostly shared"),
        perturbation("e", "weak"),
        perturbation("d", "not detected"),
    ]
    _, said = ask(tables, *rows)
    assert said == [
        "Categories of the 6 detected perturbations: specific effect (2), effect mostly along the shared axis (1), effect mostly "
        "in one technical gene set (2) and weak effect (1)."
    ]
    assert ask(tables, perturbation("a", "not detected"))[1] == []


def test_own_genes_are_counted_by_direction(tables):
    rows = [
        perturbation("a", target_gene="a", target_z=-9.0),
        perturbation("b", target_gene="b", target_z=4.0),
        perturbation("c", target_gene="c", target_z=1.0),
    ]
    _, said = ask(tables, *rows, perturbation("d"))
    assert (
        "The target gene is measured for 3 perturbations. The expression of the target gene decreases in 1 of these perturbations "
        "(z < −3) and increases in 1 (z > 3)."
    ) in said
    assert not [t for t in ask(tables, perturbation("d"))[1] if t.startswith("The target gene")]


def test_few_perturbations_that_carry_the_response_are_named(tables):
    rows = [perturbation(name, response_share=share) for name, share in (("a", 0.3), ("b", 0.6), ("c", 0.1))]
    found, said = ask(tables, *rows, perturbation("d", "too few cells", response_share=9.0))
    assert said[-1] == "The strongest perturbations (2 of 3) account for 90% of the response: b and a."
    assert found["sentences"][-1]["facts"]["perturbation"] == ["b", "a"]
    assert ask(tables, *(perturbation(r["perturbation"], "not detected", response_share=0.4) for r in rows))[1] == []
    assert not [t for t in ask(tables, perturbation("a"))[1] if "of the response" in t]


def at(shift=0, *, proposed=False, p=0.001, model="observed", block="all"):
    return {
        "model": model,
        "level": "scan",
        "block": block,
        "shift": shift,
        "n_targets": 27.0,
        "percentile": 0.95,
        "expected": 0.6,
        "p": p,
        "proposed": proposed,
        "note": "",
    }


@pytest.mark.parametrize(
    ("rows", "start"),
    [
        (
            [at(-1), at(0, proposed=True)],
            "The gene names seem to fit the columns of the matrix. In its own perturbation, a target gene changes",
        ),
        ([at(-1), at(0)], "The gene names seem"),
        ([at(-1, proposed=True), at(0)], None),
        (
            [at(0, p=NAN, proposed=None)],
            "The match between gene names and expression values was not tested. This test needs at least 10 perturbations",
        ),
    ],
)
def test_one_sentence_on_shifted_values(tables, rows, start):
    _, said = ask(tables, perturbation("a"), target_response=[*rows, at(-1, proposed=True, model="ridge")])
    said = [t for t in said if "gene names" in t.lower()]
    assert len(said) == (start is not None)
    assert start is None or said[0].startswith(start)
    assert len(shifted_rows(scan(tables))) == (start is None)
