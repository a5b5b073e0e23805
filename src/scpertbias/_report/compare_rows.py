"""What several audits have in common: rows of one forest plot, pairs of models, and what cannot be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from .._tables import TABLES
from ..tl._comparison import comparison_table
from ..tl._gene_sets import MIN_SET
from .numbers import GAP, count, known, listed, percent, percent_interval
from .verdicts.scorecard import Standing
from .wording.terms import axis_name

READ = ("summary", "confounding", "perturbations", "specificity")
SYSTEMATIC = "systematic"
SKILLS = (
    ("Skill", "skill", "ci_low", "ci_high"),
    ("Specific skill", "specific_skill", "specific_ci_low", "specific_ci_high"),
)
PAIRED = ("l2_ratio",)
ALL = "all"
"""What is the same in all audits of one screen is one row."""
SAME_SHARE, SAME_BASELINE = 1e-9, 1e-4
"""Differences up to which shares, and relative ones up to which mean baselines, are the same."""


@dataclass(frozen=True)
class ComparedAudit:
    """One of the audits: its name on the page, what its file holds, and the tables that are compared."""

    name: str
    contents: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]

    @property
    def card(self) -> pd.DataFrame:
        """The scorecard of its models; without any it has no rows."""
        return self.tables["scorecard"]

    @property
    def provenance(self) -> Mapping[str, Any]:
        """How it was made."""
        return dict(self.contents["provenance"])


def audit_of(name: str, contents: Mapping[str, Any]) -> ComparedAudit:
    """Return an audit with its tables; one that the file lacks is empty."""
    tables = {table: _frame(table, contents["tables"].get(table, [])) for table in READ}
    tables["drawn"] = _frame("scores", contents["drawn"])
    tables["scorecard"] = pd.DataFrame(contents["scorecard"])
    return ComparedAudit(name, contents, tables)


def _frame(name: str, records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a table with the types that are declared."""
    columns = [c for c in TABLES[name].in_audit() if not records or c.name in records[0]]
    frame = pd.DataFrame(records, columns=[c.name for c in columns])
    return frame.astype({c.name: "object" if c.dtype == "str" else c.dtype for c in columns})


def overview(audits: Sequence[ComparedAudit]) -> list[tuple[str, list[str]]]:
    """Return what each audit is of, one line per fact."""

    def of(key: str) -> list[str]:
        return [_text(audit.provenance["parameters"].get(key)) for audit in audits]

    kinds = [audit.tables["perturbations"]["kind"].value_counts() for audit in audits]
    lines = [
        ("title", [str(audit.contents["title"]) for audit in audits]),
        ("cells", [count(audit.provenance.get("n_cells")) for audit in audits]),
        ("genes", [count(audit.provenance["genes"].get("full")) for audit in audits]),
        ("perturbations", [count(len(audit.tables["perturbations"])) for audit in audits]),
        *(
            (f"perturbations: {kind}", [str(n.get(kind, 0)) for n in kinds])
            for kind in TABLES["perturbations"].pick("kind")[0].values
            if any(n.get(kind, 0) for n in kinds)
        ),
        ("models", [", ".join(audit.card["model"]) if len(audit.card) else "none" for audit in audits]),
        ("batches", of("batch_key")),
        ("folds", of("n_folds")),
        ("created", [_text(audit.provenance.get("created")) for audit in audits]),
        ("version", [_text(audit.provenance["versions"].get("scpertbias")) for audit in audits]),
        ("command", [_text(audit.provenance.get("command")) for audit in audits]),
    ]
    return [(label, values) for label, values in lines if set(values) != {GAP}]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or GAP
    return GAP if value is None else str(value)


def same_screen(a: ComparedAudit, b: ComparedAudit) -> bool:
    """Whether two audits are of the same cells: the same perturbations with the same number of cells, and as many cells."""
    cells = [audit.tables["perturbations"].set_index("perturbation")["n_cells"].sort_index() for audit in (a, b)]
    return (
        len(cells[0]) > 0 and cells[0].equals(cells[1]) and a.provenance.get("n_cells") == b.provenance.get("n_cells")
    )


