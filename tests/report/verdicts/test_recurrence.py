"""What may be said of recurrent genes, each sentence in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import verdict_record
from scpertbias._report.verdicts import recurrence
from scpertbias._report.verdicts.recurrence import recurrence_verdict

NAN = float("nan")
SETS = pd.DataFrame({"source": ["mt", "ribo", "p53"], "target": ["MT-CO1", "RPL3", "P"]})


def gene(symbol="A", *, model="x", effective=9.0, count=90, excess=40.0, low=None, n=100, by="centered", regime="full"):
    values = {
        "count": count,
        "excess": excess,
        "excess_ci_low": excess - 10 if low is None else low,
        "n_perturbations": n,
        "n_effective_genes": effective,
    }
    return {"model": model, "regime": regime, "by": by, "symbol": symbol, **values}


def ask(tables, *rows, note=""):
    share = {"regime": "full", "level": "screen", "axis": "mt", "kind": "genes", "note": note}
    tables["confounding"] = pd.DataFrame([share])
    tables["summary"] = pd.DataFrame([{"model": "x"}])
    tables["recurrence"] = pd.DataFrame(rows)
    found = verdict_record(recurrence_verdict(tables, SETS))
    return found, [s["text"] for s in found["sentences"]]


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (gene(), "yes"),
        (gene(low=0.0), "no"),
        (gene(excess=0.0), "no"),
        (gene(excess=-5.0), "no"),
        (gene(effective=NAN), "inconclusive"),
        (gene(n=9), "inconclusive"),
        (gene(model="observed"), "inconclusive"),
        (gene(by="delta"), "inconclusive"),
        (gene(by="z"), "inconclusive"),
        (gene(regime="no_mt"), "inconclusive"),
    ],
)
def test_genes_that_recur_beyond_the_truth(tables, row, verdict):
    found, said = ask(tables, row)
    assert found["verdict"] == verdict
    assert any(t.startswith("Among the five strongest predicted by x: A in 90 (data 50), of 100") for t in said) == (
        verdict == "yes"
    )
    if verdict == "no":
        assert found["text"] == "No gene recurs more often than in the data in the predictions of x (n = 100)."


def test_at_most_five_genes_are_named_those_furthest_beyond_the_truth(tables):
    found, (text,) = ask(tables, *(gene(f"G{i}", excess=float(20 + i)) for i in range(7)))
    assert found["text"].startswith("G6, G5, G4, G3, G2 and 2 more: x put them on top more often")
    assert [g for g in ("G6", "G5", "G4", "G3", "G2", "G1", "G0") if f"{g} in" in text] == [
        "G6",
        "G5",
        "G4",
        "G3",
        "G2",
    ]
    assert "and 2 more" in text


def test_models_of_the_same_genes_are_named_together_and_quiet_ones_apart(tables):
    _, said = ask(tables, gene(), gene(model="y"), gene(model="z", low=-1.0))
    assert said[0].startswith("Among the five strongest predicted by x and y:")
    assert said[1] == "No gene recurs more often than in the data in the predictions of z (n = 100)."


def test_genes_of_confounder_sets_are_counted(tables):
    found, _ = ask(tables, gene("MT-CO1"), gene("RPL3"), gene("P"), gene("A"))
    assert found["text"].endswith("among these 4 genes: 1 mitochondrial, 1 ribosomal and 1 of another confounder set.")
    assert "among these" not in ask(tables, gene("A"))[0]["text"]


def test_not_asked_without_models(tables):
    assert recurrence_verdict(tables, SETS) is None


def test_nothing_is_said_of_a_screen_without_a_response(tables):
    found, said = ask(tables, gene(), note="no reproducible response")
    assert (found["verdict"], found["kind"], said) == ("inconclusive", "recurrence_without_response", [])
    assert recurrence.tested_genes(tables).empty
    tables["confounding"] = tables["confounding"].head(0)
    assert recurrence_verdict(tables, SETS).kind == "recurrence_without_response"


def test_the_baseline_alone_is_named(tables):
    ask(tables)
    tables["summary"] = pd.DataFrame([{"model": "mean"}])
    found = verdict_record(recurrence_verdict(tables, SETS))
    assert (found["verdict"], found["text"]) == (
        "inconclusive",
        "This cannot be told: no model was fitted beside the mean baseline.",
    )
