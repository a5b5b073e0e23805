"""Is the response shared? The rules of METRICS 9 (a), each in both directions, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import verdict_record
from scpertbias._report.verdicts.shared import shared_verdict

NAN = float("nan")


def row(axis, share, low, high, *, kind="genes", level="screen", n_axis=56.0, common=(0.1, 0.05, 0.2), **other):
    shared = dict(zip(("common", "common_ci_low", "common_ci_high"), common, strict=True))
    return {
        "axis": axis, "kind": kind, "regime": "full", "level": level, "perturbation": "", "share": share, "ci_low": low,
        "ci_high": high, "n_axis": n_axis, "carriers": "P Q R" if kind == "direction" else "", "n_effective": 60.0,
        "set_class": "", "part_of": "", "beyond": pd.NA, "on_systematic": 0.0, "top_genes": "A↑ B↓ C↑ D↑ E↑ F↑", **shared,
        **other,
    }  # fmt: skip


def axis(share=0.57, low=0.49, high=0.64, **other):
    return row("systematic", share, low, high, kind="direction", **other)


def ask(tables, *rows, n=100, response=0.9):
    single = [{**axis(), "level": "perturbation", "perturbation": f"P{i}"} for i in range(n)]
    tables["confounding"] = pd.DataFrame([*rows, row("other", response, 0.8, 0.95), *single])
    made = verdict_record(shared_verdict(tables))
    return made, {s["kind"]: s["text"] for s in made["sentences"]}


@pytest.mark.parametrize(
    ("given", "verdict", "kind"),
    [
        (axis(), "yes", "axis_of_some"),
        (axis(low=0.25), "yes", "axis_of_some"),
        (axis(low=0.24), "partly", "axis_in_part"),
        (axis(low=0.10), "partly", "axis_in_part"),
        (axis(low=0.09), "inconclusive", "wide_interval"),
        (axis(0.1, 0.05, 0.24), "no", "small_axis"),
        (axis(0.15, 0.12, 0.24), "no", "small_axis"),
        (axis(0.1, 0.05, 0.25), "inconclusive", "wide_interval"),
        (axis(n_axis=24.9), "yes", "axis_of_few"),
        (axis(n_axis=25.0), "yes", "axis_of_some"),
        (axis(common=(0.4, 0.25, 0.5)), "yes", "axis_of_all"),
        (axis(common=(0.4, 0.25, 0.5), n_axis=10.0), "yes", "axis_of_all"),
        (axis(common=(0.4, 0.24, 0.5)), "yes", "axis_of_some"),
        (axis(NAN, NAN, NAN, common=(0.1, 0.0, 0.24)), "no", "no_axis"),
        (axis(NAN, NAN, NAN, common=(0.1, 0.0, 0.25)), "inconclusive", "axis_not_measurable"),
        (axis(NAN, NAN, NAN, common=(NAN, NAN, NAN)), "inconclusive", "axis_not_measurable"),
    ],
)
def test_verdict_is_of_the_intervals(tables, given, verdict, kind):
    made, _ = ask(tables, given)
    assert (made["verdict"], made["kind"]) == (verdict, kind)


def test_without_a_response_nothing_is_shared(tables):
    made, said = ask(tables, axis(NAN, NAN, NAN), response=NAN)
    assert (made["verdict"], made["kind"], said) == ("inconclusive", "no_response", {})
    tables["confounding"] = tables["confounding"].iloc[:0]
    assert shared_verdict(tables).kind == "not_computed"


def test_the_sentence_names_share_and_contributors(tables):
    made, said = ask(tables, axis(n_axis=3.4), n=25)
    assert made["text"] == (
        "Yes, by a few. One axis accounts for 57% (95% CI 49–64) of the response. These perturbations (3 of 25) "
        "together contribute at least 80% of this axis: P, Q and R. Judge models by specific skill, which ignores this axis."
    )
    assert said["axis_genes"] == "The genes that change most along the shared axis are A↑, B↓, C↑, D↑ and E↑."
    assert "approximate" in said["common_shift"]
    assert "approximate" not in ask(tables, axis(), n=60)[1]["common_shift"]


def test_sets_in_the_axis_are_named_unless_they_are_small_or_stand_for_nothing(tables):
    sets = [
        row("mt", 0.2, 0.1, 0.3, on_systematic=0.3),
        row("ribo", 0.2, 0.1, 0.3, on_systematic=0.09),
        row("HALLMARK_HYPOXIA", 0.2, 0.1, 0.3, on_systematic=0.5),
    ]
    _, said = ask(tables, axis(), *sets)
    assert said["axis_of_sets"] == "One gene set accounts for a part of the shared axis: mitochondrial genes (30%)."
    most = row("HALLMARK_COMPLEMENT", 0.2, 0.1, 0.3, on_systematic=0.77, beyond=True)
    assert ask(tables, axis(), *sets, most)[1]["axis_of_sets"] == (
        "Each of these gene sets alone accounts for a part of the shared axis (sets can overlap): Hallmark complement (77%) and "
        "mitochondrial genes (30%)."
    )
    assert ask(tables, axis(), most)[1]["axis_of_sets"].startswith(
        "One gene set accounts for a part of the shared axis: Hallmark"
    )
    assert "axis_of_sets" not in ask(tables, axis(), sets[1])[1]
    assert "axis_of_sets" not in ask(tables, axis(NAN, NAN, NAN), *sets)[1]
