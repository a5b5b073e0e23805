from scpertbias._report.screen_card_text import as_markdown

CARD = {
    "title": "Small",
    "screen": {"n_cells": 100, "n_left_out": 2, "n_genes": 9, "n_perturbations": 3, "n_batches": 1},
    "answers": [{"question": "Q?", "verdict": "no", "text": "No."}],
    "cautions": ["Few cells."],
    "gene_sets": [
        {"axis": "mt", "set_class": "technical", "n_genes": 2, "n_target": 0, "share": 0.31, "ci_low": 0.2, "ci_high": 0.4, "null": 0.1, "p": 0.004, "beyond": True},
        {"axis": "HALLMARK_A", "set_class": "program", "n_genes": 2, "n_target": 0, "share": 0.3, "ci_low": None, "ci_high": None, "null": None, "p": None, "beyond": False},
    ],
    "shared_axis": [{"share": None, "ci_low": None, "ci_high": None}],
    "regimes": [
        {"regime": "no_mt", "n_genes": 7, "n_removed": 2, "share": 0.31, "ci_low": None, "ci_high": None, "perturbations_of_removed_genes": [f"G{i}" for i in range(14)]},
        {"regime": "regressed", "n_genes": 9, "n_removed": 0, "covariates": ["a|b"]},
    ],
    "regimes_left_out": [{"regime": "no_mt_ribo", "reason": "no ribosomal gene is measured"}],
    "perturbations": {"specific": 1, "not detected": 1, "target gene only": 1},
    "balance": [],
    "notes": ["A note."],
    "provenance": {"input": None, "sha256": None, "created": None, "command": None, "seed": 0, "versions": {"python": "3"}},
    "files": [],
}  # fmt: skip


def test_lines():
    text = as_markdown(CARD)
    for line in (
        "100 cells (2 left out), 9 genes, 3 perturbations, 1 batch. An effect was detected for 1 perturbation.",
        "- **Caution.** Few cells.",
        "| mitochondrial genes | 2 | 0 | 31% (20–40) | 10% | 0.004 |",
        "| no_mt (without mitochondrial genes) | 7 | 2 | 31% | G0, G1, G2, G3, G4, G5, G6, G7, G8, G9, G10, G11 and 2 more |",
        "| regressed (with a\\|b regressed out) | 9 | 0 | – | none |",
        "The regime no_mt_ribo was left out. Reason: no ribosomal gene is measured.",
        "- Seed: 0",
        "- A note.",
    ):
        assert line in text.splitlines()
    assert "HALLMARK_A" not in text
    assert "One axis that perturbations share" not in text
    assert "## Files" not in text