def forest(audits: Sequence[ComparedAudit]) -> tuple[pd.DataFrame, list[str]]:
    """Return shares and skills of all audits, and sentences on those that are not compared."""
    rows: list[dict[str, Any]] = []
    unmeasured: dict[str, list[str]] = {}
    left_out: list[str] = []
    for axis in _axes(audits):
        own, what = [], axis_name(axis)
        for audit in audits:
            row = _of_screen(audit).reindex([axis]).iloc[0]
            if axis != SYSTEMATIC and row["n_genes"] < MIN_SET:
                unmeasured.setdefault(audit.name, []).append(f"{what} ({int(row['n_genes'])})")
            elif not known(row["share"], row["ci_low"], row["ci_high"]):
                why = row["note"] if isinstance(row["note"], str) and row["note"] else "no interval could be computed"
                left_out.append(f"The share of {audit.name} on {what} is not compared. Reason: {why}.")
            else:
                own.append(_share(audit, axis, row))
        same = len(own) > 1 and np.ptp([row["estimate"] for row in own]) < SAME_SHARE
        if same and _one_screen(audits):
            own = [{**own[0], "audit": ALL}]
        rows += own if len(own) > 1 or same or axis == SYSTEMATIC else []
    left_out += [
        f"Shares of {name} on these gene sets are not compared, because fewer than {MIN_SET} genes of each set are measured "
        f"(number of measured genes in parentheses): {listed(sets)}."
        for name, sets in unmeasured.items()
    ]
    left_out += [text for audit in audits for text in _models_left_out(audit)]
    skills = [row for audit in audits for row in _skills(audit)]
    return pd.DataFrame([*rows, *sorted(skills, key=lambda row: (row["of_skill"], row["group"]))]), left_out


def _one_screen(audits: Sequence[ComparedAudit]) -> bool:
    return all(same_screen(audits[0], audit) for audit in audits[1:])


def _axes(audits: Sequence[ComparedAudit]) -> list[str]:
    """Return the shared axis and the sets that account for more than random genes in one audit, or are technical."""
    tables = [_of_screen(audit) for audit in audits]
    names = dict.fromkeys(axis for table in tables for axis in table.index if table["kind"][axis] == "genes")

    def matters(axis: str) -> bool:
        parts = [table.loc[axis] for table in tables if axis in table.index]
        leading = any(
            part["beyond"] is True or part["beyond"] == np.True_ for part in parts if pd.notna(part["beyond"])
        )
        technical = any(part["set_class"] == "technical" and part["n_genes"] >= MIN_SET for part in parts)
        return leading or technical

    return [SYSTEMATIC, *(axis for axis in names if axis != "other" and matters(axis))]


def _of_screen(audit: ComparedAudit) -> pd.DataFrame:
    table = audit.tables["confounding"]
    return table[(table["level"] == "screen") & (table["regime"] == "full")].set_index("axis")


def _share(audit: ComparedAudit, axis: str, row: pd.Series) -> dict[str, Any]:
    """Return the share of an axis in one audit."""
    size = "" if axis == SYSTEMATIC else f"{int(row['n_genes'])} genes"
    text = f"{percent(row['share'])} ({percent_interval(row['ci_low'], row['ci_high'])})"
    ends = row["share"], row["ci_low"], row["ci_high"]
    return _row(f"Share: {axis_name(axis)}", audit, ends, text, size)


def _row(group: str, audit: ComparedAudit, ends: tuple[float, float, float], text: str, size: str) -> dict[str, Any]:
    values = dict(zip(("estimate", "ci_low", "ci_high"), ends, strict=True))
    return {"group": group, "audit": audit.name, **values, "text": text, "size": size, "of_skill": ""}


def assessed(audit: ComparedAudit) -> pd.DataFrame:
    """Return the models with a skill and an interval that do not predict the same for all perturbations."""
    card = audit.card
    if card.empty:
        return card
    without = (Standing.CONSTANT, Standing.UNLINKED, Standing.NONE)
    return card[
        ~card["kind"].isin(without) & card["skill"].notna() & card["ci_low"].notna() & ~card["constant"].astype(bool)
    ]


def _skills(audit: ComparedAudit) -> Iterator[dict[str, Any]]:
    """Yield the skill and the specific skill of each model."""
    for row in assessed(audit).to_dict("records"):
        for name, value, low, high in SKILLS:
            ends = row[value], row[low], row[high]
            if known(*ends):
                yield {
                    **_row(f"{name} of {row['model']}", audit, ends, interval(*ends), f"n = {row['n']}"),
                    "of_skill": name,
                }


