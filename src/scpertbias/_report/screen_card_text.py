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
    screen, provenance = card["screen"], card["provenance"]
    detected = {kind: n for kind, n in card["perturbations"].items() if kind not in ("not detected", "too few cells")}
    lines = [
        f"# Data card: {card['title']}",
        "",
        f"{count(screen['n_cells'])} cells ({count(screen['n_left_out'])} left out), {count(screen['n_genes'])} genes, "
        f"{count(screen['n_perturbations'])} perturbations, {count(screen['n_batches'])} "
        f"{'batch' if screen['n_batches'] == 1 else 'batches'}. Effects of {count(sum(detected.values()))} were "
        "detected.",
        "",
        "## Verdicts",
        "",
        *(f"- **{answer['question']}** {answer['text']}" for answer in card["answers"]),
        *(f"- **Caution.** {text}" for text in card["cautions"]),
        "",
        "## Mitochondrial, ribosomal and other gene sets",
        "",
        "Share of the squared response of this screen, with its 95% interval. The null is the share of random genes of the "
        "same expression. Of the Hallmark sets those beyond their null are listed; datacard.json holds all.",
        "",
        *_table(
            ("set", "genes", "perturbed genes", "share of the response", "null", "p"),
            [
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
            ],
        ),
        "",
        *[
            f"Shared axis: {_share(row)} of the response lies on one axis that perturbations share."
            for row in card["shared_axis"]
            if known(row["share"])
        ],
        "",
        "## What each regime removes",
        "",
        *_table(
            (
                "regime",
                "genes left",
                "genes removed",
                "share of the response removed",
                "perturbations of removed genes",
            ),
            [_regime_row(regime) for regime in card["regimes"]],
        ),
        *(f"\n{row['regime']} is left out: {row['reason']}." for row in card["regimes_left_out"]),
        "",
        "A perturbation of a removed gene loses its meaning in that regime: its own gene is not measured there.",
        "",
        "## Perturbations",
        "",
        *_table(("kind", "perturbations"), [(kind, count(n)) for kind, n in card["perturbations"].items()]),
        "",
        "## Balance",
        "",
        "Share of the response that could come from an uneven mix of the levels of a column.",
        "",
        *_table(
            ("column", "levels", "share", "p", "note"),
            [
                (row["column"], count(row["n_levels"] or None), percent(row["share"]), p_value(row["p"]), row["status"])
                for row in card["balance"]
            ],
        ),
        "",
        "## Provenance",
        "",
        *_provenance(provenance),
        *(f"- {note}" for note in card["notes"]),
        "",
    ]
    if card["files"]:
        rows = [(f["file"], count(f["n_cells"]), count(f["n_genes"]), f["sha256"]) for f in card["files"]]
        lines += ["## Files", "", *_table(("file", "cells", "genes", "sha256"), rows), ""]
    return "\n".join(lines)


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
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return regime["regime"], *genes, _share(regime), shown or "none"


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
