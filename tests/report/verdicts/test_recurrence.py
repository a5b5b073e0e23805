"""What may be said of recurrent genes, each sentence in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import verdict_record
from scpertbias._report.verdicts.recurrence import recurrence_verdict

SETS = pd.DataFrame({"source": ["mt", "ribo", "p53"], "target": ["MT-CO1", "RPL3", "P"]})


def gene(symbol="A", *, model="x", count=90, spread=30.0, excess=40.0, low=None, n=100, by="centered", regime="full"):
    values = {
        "count": count,
        "excess": excess,
        "excess_ci_low": excess - 10 if low is None else low,
        "n_perturbations": n,
        "n_effective_genes": spread,
    }
    return {"model": model, "regime": regime, "by": by, "symbol": symbol, **values}


def ask(tables, *rows):
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
        (gene(spread=float("nan")), "inconclusive"),
        (gene(n=9), "inconclusive"),
        (gene(model="observed"), "inconclusive"),
        (gene(by="z"), "inconclusive"),
        (gene(regime="no_mt"), "inconclusive"),
    ],
)
def test_genes_that_recur_beyond_the_truth(tables, row, verdict):
    found, said = ask(tables, row)
    assert found["verdict"] == verdict
    assert any(
        t
        == "x ranks these genes among the five strongest for too many perturbations: A (90 of 100 perturbations in predictions, "
        "50 in the data)."
        for t in said
    ) == (verdict == "yes")
    if verdict == "no":
        assert found["text"] == "No. x over-predicts no gene (n = 100)."


def test_at_most_five_genes_are_named_those_furthest_beyond_the_truth(tables):
    found, (text,) = ask(tables, *(gene(f"G{i}", excess=float(20 + i)) for i in range(7)))
    assert found["text"] == (
        "Yes. x over-predicts 7 genes: G6, G5, G4, G3, G2 and 2 more. Do not rely on predicted changes of these genes."
    )
    assert [g for g in ("G6", "G5", "G4", "G3", "G2", "G1", "G0") if f"{g} (" in text] == [
        "G6",
        "G5",
        "G4",
        "G3",
        "G2",
    ]
    assert "and 2 more" in text


def test_models_of_the_same_genes_are_named_together_and_quiet_ones_apart(tables):
    _, said = ask(tables, gene(), gene(model="y"), gene(model="z", low=-1.0))
    assert said[0].startswith("x and y rank these genes among the five strongest for too many perturbations:")
    assert said[1] == "z over-predicts no gene (n = 100)."


def test_genes_of_confounder_sets_are_counted(tables):
    found, _ = ask(tables, gene("MT-CO1"), gene("RPL3"), gene("P"), gene("A"))
    assert "(1 mitochondrial, 1 ribosomal, 1 in another confounder gene set)" in found["text"]
    assert "(1" not in ask(tables, gene("A"))[0]["text"]


def test_not_asked_without_models(tables):
    assert recurrence_verdict(tables, SETS) is None


def test_the_baseline_alone_is_named(tables):
    tables["summary"] = pd.DataFrame([{"model": "mean"}])
    found = verdict_record(recurrence_verdict(tables, SETS))
    assert (found["verdict"], found["text"]) == (
        "inconclusive",
        "Not tested. Only the mean baseline was fitted. Add models to compare with this baseline.",
    )


def test_without_a_response_no_gene_is_spoken_of(tables):
    other = {"axis": "other", "regime": "full", "level": "screen", "share": float("nan")}
    tables["confounding"] = pd.DataFrame([other])
    assert ask(tables, gene())[0]["kind"] == "no_response"
