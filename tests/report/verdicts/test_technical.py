"""Is the response technical? The rules of METRICS 9 (b), the first that holds, on tables made by hand."""

import pandas as pd
import pytest

from scpertbias._report.content import verdict_record
from scpertbias._report.verdicts.technical import technical_verdict

NAN = float("nan")
PROGRAM = "HALLMARK_INTERFERON_GAMMA_RESPONSE"


def row(axis, share=0.1, low=0.05, high=0.2, *, set_class="technical", beyond=False, n_genes=13, null=0.04, **other):
    return {
        "axis": axis, "kind": "genes", "regime": "full", "level": "screen", "share": share, "ci_low": low, "ci_high": high,
        "set_class": set_class, "beyond": beyond, "part_of": "", "null": null, "p": 0.0005 if beyond else 0.6,
        "n_genes": n_genes, **other,
    }  # fmt: skip


def program(share=0.67, low=0.65, high=0.7, axis=PROGRAM, **other):
    return row(axis, share, low, high, set_class="program", **{"beyond": True, **other})


def column(status="balanced", share=0.0, *, name="lot", kind="column", p=0.5, untested=0.0, **other):
    return {
        "column": name, "regime": "full", "kind": kind, "n_levels": 3, "share": share, "null": 0.01, "p": p,
        "untested": untested, "outcome": False, "status": status, "within": "", "note": "", **other,
    }  # fmt: skip


def depth(share=0.15, p=0.001, kind="depth"):
    return column("noted", share, name=kind, kind=kind, p=p)


REST = row("other", 0.9, 0.8, 0.95, set_class="", beyond=None)
MT, BATCH = row("mt"), column("confounded", 0.9, p=0.003)


def ask(tables, *rows, balance=(column(),), rest=REST):
    tables["confounding"] = pd.DataFrame([*rows, rest]).astype({"beyond": "boolean"})
    if balance:
        tables["balance"] = pd.DataFrame(balance)
    made = verdict_record(technical_verdict(tables))
    return made, [s["text"] for s in made["sentences"]]


@pytest.mark.parametrize(
    ("rows", "balance", "verdict", "kind"),
    [
        ([MT], [column()], "no", "no_sign"),
        ([row("mt", 0.4, 0.3, 0.5, beyond=True), program()], [BATCH], "yes", "batch"),
        ([row("mt", 0.4, 0.25, 0.5, beyond=True)], [column()], "yes", "technical_sets"),
        ([row("mt", 0.4, 0.24, 0.5, beyond=True)], [column()], "partly", "technical_sets_in_part"),
        ([row("mt", 0.03, 0.02, 0.04, beyond=True)], [column()], "no", "no_sign"),
        ([MT, program()], [column(), depth()], "partly", "depth"),
        ([MT, program()], [column(), depth(share=0.09)], "no", "program"),
        ([MT, program()], [column(), depth(p=0.02)], "no", "program"),
        ([MT, program()], [column(), depth(kind="mt_percent")], "no", "program"),
        ([MT, program()], [column("adopted", 0.9, p=0.003)], "no", "program"),
        ([MT, program(beyond=False)], [column()], "no", "no_sign"),
        ([MT, program(0.02, 0.01, 0.03)], [column()], "no", "no_sign"),
        ([row("mt", 0.3, 0.2, 0.25)], [column()], "inconclusive", "large_sets"),
        ([row("mt", n_genes=4)], [column()], "inconclusive", "not_tested"),
        ([MT], [], "inconclusive", "not_tested"),
        ([MT], [column("outcome", 0.5, p=0.001)], "inconclusive", "not_tested"),
        ([MT], [column("cannot be separated", NAN, p=NAN)], "inconclusive", "not_tested"),
        ([MT], [column("noted", 0.05, p=0.001)], "no", "no_sign"),
    ],
)
def test_the_first_rule_that_holds(tables, rows, balance, verdict, kind):
    made, _ = ask(tables, *rows, balance=balance)
    assert (made["verdict"], made["kind"]) == (verdict, kind)


def test_without_a_response_nothing_is_technical(tables):
    assert ask(tables, MT, rest={**REST, "share": NAN})[0]["kind"] == "no_response"
    tables["confounding"] = tables["confounding"].iloc[:0]
    assert technical_verdict(tables).kind == "not_computed"


