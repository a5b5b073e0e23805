"""The data card of a screen as people read it, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._keys import REGRESSED
from .numbers import GAP, count, known, p_value, percent, percent_interval
from .wording.terms import axis_name, without

HALLMARK = "HALLMARK_"
UNDETECTED = ("not detected", "target gene only", "too few cells")
"""Categories without a detected effect apart from that on the target gene."""
SHOWN = 12
"""Names of perturbations that a table lists."""


def as_markdown(card: Mapping[str, Any]) -> str:
    """Return the card as people read it."""
    rows_of_files = [(f["file"], count(f["n_cells"]), count(f["n_genes"]), f["sha256"]) for f in card["files"]]
    sections = {
        "": [f"# Data card: {card['title']}", "", _size(card)],
        "Verdicts": [
            *(f"- **{answer['question']}** {answer['text']}" for answer in card["answers"]),
            *(f"- **Caution.** {text}" for text in card["cautions"]),
        ],
        "Mitochondrial, ribosomal and other gene sets": _gene_sets(card),
        "Genes that each feature regime removes": _regimes(card),
        "Perturbations": _table(
            ("category", "perturbations"), [(kind, count(n)) for kind, n in card["perturbations"].items()]
        ),
        "Balance of batches and other columns": _balance(card),
        "Provenance": [*_provenance(card["provenance"]), *(f"- {note}" for note in card["notes"])],
        "Files": _table(("file", "cells", "genes", "sha256"), rows_of_files) if rows_of_files else [],
    }
    lines: list[str] = []
    for title, section in sections.items():
        if section:
            lines += [*([f"## {title}", ""] if title else []), *section, ""]
    return "\n".join(lines)


def _size(card: Mapping[str, Any]) -> str:
    """Say how large the screen is."""
    screen = card["screen"]
    detected = sum(n for kind, n in card["perturbations"].items() if kind not in UNDETECTED)
    batches = f"{count(screen['n_batches'])} {'batch' if screen['n_batches'] == 1 else 'batches'}"
    return (
        f"{count(screen['n_cells'])} cells ({count(screen['n_left_out'])} left out), {count(screen['n_genes'])} genes, "
        f"{count(screen['n_perturbations'])} perturbations, {batches}. An effect was detected for {count(detected)} {'perturbation' if detected == 1 else 'perturbations'}."
    )


def _gene_sets(card: Mapping[str, Any]) -> list[str]:
    """Return the shares of gene sets; of the many Hallmark sets those beyond their null."""
    rows = [
        (
            axis_name(row["axis"]),
            count(row["n_genes"]),
            count(row["n_target"]),
            _share(row),
            percent(row["null"]),
            p_value(row["p"]),
        )
        for row in card["gene_sets"]
        if row["set_class"] == "technical" or not row["axis"].startswith(HALLMARK) or row["beyond"] is True
    ]
    axes = [_share(row) for row in card["shared_axis"] if known(row["share"])]
    return [
        "The response is the sum of the squared effects of all perturbations, corrected for noise. The table lists the share of "
        "the response accounted for by each gene set (95% CI), and the share of random genes of similar expression. Hallmark sets are listed "
        "only if their share is significantly larger than that of random genes; datacard.json lists all sets.",
        "",
        *_table(
            (
                "set",
                "genes",
                "perturbations that target the set",
                "share of the response (95% CI)",
                "random genes",
                "p",
            ),
            rows,
        ),
        *(f"\nOne axis that perturbations share accounts for {axis} of the response." for axis in axes),
    ]


def _regimes(card: Mapping[str, Any]) -> list[str]:
    header = (
        "regime",
        "genes left",
        "genes removed",
        "share of the response on removed genes",
        "perturbations that target removed genes",
    )
    return [
        *_table(header, [_regime_row(regime) for regime in card["regimes"]]),
        *(f"\nThe regime {row['regime']} was left out. Reason: {row['reason']}." for row in card["regimes_left_out"]),
        "",
        "If a regime removes the target gene of a perturbation, the target gene is not measured in this regime. Do not use the "
        "regime for this perturbation.",
    ]


def _balance(card: Mapping[str, Any]) -> list[str]:
    rows = [
        (row["column"], count(row["n_levels"] or None), percent(row["share"]), p_value(row["p"]), row["status"])
        for row in card["balance"]
    ]
    about = (
        "The table lists the share of the response accounted for by a column, because the proportions of its levels differ "
        "between perturbed and control cells."
    )
    return [about, "", *_table(("column", "levels", "share of the response", "p", "status"), rows)]


def _share(row: Mapping[str, Any]) -> str:
    if not known(row["share"]):
        return percent(None)
    if not known(row["ci_low"], row["ci_high"]):
        return percent(row["share"])
    return f"{percent(row['share'])} ({percent_interval(row['ci_low'], row['ci_high'])})"


def _regime_row(regime: Mapping[str, Any]) -> tuple[str, ...]:
    genes = count(regime["n_genes"]), count(regime["n_removed"])
    if regime["regime"] == REGRESSED:
        return f"{REGRESSED} (with {', '.join(regime['covariates'])} regressed out)", *genes, GAP, "none"
    names = regime["perturbations_of_removed_genes"]
    listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return f"{regime['regime']} ({without(regime['regime'])})", *genes, _share(regime), listed or "none"


def _provenance(provenance: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    facts = {
        "File": provenance["input"],
        "sha256": provenance["sha256"],
        "Created": provenance["created"],
        "Command": None if provenance["command"] is None else f"`{provenance['command']}`",
        "Seed": provenance["seed"],
        "Versions": versions,
    }
    return [f"- {name}: {value}" for name, value in facts.items() if value is not None]


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    """Return a table in Markdown."""
    if not rows:
        return ["None."]
    cells = [[str(value).replace("|", "\\|") for value in row] for row in (header, ["---"] * len(header), *rows)]
    return [f"| {' | '.join(row)} |" for row in cells]
