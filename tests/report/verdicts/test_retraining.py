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
            "Yes. x improves when it is retrained without mitochondrial and ribosomal genes. No removal of the",
        ),
        (
            [BETTER],
            [removal(high=0.05)],
            "partly",
            "Partly. x improves when it is retrained without mitochondrial and ribosomal genes. Removal of the",
        ),
        ([BETTER], [], "partly", "random genes was not tested for comparison"),
        ([BETTER], [removal(p=NAN)], "partly", "random genes was not tested for comparison"),
        (
            [WORSE],
            [],
            "no",
            "No. x gets worse when it is retrained without mitochondrial and ribosomal genes, and no assessed model",
        ),
        ([retrained()], [], "no", "changes every relative error by less than 0.0005 (1 assessed model)"),
        (
            [retrained(), retrained("y", n=5, gain=-0.097, low=NAN, high=NAN)],
            [],
            "no",
            "changes every relative error by less than 0.0005 (1 assessed model)",
        ),
        ([WORSE, retrained("y", n=5)], [], "no", "genes, and no assessed model improves"),
        (
            [retrained(gain=3e-4, low=1e-4, high=1e-3), retrained("y")],
            [],
            "inconclusive",
            "1 of 2 assessed models is unchanged (difference below 0.0005). For the other model, the change is below 0.0005",
        ),
        (
            [UNCLEAR, retrained("y")],
            [],
            "inconclusive",
            "(difference below 0.0005). For the other model, the 95% interval of the change includes 0.",
        ),
        ([retrained(n=9)], [], "inconclusive", "No interval could be computed for any model."),
        ([retrained(low=NAN, high=NAN)], [], "inconclusive", "No interval could be computed for any model."),
        (
            [retrained("mean", gain=0.05, low=0.03, high=0.07)],
            [],
            "inconclusive",
            "Only the mean baseline was retrained",
        ),
        ([], [], "inconclusive", "No model was retrained without mitochondrial or ribosomal genes. Repeat"),
        (
            [retrained(gain=0.05, low=0.03, high=0.07, regime="regressed")],
            [],
            "inconclusive",
            "No model was retrained without mitochondrial or ribosomal genes. Repeat",
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
        (
            retrained(gain=0.02, low=0.01, high=0.03),
            "is significantly lower for x (gain 0.02, 95% CI 0.01–0.03, n = 100).",
        ),
        (
            retrained(gain=-0.02, low=-0.03, high=-0.01),
            "is significantly higher for x (gain −0.02, 95% CI −0.03 to −0.01, n = 100).",
        ),
        (UNCLEAR, "does not change significantly for x (gain 0.02, 95% CI −0.01 to 0.05, n = 100)."),
        (
            retrained(gain=3e-4, low=1e-4, high=1e-3),
            "does not change significantly for x (gain 0, 95% CI 0–0.001, n = 100).",
        ),
        (
            retrained(gain=-3e-4, low=-1e-3, high=-1e-4),
            "does not change significantly for x (gain 0, 95% CI −0.001 to 0, n = 100).",
        ),
        (retrained(), "the relative error is unchanged for x (change below 0.0005, n = 100)."),
        (
            retrained(gain=2e-8, low=1e-8, high=3e-8),
            "the relative error is unchanged for x (change below 0.0005, n = 100).",
        ),
        (
            retrained(gain=0.02, low=0.01, high=0.03, n=49),
            "is significantly lower for x (gain 0.02, 95% CI 0.01–0.03, n = 49, approximate interval).",
        ),
    ],
)
def test_what_retraining_changes(tables, row, expected):
    _, (text,) = ask(tables, row, retrained("mean"))
    assert text.startswith("After retraining without mitochondrial and ribosomal genes, ")
    assert expected in text
    assert "mean" not in text


def test_models_without_a_verdict_are_named_once_with_their_regimes(tables):
    why = "Either fewer than 10 held-out perturbations are predicted, or no interval could be computed."
    rows = [retrained(model, low=NAN, high=NAN, n=0, regime=r) for r in ("no_mt", "no_mt_ribo") for model in ("x", "y")]
    _, said = ask(tables, *rows, retrained("z", low=NAN, high=NAN, n=20, regime="no_mt"))
    assert said == [
        "For x and y, no verdict is possible in these feature regimes: without mitochondrial genes; without mitochondrial and "
        f"ribosomal genes. {why}",
        f"For z, no verdict is possible after retraining without mitochondrial genes. {why}",
    ]
    assert ask(tables, retrained(gain=0.02, low=0.01, high=0.03, n=9))[1][0].endswith(why)


def test_genes_that_are_not_measured_are_the_reason_that_nothing_was_retrained(tables):
    tables["regimes_left_out"] = pd.DataFrame([{"regime": "no_mt", "reason": "no mitochondrial gene is measured"}])
    assert ask(tables)[0]["text"] == (
        "Not tested. No model was retrained without mitochondrial or ribosomal genes. Measure these genes."
    )


def test_every_regime_has_its_sentence(tables):
    _, said = ask(tables, retrained(regime="no_mt"), retrained(regime="regressed", gain=0.02, low=0.01, high=0.03))
    assert [t.split(",")[0] for t in said] == [
        "After retraining without mitochondrial genes",
        "After retraining with the covariates regressed out",
    ]


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (removal(), "more than any removal of"),
        (removal(gain=0.02), "no more than removing"),
        (removal(gain=3e-4, low=-0.01, high=1e-4), "no more than removing"),
        (removal(gain=0.01), "no more than removing"),
        (removal(gain=-0.01, low=-0.5, high=-0.1), "no more than removing"),
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
        assert said[0].startswith(
            f"For x, removing mitochondrial and ribosomal genes helps {verdict} the same number of random genes. The gain is"
        )
        assert " (20 random removals: mean " in said[0]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            [pair("reversed"), pair("kept")],
            "Retraining changes the ranking of models: a is better than b when both are trained on all genes, but worse when both "
            "are retrained without mitochondrial and ribosomal genes (n = 100).",
        ),
        ([pair("reversed", full=0.1)], "b is better than a when both are trained on all genes"),
        (
            [pair("kept"), pair("undetermined"), pair("kept", regime="no_mt")],
            "Retraining does not reverse the order of any two models. In these pairs, the two models differ significantly "
            "both before and after retraining: without mitochondrial and ribosomal genes, 1 of 2 pairs; without mitochondrial "
            "genes, 1 of 1 pair. In all other pairs, at least one of the two differences is not significant.",
        ),
        ([pair("undetermined"), pair("same")], "The effect of retraining on the ranking of models is inconclusive"),
        ([pair("reversed", n=9)], None),
    ],
)
def test_the_ranking_changes_only_where_both_orders_are_significant(tables, rows, text):
    said = [t for t in ask(tables, ranking=rows)[1] if "ranking" in t or "order" in t]
    assert len(said) == (text is not None)
    assert text is None or text in said[0]


def test_the_baseline_alone_is_not_a_missing_regime(tables):
    for rows in ([], [retrained("mean")]):
        found, said = ask(tables, *rows, models=["mean"])
        assert (
            found["text"] == "Not tested. Only the mean baseline was fitted. Add models to compare with this baseline."
        )
        assert (found["verdict"], said) == ("inconclusive", [])


def test_not_asked_without_models(tables):
    assert retraining_verdict(tables) is None
