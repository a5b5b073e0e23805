"""What may be said of the axes, each sentence in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import verdict_record
from scpertbias._report.verdicts.confounding import beyond_random, confounding_verdict

NAN = float("nan")
ROUGH = "approximate interval: 25 perturbations, 5 effective"
WEAK = "weak axis: its share may be up to 0.06 too high"


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
    n_effective=56.0,
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
        "on_systematic": on,
        "n_effective": n_effective,
        "n_genes": n_genes,
        "top_genes": "A↑ B↓ C↑ D↑ E↑ F↑",
        "note": note,
    }


def systematic(share=0.57, low=0.49, high=0.64, **other):
    return axis("systematic", share, low, high, kind="direction", **other)


def mt(share=0.18, low=0.15, high=0.2, *, null=0.046, p=0.001, **other):
    return axis("mt", share, low, high, null=null, p=p, **other)


REST = axis("other", 0.5, 0.4, 0.6)
QUIET = mt(0.04, 0.03, 0.05, p=0.6)


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
        ([systematic(note=WEAK), QUIET], "no", "No sign of it: no confounder gene set carries more than random sets"),
        ([systematic(note=WEAK), mt()], "partly", "In part: more of the response"),
        ([systematic(NAN, NAN, NAN, note="no reproducible axis"), QUIET], "no", "No sign of it"),
        (
            [systematic(note=WEAK), mt(0.1, 0.0, 0.3, p=0.6)],
            "inconclusive",
            "This cannot be told: the axis that perturbations share",
        ),
        ([systematic(note=WEAK)], "inconclusive", "This cannot be told: the axis"),
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


@pytest.mark.parametrize(
    ("row", "called"),
    [
        (mt(), True),
        (mt(p=0.06), False),
        (mt(p=NAN), False),
        (mt(low=NAN, high=NAN), False),
        (mt(low=0.04), False),
    ],
)
def test_a_set_is_beyond_random_by_p_and_by_its_interval(tables, row, called):
    assert bool(len(beyond_random(pd.DataFrame([row])))) == called
    _, said = ask(tables, row)
    assert any(t.startswith("Mitochondrial genes carry 18 % [15, 20] of the response; random") for t in said) == called
    assert any("which cannot be told from chance" in t for t in said) == (not called and row["ci_low"] > 0)


def test_p_is_adjusted_for_the_number_of_sets():
    sets = pd.DataFrame(
        [mt(p=0.02), axis("ribo", 0.1, 0.05, 0.2, null=0.1, p=0.5), axis("p53", 0.1, 0.05, 0.2, null=0.1, p=0.5)]
    )
    assert beyond_random(sets).empty
    assert len(beyond_random(sets.iloc[:2])) == 1


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


def test_the_axis_is_described_by_the_sets_in_it(tables):
    made, _ = ask(tables, systematic(), mt(on=0.3), axis("ribo", 0.2, 0.1, 0.3, null=0.2, p=0.9, on=0.05))
    assert made["text"].endswith("one axis that perturbations share, made of mitochondrial genes (30 %).")
    other, said = ask(tables, systematic(), QUIET)
    assert other["text"].endswith("not made of confounder genes but led by A↑, B↓ and C↑.")
    assert "The genes that move most along the shared axis are A↑, B↓, C↑, D↑ and E↑." in said


def test_an_axis_of_few_perturbations_is_called_so(tables):
    few, _ = ask(tables, systematic(n_effective=5.4), QUIET)
    assert few["text"].endswith("; it is in effect the response of 5 perturbations.")
    assert "in effect" not in ask(tables, systematic(n_effective=20.0), QUIET)[0]["text"]


def test_no_sentence_rests_on_a_weak_axis(tables):
    _, said = ask(tables, systematic(note=WEAK), QUIET, axis("depth", 0.1, 0.05, 0.15, kind="direction", note=WEAK))
    assert (
        "Nothing is said of the axis that all perturbations share: weak axis: its share may be up to 0.06 too high."
        in said
    )
    assert "57" not in " ".join(said)
    assert not any(t.startswith("Sequencing depth") for t in said)
    _, said = ask(tables, systematic(), QUIET, axis("depth", 0.1, 0.05, 0.15, kind="direction"))
    assert "Sequencing depth carries 10 % [5.0, 15] of the response." in said


@pytest.mark.parametrize(("note", "rough"), [("", False), (ROUGH, True)])
def test_an_approximate_interval_is_called_so(tables, note, rough):
    found, said = ask(
        tables, systematic(note=note), mt(note=note), axis("depth", 0.1, 0.05, 0.15, kind="direction", note=note)
    )
    assert ("(approximate interval)" in found["text"]) == rough
    about = [t for t in said if "carry" in t or "carries" in t]
    assert len(about) == 2
    assert all(("approximate interval" in t) == rough for t in about)


def test_other_regimes_and_single_perturbations_are_not_looked_at(tables):
    found, _ = ask(
        tables, systematic(0.9, 0.8, 1.0, regime="regressed"), systematic(0.9, 0.8, 1.0, level="perturbation"), QUIET
    )
    assert found["verdict"] == "inconclusive"
