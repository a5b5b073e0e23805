"""What may be said of the axes, each sentence in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import verdict_record
from scpertbias._report.verdicts.confounding import beyond_random, confounding_verdict

NAN = float("nan")
WEAK = "weak axis: its share may be up to 0.06 too high"
NO_AXIS = "no axis is measurable"


def axis(
    name,
    share,
    low,
    high,
    *,
    null=NAN,
    p=NAN,
    note="",
    on=0.0,
    kind="genes",
    regime="full",
    level="screen",
    n_genes=10,
    beyond=None,
    n_axis=56.0,
    common_high=0.1,
    mismatch=0.2,
):
    return {
        "axis": name,
        "kind": kind,
        "regime": regime,
        "level": level,
        "share": share,
        "ci_low": low,
        "ci_high": high,
        "null": null,
        "p": p,
        "mismatch": mismatch,
        "beyond": pd.NA if beyond is None else beyond,
        "on_systematic": on,
        "n_axis": n_axis,
        "carriers": "P Q R" if kind == "direction" else "",
        "common_ci_high": common_high,
        "n_genes": n_genes,
        "top_genes": "A↑ B↓ C↑ D↑ E↑ F↑",
        "note": note,
    }


def systematic(share=0.57, low=0.49, high=0.64, **other):
    return axis("systematic", share, low, high, kind="direction", **other)


def mt(share=0.18, low=0.15, high=0.2, *, null=0.046, p=0.001, beyond=True, **other):
    return axis("mt", share, low, high, null=null, p=p, beyond=beyond, **other)


def unmeasured(**other):
    return systematic(NAN, NAN, NAN, note=NO_AXIS, **other)


REST = axis("other", 0.5, 0.4, 0.6)
QUIET = mt(0.04, 0.03, 0.05, p=0.6, beyond=False)


def ask(tables, *rows):
    tables["confounding"] = pd.DataFrame([*rows, REST])
    found = verdict_record(confounding_verdict(tables))
    return found, [s["text"] for s in found["sentences"]]


@pytest.mark.parametrize(
    ("rows", "verdict", "start"),
    [
        ([systematic(), QUIET], "yes", "Yes: 57 % [49, 64] of the response lies on one axis"),
        ([systematic(low=0.25), QUIET], "yes", "Yes"),
        (
            [systematic(low=0.24), QUIET],
            "inconclusive",
            "This cannot be told: 57 % [24, 64] of the response lies on the shared",
        ),
        ([systematic(0.1, 0.05, 0.24), QUIET], "no", "No: only 10 % [5.0, 24] of the response lies on one axis"),
        ([systematic(0.1, 0.05, 0.25), QUIET], "inconclusive", "This cannot be told"),
        (
            [systematic(0.1, 0.05, 0.2), mt()],
            "partly",
            "In part: more of the response than random sets of equally expressed genes is carried by mitochondrial genes (18 % [15, 20], random 4.6 %)",
        ),
        (
            [systematic(0.1, 0.05, 0.2), mt(0.4, 0.3, 0.5)],
            "yes",
            "Yes: more of the response than random sets of equally expressed genes is carried by mitochondrial genes (40 % [30, 50], random 4.6 %)",
        ),
        ([unmeasured(), QUIET], "no", "No sign of it: no confounder gene set carries more than random sets"),
        ([unmeasured(), mt()], "partly", "In part: more of the response"),
        (
            [unmeasured(common_high=0.3), QUIET],
            "inconclusive",
            "This cannot be told: the axis that perturbations share",
        ),
        (
            [unmeasured(common_high=NAN), QUIET],
            "inconclusive",
            "This cannot be told: the axis that perturbations share",
        ),
        ([unmeasured(), mt(0.1, 0.0, 0.3, p=0.6, beyond=False)], "inconclusive", "This cannot be told: the axis"),
        ([unmeasured()], "inconclusive", "This cannot be told: the axis"),
    ],
)
def test_verdict_is_of_the_intervals(tables, rows, verdict, start):
    found, _ = ask(tables, *rows)
    assert found["verdict"] == verdict
    assert found["text"].startswith(start)


def test_without_a_response_nothing_can_be_told(tables):
    tables["confounding"] = pd.DataFrame(
        [axis("other", NAN, NAN, NAN), systematic(NAN, NAN, NAN, note="no reproducible response")]
    )
    found = verdict_record(confounding_verdict(tables))
    assert (found["verdict"], found["text"]) == (
        "inconclusive",
        "This cannot be told: the perturbations show no reproducible response.",
    )
    tables["confounding"] = tables["confounding"].iloc[:0]
    assert confounding_verdict(tables).verdict == "inconclusive"


@pytest.mark.parametrize(("row", "called"), [(mt(), True), (mt(beyond=False), False), (mt(beyond=None, p=NAN), False)])
def test_a_set_is_beyond_random_where_its_row_says_so(tables, row, called):
    assert bool(len(beyond_random(pd.DataFrame([row])))) == called
    _, said = ask(tables, row)
    start = "Mitochondrial genes carry 18 % [15, 20] of the response; random"
    assert any(t.startswith(start) for t in said) == called
    assert any("which cannot be told from chance" in t for t in said) == (not called)


def test_mitochondrial_and_ribosomal_genes_are_always_spoken_of(tables):
    _, said = ask(
        tables,
        QUIET,
        axis("ribo", NAN, NAN, NAN, note="no gene is measured", n_genes=0),
        axis("p53", 0.1, 0.05, 0.2, null=0.1, p=0.5),
    )
    assert said == [
        "Mitochondrial genes carry 4.0 % [3.0, 5.0] of the response, no more than chance; random sets of equally expressed "
        "genes 4.6 % (p = 0.600).",
        "What ribosomal genes carry cannot be asked: none is measured.",
    ]


@pytest.mark.parametrize("mismatch", [0.51, NAN])
def test_sets_that_no_random_genes_match_are_not_compared_with_chance(tables, mismatch):
    said = ask(tables, mt(0.01, 0.0, 0.02, null=0.17, beyond=False, mismatch=mismatch))[1]
    assert "Mitochondrial genes carry 1.0 % [0, 2.0] of the response; no random sets can be compared." in said


def test_the_axis_is_described_by_the_sets_in_it(tables):
    made, _ = ask(tables, systematic(), mt(on=0.3), axis("ribo", 0.2, 0.1, 0.3, null=0.2, p=0.9, on=0.05))
    assert made["text"].endswith("one axis that perturbations share, made of mitochondrial genes (30 %).")
    other, said = ask(tables, systematic(), QUIET)
    assert other["text"].endswith("not made of confounder genes but led by A↑, B↓ and C↑.")
    assert "The genes that move most along the shared axis are A↑, B↓, C↑, D↑ and E↑." in said


def test_an_axis_of_few_perturbations_is_called_so(tables):
    few, _ = ask(tables, systematic(n_axis=3.4), QUIET)
    assert few["text"].endswith("; it is in effect the response of 3 perturbations (most of it: P, Q and R).")
    assert "in effect" not in ask(tables, systematic(n_axis=20.0), QUIET)[0]["text"]


def test_no_sentence_rests_on_an_axis_that_is_not_measurable(tables):
    _, said = ask(tables, unmeasured(), QUIET, axis("depth", 0.1, NAN, NAN, kind="direction"))
    assert "Nothing is said of the axis that all perturbations share: no axis is measurable." in said
    assert not any(t.startswith("Sequencing depth") for t in said)


def test_other_regimes_and_single_perturbations_are_not_looked_at(tables):
    found, _ = ask(
        tables, systematic(0.9, 0.8, 1.0, regime="regressed"), systematic(0.9, 0.8, 1.0, level="perturbation"), QUIET
    )
    assert found["verdict"] == "inconclusive"
