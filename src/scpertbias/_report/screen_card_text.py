"""The data card of a screen as people read it, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._keys import REGRESSED
from .numbers import count, known, p_value, percent, percent_interval

HALLMARK = "HALLMARK_"
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
        "What each regime removes": _regimes(card),
        "Perturbations": _table(
            ("kind", "perturbations"), [(kind, count(n)) for kind, n in card["perturbations"].items()]
        ),
        "Balance": _balance(card),
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
    detected = sum(n for kind, n in card["perturbations"].items() if kind not in ("not detected", "too few cells"))
    batches = f"{count(screen['n_batches'])} {'batch' if screen['n_batches'] == 1 else 'batches'}"
    return (
        f"{count(screen['n_cells'])} cells ({count(screen['n_left_out'])} left out), {count(screen['n_genes'])} genes, "
        f"{count(screen['n_perturbations'])} perturbations, {batches}. Effects of {count(detected)} were detected."
    )


def _gene_sets(card: Mapping[str, Any]) -> list[str]:
    """Return the shares of gene sets; of the many Hallmark sets those beyond their null."""
    rows = [
        (
            row["axis"],
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
        "Share of the squared response of this screen, with its 95% interval. The null is the share of random genes of the "
        "same expression. Of the Hallmark sets those beyond their null are listed; datacard.json holds all.",
        "",
        *_table(("set", "genes", "perturbed genes", "share of the response", "null", "p"), rows),
        *(f"\nShared axis: {axis} of the response lies on one axis that perturbations share." for axis in axes),
    ]


def _regimes(card: Mapping[str, Any]) -> list[str]:
    header = (
        "regime",
        "genes left",
        "genes removed",
        "share of the response removed",
        "perturbations of removed genes",
    )
    return [
        *_table(header, [_regime_row(regime) for regime in card["regimes"]]),
        *(f"\n{row['regime']} is left out: {row['reason']}." for row in card["regimes_left_out"]),
        "",
        "A perturbation of a removed gene loses its meaning in that regime: its own gene is not measured there.",
    ]


def _balance(card: Mapping[str, Any]) -> list[str]:
    rows = [
        (row["column"], count(row["n_levels"] or None), percent(row["share"]), p_value(row["p"]), row["status"])
        for row in card["balance"]
    ]
    about = "Share of the response that could come from an uneven mix of the levels of a column."
    return [about, "", *_table(("column", "levels", "share", "p", "note"), rows)]


def _share(row: Mapping[str, Any]) -> str:
    if not known(row["share"]):
        return percent(None)
    if not known(row["ci_low"], row["ci_high"]):
        return percent(row["share"])
    return f"{percent(row['share'])} ({percent_interval(row['ci_low'], row['ci_high'])})"


def _regime_row(regime: Mapping[str, Any]) -> tuple[str, ...]:
    genes = count(regime["n_genes"]), count(regime["n_removed"])
    if regime["regime"] == REGRESSED:
        return regime["regime"], *genes, f"regressed out: {', '.join(regime['covariates'])}", "none"
    names = regime["perturbations_of_removed_genes"]
    listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return regime["regime"], *genes, _share(regime), listed or "none"


def _provenance(provenance: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    facts = {
        "File": provenance["input"],
        "sha256": provenance["sha256"],
        "Made": provenance["created"],
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
