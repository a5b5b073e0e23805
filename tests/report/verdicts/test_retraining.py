"""What may be said of retraining, each sentence in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import verdict_record
from scpertbias._report.verdicts.retraining import retraining_verdict

NAN = float("nan")


def retrained(model="x", *, n=100, gain=0.0, low=0.0, high=0.0, regime="no_mt_ribo"):
    return {
        "model": model,
        "regime": regime,
        "metric": "l2_ratio",
        "n": n,
        "n_effective": 40.0,
        "gain": gain,
        "ci_low": low,
        "ci_high": high,
    }


def removal(model="x", *, gain=0.05, low=-0.01, high=0.02, n=100, p=0.048, regime="no_mt_ribo"):
    values = {"gain": gain, "random_mean": 0.001, "random_min": low, "random_max": high, "p": p}
    return {"model": model, "regime": regime, "n": n, "n_random": 20, **values}


def pair(order, *, full=-0.1, n=100, regime="no_mt_ribo"):
    return {"regime": regime, "model_a": "a", "model_b": "b", "n": n, "full": full, "order": order}


def ask(tables, *rows, random=(), ranking=(), models=("mean", "x")):
    tables["summary"] = pd.DataFrame({"model": models})
    for name, some in (("retraining", rows), ("random_removals", random), ("ranking", ranking)):
        if some:
            tables[name] = pd.DataFrame(some)
    found = verdict_record(retraining_verdict(tables))
    return found, [s["text"] for s in found["sentences"] + found["details"]]


BETTER = retrained(gain=0.05, low=0.03, high=0.07)
WORSE = retrained(gain=-0.05, low=-0.07, high=-0.03)
UNCLEAR = retrained(gain=0.02, low=-0.01, high=0.05)


@pytest.mark.parametrize(
    ("rows", "random", "verdict", "text"),
    [
        (
            [BETTER],
            [removal()],
            "yes",
            "Yes: x does better without mitochondrial and ribosomal genes, and more so than",
        ),
        (
            [BETTER],
            [removal(high=0.05)],
            "partly",
            "In part: x does better without mitochondrial and ribosomal genes, but not",
        ),
        ([BETTER], [], "partly", "other genes were not removed in their place"),
        ([BETTER], [removal(p=NAN)], "partly", "other genes were not removed in their place"),
        ([WORSE], [], "no", "No: without mitochondrial and ribosomal genes, x does worse, and no model better"),
        ([retrained()], [], "no", "the error of no model changes by as much as 0.0005"),
        (
            [retrained(), retrained("y", n=5, gain=-0.097, low=NAN, high=NAN)],
            [],
            "no",
            "the error of no model with a verdict changes by as much as 0.0005",
        ),
        ([WORSE, retrained("y", n=5)], [], "no", "x does worse, and no model with a verdict better"),
        (
            [retrained(gain=3e-4, low=1e-4, high=1e-3), retrained("y")],
            [],
            "inconclusive",
            "nothing changes for 1 of 2 models, and the intervals of the others hold changes below 0.0005",
        ),
        (
            [UNCLEAR, retrained("y")],
            [],
            "inconclusive",
            "nothing changes for 1 of 2 models, and the intervals of the others hold 0",
        ),
        ([retrained(n=9)], [], "inconclusive", "no model has enough held-out perturbations"),
        ([retrained(low=NAN, high=NAN)], [], "inconclusive", "no model has enough held-out perturbations"),
        (
            [retrained("mean", gain=0.05, low=0.03, high=0.07)],
            [],
            "inconclusive",
            "no model was retrained beside the mean",
        ),
        ([], [], "inconclusive", "no regime without confounder genes"),
        (
            [retrained(gain=0.05, low=0.03, high=0.07, regime="regressed")],
            [],
            "inconclusive",
            "no regime without confounder genes",
        ),
        (
            [retrained(), retrained(gain=0.05, low=0.03, high=0.07, regime="no_mt")],
            [],
            "no",
            "without mitochondrial and ribosomal",
        ),
    ],
)
def test_verdict_is_of_the_widest_regime_and_of_random_genes(tables, rows, random, verdict, text):
    found, _ = ask(tables, *rows, random=random)
    assert found["verdict"] == verdict
    assert text in found["text"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (retrained(gain=0.02, low=0.01, high=0.03), "a gain for x 0.020 [0.010, 0.030] (n = 100)"),
        (retrained(gain=-0.02, low=-0.03, high=-0.01), "a loss for x −0.020 [−0.030, −0.010] (n = 100)"),
        (UNCLEAR, "no change can be told for x 0.020 [−0.010, 0.050] (n = 100)"),
        (retrained(gain=3e-4, low=1e-4, high=1e-3), "no change can be told for x 0 [0, 0.001] (n = 100)"),
        (retrained(gain=-3e-4, low=-1e-3, high=-1e-4), "no change can be told for x 0 [−0.001, 0] (n = 100)"),
        (retrained(), "nothing changes for x (gain 0; n = 100)"),
        (retrained(gain=2e-8, low=1e-8, high=3e-8), "nothing changes for x (gain below 0.0005; n = 100)"),
        (retrained(gain=0.02, low=0.01, high=0.03, n=9), "there is no verdict on x"),
        (retrained(gain=0.02, low=0.01, high=0.03, n=49), "a gain for x 0.020 [0.010, 0.030] (n = 49, approximate)"),
        (retrained(low=NAN, high=NAN, n=0), "there is no verdict on x"),
    ],
)
def test_what_retraining_changes(tables, row, expected):
    _, (text,) = ask(tables, row, retrained("mean"))
    assert text.startswith(f"Retrained without mitochondrial and ribosomal genes: {expected}")
    assert "mean" not in text


def test_every_regime_has_its_sentence(tables):
    _, said = ask(tables, retrained(regime="no_mt"), retrained(regime="regressed", gain=0.02, low=0.01, high=0.03))
    assert [t.split(":")[0] for t in said] == [
        "Retrained without mitochondrial genes",
        "Retrained with the covariates regressed out",
    ]


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (removal(), "helps more"),
        (removal(gain=0.02), "cannot be told"),
        (removal(gain=3e-4, low=-0.01, high=1e-4), "cannot be told"),
        (removal(gain=0.01), "cannot be told"),
        (removal(gain=-0.01, low=-0.5, high=-0.1), "cannot be told"),
        (removal(n=9), None),
        (removal(p=NAN), None),
        (removal(gain=NAN), None),
        (removal(gain=1e-8, low=-1e-8, high=1e-9), None),
    ],
)
def test_retraining_against_random_genes(tables, row, verdict):
    said = ask(tables, random=[row])[1]
    assert len(said) == (verdict is not None)
    if verdict:
        assert said[0].startswith("Retraining without mitochondrial and ribosomal genes")
        assert verdict in said[0]
        assert ("rests on a gain above all 20 removals" in said[0]) == (verdict == "helps more")
        assert "(n = 100; the range of 20)" in said[0]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            [pair("reversed"), pair("kept")],
            "The ranking changes: without mitochondrial and ribosomal genes, a is before b if trained on all genes, and behind "
            "it if retrained (n = 100).",
        ),
        ([pair("reversed", full=0.1)], "b is before a if trained on all genes"),
        (
            [pair("kept"), pair("undetermined"), pair("kept", regime="no_mt")],
            "does not change the ranking: where two models are told apart before and after, the order is the same (pairs: 1 of 2 "
            "without mitochondrial and ribosomal genes, 1 of 1 without mitochondrial genes).",
        ),
        ([pair("undetermined"), pair("same")], "Whether retraining changes the ranking cannot be told"),
        ([pair("reversed", n=9)], None),
    ],
)
def test_the_ranking_changes_only_where_both_orders_are_told(tables, rows, text):
    said = [t for t in ask(tables, ranking=rows)[1] if "ranking" in t]
    assert len(said) == (text is not None)
    assert text is None or text in said[0]


def test_the_baseline_alone_is_not_a_missing_regime(tables):
    for rows in ([], [retrained("mean")]):
        found, said = ask(tables, *rows, models=["mean"])
        assert found["text"] == "This cannot be told: no model was fitted beside the mean baseline."
        assert (found["verdict"], said) == ("inconclusive", [])


def test_not_asked_without_models(tables):
    assert retraining_verdict(tables) is None
