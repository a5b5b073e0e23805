"""What may be said of the response and of what models learned, each in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report._answer import answer
from scpertbias._report._learned import known_perturbations, random_removals, recurring, response, shift
from scpertbias._report._say import CONSTANT
from scpertbias._report._tables import COLUMNS

NAN = float("nan")


def texts(sentences, topic=None):
    return [s["text"] for s in sentences if topic in (None, s["topic"])]


def axis(name="mt", *, share=0.18, low=0.15, high=0.2, null=0.046, p=0.001, note="", regime="full", level="screen"):
    values = {"share": share, "low": low, "high": high, "null": null, "p": p, "note": note}
    return {"axis": name, "regime": regime, "level": level, **values}


def test_shares_of_the_response_with_interval_and_chance():
    table = pd.DataFrame(
        [axis(), axis("ribo", share=0.2), axis("systematic", share=0.57, null=NAN, p=NAN), axis("p53")]
    )
    mt, ribo, systematic = texts(response(table), "response")
    assert mt == (
        "Mitochondrial genes carry 18 % [15, 20] of the response (random sets of equally expressed genes 4.6 %, p = 0.001)."
    )
    assert ribo.startswith("Ribosomal genes carry 20 %")
    assert systematic.endswith("(systematic) carries 57 % [15, 20] of the response.")
    assert response(table)[0]["rows"][0]["share"] == 0.18


@pytest.mark.parametrize("unknown", [{"share": NAN}, {"low": NAN}, {"regime": "regressed"}, {"level": "perturbation"}])
def test_nothing_is_said_of_a_share_that_is_not_known(unknown):
    assert response(pd.DataFrame([axis(**unknown)])) == []


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("", False),
        ("approximate interval: 25 perturbations, 5 effective", True),
        ("weak axis: its share may be up to 0.06 too high; approximate interval: 25 perturbations, 5 effective", True),
    ],
)
def test_an_approximate_share_is_called_so(note, said):
    (text,) = texts(response(pd.DataFrame([axis("systematic", null=NAN, p=NAN, note=note)])))
    assert ("the interval is approximate" in text) == said
    assert ("weak axis" in text) == ("weak axis" in note)


def scan(at=0, *, proposed=False, note="", model="observed"):
    return {
        "model": model,
        "level": "scan",
        "block": "all",
        "first": "A",
        "last": "Z",
        "shift": at,
        "n_targets": 27.0,
        "percentile": 0.95,
        "expected": 0.6,
        "p": 0.001,
        "q": 0.002,
        "proposed": proposed,
        "note": note,
    }


@pytest.mark.parametrize(
    ("rows", "topic", "start"),
    [
        (
            [scan(-1), scan(0, proposed=True)],
            "on_target",
            "No shift of values against gene names is proposed: in their own",
        ),
        ([scan(-1), scan(0)], "on_target", "No shift"),
        (
            [scan(-1, proposed=True), scan(0)],
            "caution",
            "Values seem to lie beside their gene names: from A to Z by −1",
        ),
        (
            [scan(0, note="not informative: fewer than 10 measured targets", proposed=None)],
            "on_target",
            "Whether values",
        ),
    ],
)
def test_one_sentence_on_shifted_values(rows, topic, start):
    (said,) = shift(pd.DataFrame([*rows, scan(-1, proposed=True, model="ridge")]))
    assert said["topic"] == topic
    assert said["text"].startswith(start)


def gain(model="x", *, n=100, value=0.2, low=0.1, high=0.3, note="", metric="pearson_delta_perturbed"):
    values = {"n": n, "specific_gain": value, "low": low, "high": high, "ceiling_gain": 0.606, "note": note}
    return {"model": model, "metric": metric, **values}


NONE = pd.DataFrame(columns=COLUMNS["variance_ratio"])
KNOWS, NOBODY, WORSE = "Know which perturbation", "No model does better than its own", "Do worse than their own"
UNTOLD, NOTHING = "Cannot be told from their own", "Gain nothing"


@pytest.mark.parametrize(
    ("row", "verdicts"),
    [
        (gain(low=0.01), [KNOWS]),
        (gain(low=0.0), [NOBODY, UNTOLD]),
        (gain(low=-0.1), [NOBODY, UNTOLD]),
        (gain(value=-0.2, low=-0.3, high=-0.1), [NOBODY, WORSE]),
        (gain(value=0.0, low=0.0, high=0.0), [NOBODY, NOTHING]),
        (gain(note=CONSTANT), [NOBODY, NOTHING]),
        (gain(n=9), []),
        (gain(low=NAN), []),
        (gain("observed"), []),
        (gain(metric="l2"), []),
    ],
)
def test_verdict_on_knowing_the_perturbation(row, verdicts):
    said = texts(known_perturbations(pd.DataFrame([row]), NONE), "specific")
    assert [v for v in (KNOWS, NOBODY, WORSE, UNTOLD, NOTHING) if any(t.startswith(v) for t in said)] == verdicts
    assert any("the truth itself gains 0.606" in t for t in said) == bool(verdicts)


def test_gain_with_interval_and_n():
    text = texts(known_perturbations(pd.DataFrame([gain("a"), gain("b"), gain("c", value=0.5)]), NONE))[0]
    assert text.endswith("a and b 0.200 [0.100, 0.300] (n = 100); c 0.500 [0.100, 0.300] (n = 100).")


def spread(model, to, *, ratio=0.0, n=100, regime="full"):
    values = {"n_perturbations": n, "ratio": ratio, "low": ratio, "high": ratio}
    return {"model": model, "regime": regime, "level": "screen", "collapsed_to": to, **values}


def test_collapsed_models_are_named_with_their_baseline():
    rows = [spread("mean", "mean"), spread("ridge", "mean"), spread("y", "", ratio=0.5), spread("z", "mean", n=9)]
    rows.append(spread("w", "mean", regime="no_mt"))
    said = [t for t in texts(known_perturbations(pd.DataFrame([gain()]), pd.DataFrame(rows))) if "Collapsed" in t]
    assert len(said) == 1
    assert said[0].startswith("Collapsed to the baseline mean")
    assert said[0].endswith("ridge 0 % [0, 0].")
    rows = [spread("mean", "mean"), spread("y", "", ratio=0.5)]
    assert "Collapsed" not in " ".join(texts(known_perturbations(pd.DataFrame([gain()]), pd.DataFrame(rows))))


def removal(model="x", *, value=0.05, low=-0.01, high=0.02, n=100, p=0.048):
    values = {"gain": value, "random_mean": 0.001, "random_low": low, "random_high": high, "p": p}
    return {"model": model, "regime": "no_mt", "n": n, "n_random": 20, **values}


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (removal(), "helps more"),
        (removal(value=0.02), "cannot be told"),
        (removal(value=0.01), "cannot be told"),
        (removal(value=-0.01, low=-0.5, high=-0.1), "cannot be told"),
        (removal(n=9), None),
        (removal(p=NAN), None),
        (removal(value=NAN), None),
        (removal(value=1e-8, low=-1e-8, high=1e-9), None),
    ],
)
def test_retraining_against_random_genes(row, verdict):
    said = texts(random_removals(pd.DataFrame([row])), "regimes")
    assert len(said) == (verdict is not None)
    if verdict:
        assert said[0].startswith("Retraining without mitochondrial genes")
        assert verdict in said[0]
        assert ("rests on a gain above all 20 removals" in said[0]) == (verdict == "helps more")
        assert "(n = 100; the range of 20)" in said[0]


def gene(symbol="A", *, model="x", q=0.01, count=90, excess=40.0, n=100, by="z", regime="full"):
    values = {"count": count, "excess": excess, "n_perturbations": n, "q": q}
    return {"model": model, "regime": regime, "by": by, "symbol": symbol, **values}


RECURS, NO_GENE = "In the predictions of x these genes recur beyond the truth: A in 90 (truth 50)", "No gene recurs"


@pytest.mark.parametrize(
    ("row", "start"),
    [
        (gene(), RECURS),
        (gene(q=0.05), NO_GENE),
        (gene(excess=0.0), NO_GENE),
        (gene(excess=-5.0), NO_GENE),
        (gene(q=NAN), None),
        (gene(n=9), None),
        (gene(model="observed"), None),
        (gene(by="delta"), None),
        (gene(regime="no_mt"), None),
    ],
)
def test_genes_that_recur_beyond_the_truth(row, start):
    said = texts(recurring(pd.DataFrame([row])), "recurrence")
    assert len(said) == (start is not None)
    if start:
        assert said[0].startswith(start)
        assert "n = 100" in said[0]


def test_at_most_five_genes_are_named_those_furthest_beyond_the_truth():
    rows = [gene(f"G{i}", excess=float(10 + i)) for i in range(7)]
    (text,) = texts(recurring(pd.DataFrame(rows)))
    assert [g for g in ("G6", "G5", "G4", "G3", "G2", "G1", "G0") if f"{g} in" in text] == [
        "G6",
        "G5",
        "G4",
        "G3",
        "G2",
    ]
    assert "and 2 more" in text


def test_models_of_the_same_genes_are_named_together():
    (text,) = texts(recurring(pd.DataFrame([gene(), gene(model="y")])))
    assert text.startswith("In the predictions of x and y these genes")


def test_nothing_is_said_where_a_table_is_missing():
    tables = {name: pd.DataFrame(columns=columns) for name, columns in COLUMNS.items()}
    assert texts(answer(tables, {})) == ["No model was fitted: this report is about the screen alone."]