def interval(value: float, low: float, high: float) -> str:
    """Return an estimate with its interval, two decimals each."""
    ends = [f"{end:.2f}".replace("-", "−") for end in (value, low, high)]
    return f"{ends[0]} ({ends[1]} to {ends[2]})"


def _models_left_out(audit: ComparedAudit) -> list[str]:
    """Return why models of an audit are not compared."""
    card = audit.card
    if card.empty:
        return [f"Skills of {audit.name} are not compared, because this audit contains no model."]
    rest = card[~card["model"].isin(assessed(audit)["model"])]
    reasons: dict[str, list[str]] = {}
    for row in rest.to_dict("records"):
        unlinked = row["kind"] == Standing.UNLINKED
        why = "constant prediction" if row["constant"] and not unlinked else row["note"] or row["verdict"]
        reasons.setdefault(str(why), []).append(row["model"])
    return [
        f"In {audit.name}, skills of {listed(models)} are not compared. Reason: {why}."
        for why, models in reasons.items()
    ]


def notes(audits: Sequence[ComparedAudit]) -> dict[str, list[str]]:
    """Return what is compared, and what is not and why."""
    compared = [
        "Shares of the response and skills are already corrected for noise, and have the same scale in all screens. A skill of 0 "
        "is the mean baseline of the same screen, and a skill of 1 is the noise ceiling of the same screen.",
    ]
    left_out = [
        "Errors and sizes of effects are not compared, because they depend on the genes, the cells and the normalization of a "
        "screen."
    ]
    for a, b in combinations(audits, 2):
        if same_screen(a, b):
            compared.append(f"{a.name} and {b.name} are audits of the same screen.{_paired_note(a, b)}")
        else:
            names = [set(audit.tables["perturbations"]["perturbation"]) for audit in (a, b)]
            common = len(names[0] & names[1])
            left_out.append(
                f"Models of {a.name} and {b.name} are not compared in pairs, because these audits contain different cells ({common} perturbations in "
                "common). Do not rank these models by skill, because skill also depends on the screen."
            )
    versions = {audit.provenance["versions"].get("scpertbias") for audit in audits}
    if len(versions) > 1:
        left_out.append(
            f"The audits were made with different versions of scpertbias ({listed(sorted(map(str, versions)))}). Repeat all audits "
            "with the same version."
        )
    return {"compared": compared, "left_out": left_out + forest(audits)[1]}


def _paired_note(a: ComparedAudit, b: ComparedAudit) -> str:
    why = unpaired(a, b)
    return (
        f" However, pairs of their models are not compared, because {why}."
        if why
        else " Pairs of their models are also compared."
    )


def unpaired(a: ComparedAudit, b: ComparedAudit) -> str:
    """Return why the models of two audits of one screen cannot be compared in pairs; empty if they can."""
    tables = [audit.tables["drawn"] for audit in (a, b)]
    if any(table.empty for table in tables):
        return "one of the audits has no scores"
    columns = ["perturbation", "l2_baseline"]
    both = tables[0][columns].merge(tables[1][columns], on="perturbation", suffixes=("_a", "_b")).dropna()
    if both.empty:
        return "no perturbation is held out in both audits"
    # Models from elsewhere have a baseline of their own: it is enough that one is the same.
    apart = (both["l2_baseline_a"] / both["l2_baseline_b"] - 1).abs().groupby(both["perturbation"]).min()
    if apart.max() > SAME_BASELINE:
        return "their mean baselines differ (different folds, genes or normalization)"
    return ""


def pairs(audits: Sequence[ComparedAudit]) -> pd.DataFrame:
    """Return paired differences between the models of audits of one screen; none where no two are of one."""
    together = [
        audits[0],
        *(audit for audit in audits[1:] if same_screen(audits[0], audit) and not unpaired(audits[0], audit)),
    ]
    if len(together) < 2:
        return pd.DataFrame()
    parts = []
    for audit in together:
        table = audit.tables["drawn"]
        label = table["model"].where(table["model"] == "mean", table["model"] + " · " + audit.name)
        parts.append(table.assign(model=label, split="test"))
    # The mean baseline has a relative error of 1 by definition, whether or not it is among the models.
    mean = parts[0].drop_duplicates("perturbation").assign(model="mean", l2_ratio=1.0)
    scores = pd.concat([mean, *parts], ignore_index=True).drop_duplicates(["model", "perturbation"])
    return comparison_table(scores, PAIRED)