def test_sentences_have_numbers_and_say_what_to_do(tables):
    assert ask(tables, MT, balance=[BATCH])[0]["text"] == (
        "Yes, batch. Different proportions of the levels of lot in perturbed and control cells account for 90% of the response "
        "(the share expected by chance is already subtracted; p = 0.003). Repeat the audit with lot as the batch column."
    )
    sets = [row("mt", 0.4, 0.3, 0.5, beyond=True), row("ribo", 0.2, 0.1, 0.3, beyond=True)]
    assert ask(tables, *sets)[0]["text"] == (
        "Yes. Mitochondrial genes account for 40% (95% CI 30–50) of the response; random genes of similar expression account for "
        "4.0%. Ribosomal genes also account for significantly more of the response than random genes do. Retrain models without mitochondrial and ribosomal "
        "genes, and compare the scores."
    )
    assert ask(tables, row("mt", n_genes=0), balance=[column("outcome")])[0]["text"] == (
        "Inconclusive. No technical gene set has enough measured genes. No batch column could be tested for balance. "
        "Add mitochondrial or ribosomal genes and a batch column to the input."
    )


def test_without_a_batch_column_it_is_said_what_was_tested(tables):
    quality = [{**column("balanced", 0.02), "column": kind, "kind": kind} for kind in ("depth", "mt_percent")]
    for rows, said in (
        (quality, "; only sequencing depth and mitochondrial counts were tested. Add a batch"),
        (quality[:1], "; only sequencing depth was tested. Add a batch"),
        ([{**quality[0], "p": NAN}], ". Add a batch"),
    ):
        text = ask(tables, MT, balance=rows)[0]["text"]
        assert text.startswith(f"Inconclusive. No batch column could be tested for balance{said} column")


def test_a_program_is_named_once_and_those_that_it_stands_for_not_at_all(tables):
    rows = [program(), program(0.6, 0.5, 0.7, "HALLMARK_COMPLEMENT", part_of=PROGRAM), program(0.3, 0.2, 0.4, "mine")]
    made, said = ask(tables, *rows)
    assert made["text"].startswith(
        "No. Genes of the set Hallmark interferon gamma response account for 67% (95% CI 65–70)"
    )
    assert made["text"].endswith("This gene set is a biological program, so keep its genes in the data.")
    assert said[-1] == (
        "The biological program mine (30%, 95% CI 20–40) accounts for significantly more of the response than random genes of "
        "similar expression do."
    )


def test_mitochondrial_and_ribosomal_genes_are_always_spoken_of(tables):
    _, said = ask(tables, MT, row("ribo", NAN, NAN, NAN, n_genes=0), row("histone"))
    assert said == [
        "This column is balanced between perturbations and control: lot.",
        "Mitochondrial genes account for 10% (95% CI 5.0–20) of the response; random genes of similar expression account for 4.0% "
        "(difference not significant, p = 0.60).",
        "Ribosomal genes were not assessed, because none are measured.",
    ]
    assert not [t for t in ask(tables, row("mt", null=NAN))[1] if "random" in t]
    below = ask(tables, row("mt", 0.01, 0.007, 0.02, null=0.17))[1][1]
    assert below == (
        "Mitochondrial genes account for 1.0% (95% CI 0.7–2.0) of the response; random genes of similar expression account for "
        "17%."
    )


@pytest.mark.parametrize(
    ("given", "start"),
    [
        (
            column("adopted", 0.9, p=0.003),
            "Each perturbed cell is compared with control cells of the same level of lot. Without this correction, different proportions of",
        ),
        (
            column("outcome", 0.3, p=0.003),
            "Different proportions of the levels of lot in perturbed and control cells account for 30% of the response (p = 0.003). The audit does not correct",
        ),
        (depth(), "Sequencing depth differs between perturbations and accounts for 15%"),
        (depth(kind="mt_percent"), "The percentage of mitochondrial counts differs"),
    ],
)
def test_columns_and_quality_are_spoken_of(tables, given, start):
    assert any(t.startswith(start) for t in ask(tables, MT, balance=[given])[1])
    quiet = {**given, "p": 0.5, "status": "balanced"}
    assert not any(t.startswith(start) for t in ask(tables, MT, balance=[quiet])[1])
