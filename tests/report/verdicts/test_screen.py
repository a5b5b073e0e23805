"""What may be said of the perturbations, each sentence in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import verdict_record
from scpertbias._report.verdicts.screen import scan, screen_verdict, shifted_rows

NAN = float("nan")


def perturbation(name, kind="specific", *, target_gene="", target_z=NAN, response_share=NAN):
    row = {"perturbation": name, "kind": kind, "target_gene": target_gene, "target_z": target_z}
    return {**row, "response_share": response_share}


def axis(note=""):
    return {
        "axis": "systematic",
        "regime": "full",
        "level": "screen",
        "share": 0.5,
        "ci_low": 0.4,
        "ci_high": 0.6,
        "note": note,
    }


WEAK_AXIS = "weak axis: its share may be up to 0.06 too high"  # nothing is said of kinds then


def ask(tables, *rows, note=WEAK_AXIS, target_response=()):
    tables["perturbations"] = pd.DataFrame(rows)
    tables["confounding"] = pd.DataFrame([axis(note)])
    if target_response:
        tables["target_response"] = pd.DataFrame(target_response)
    found = verdict_record(screen_verdict(tables))
    return found, [s["text"] for s in found["sentences"]]


@pytest.mark.parametrize(
    ("kinds", "verdict", "text"),
    [
        (["specific", "mostly shared", "targets a confounder gene", "weak"], "yes", "4 of 4"),
        (["specific", "not detected"], "partly", "1 of 2"),
        (["specific", "target gene only"], "partly", "1 of 2"),
        (["not detected", "not detected"], "no", "none of 2"),
        (["specific", "too few cells"], "yes", "1 of 1"),
    ],
)
def test_in_how_many_an_effect_is_detected(tables, kinds, verdict, text):
    found, _ = ask(tables, *(perturbation(str(i), kind) for i, kind in enumerate(kinds)))
    assert found["verdict"] == verdict
    own = "; in 1 more only the own gene changes" if "target gene only" in kinds else ""
    assert found["text"] == f"An effect is detected in {text} perturbations (q of 0.05 or less){own}."


def test_kinds_are_counted_unless_the_axis_is_weak(tables):
    rows = [
        perturbation("a", "specific"),
        perturbation("b", "specific"),
        perturbation("c", "mostly shared"),
        perturbation("e", "weak"),
        perturbation("d", "not detected"),
    ]
    _, said = ask(tables, *rows, note="")
    assert (
        "Of these 4, 2 are specific (the effect is mostly their own), 1 move mostly along the shared axis or in one technical "
        "gene set and 1 are too weak to be sorted; judge models on specific ones." in said
    )
    _, said = ask(tables, *rows)
    assert not [t for t in said if t.startswith("Of these")]
    _, said = ask(tables, perturbation("a", "not detected"), note="")
    assert not [t for t in said if t.startswith("Of these")]


def test_own_genes_are_counted_by_direction(tables):
    rows = [
        perturbation("a", target_gene="a", target_z=-9.0),
        perturbation("b", target_gene="b", target_z=4.0),
        perturbation("c", target_gene="c", target_z=1.0),
    ]
    _, said = ask(tables, *rows, perturbation("d"))
    assert "Of the 3 whose own gene is measured, it falls in 1 and rises in 1 (|z| above 3)." in said
    assert not ask(tables, perturbation("d"))[1]


def test_few_perturbations_that_carry_the_response_are_named(tables):
    rows = [perturbation(name, response_share=share) for name, share in (("a", 0.3), ("b", 0.6), ("c", 0.1))]
    found, said = ask(tables, *rows, perturbation("d", "too few cells", response_share=9.0))
    assert said == ["2 of 3 perturbations carry 80 % of the response: b, a."]
    assert found["sentences"][0]["facts"]["perturbation"] == ["b", "a"]
    assert ask(tables, *(perturbation(r["perturbation"], "not detected", response_share=0.4) for r in rows))[1] == []
    assert ask(tables, perturbation("a"))[1] == []


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
        ([at(-1), at(0, proposed=True)], "No shift of values against gene names is proposed: in their own"),
        ([at(-1), at(0)], "No shift"),
        ([at(-1, proposed=True), at(0)], None),
        ([at(0, p=NAN, proposed=None)], "Whether values lie beside"),
    ],
)
def test_one_sentence_on_shifted_values(tables, rows, start):
    _, said = ask(tables, perturbation("a"), target_response=[*rows, at(-1, proposed=True, model="ridge")])
    assert len(said) == (start is not None)
    assert start is None or said[0].startswith(start)
    assert len(shifted_rows(scan(tables))) == (start is None)
