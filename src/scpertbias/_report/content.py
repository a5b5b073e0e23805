"""All that the report shows, as plain data: the page shows it, the JSON file holds it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from importlib.resources import files
from typing import Any

import pandas as pd
from mudata import MuData

from .. import _store
from .._tables import SHARED, TABLES, columns, empty
from ..ds import confounder_sets
from ..tl import show_models
from ..tl._show_models import unseen_by_axis
from .provenance import provenance, remarks, screen_size, title_of
from .tables import NAMES, plain, plain_records, read
from .verdicts import cautions, models, recurrence, retraining, screen, shared, technical
from .verdicts.base import Statement, Verdict
from .verdicts.calibration import calibration_sentence
from .verdicts.scorecard import Standing, evaluated, scorecard
from .wording import card_words, sentence
from .wording.terms import QUESTIONS

SCHEMA = "scpertbias/audit/1"
CHAPTERS = (screen, shared, technical, models, retraining, recurrence, cautions)
"""The verdicts in the order of the page, and the cautions."""
DRAWN = ("l2", "l2_ratio", "pearson_delta_perturbed")
DRAWN_COLUMNS = [
    *("model", "perturbation", "n_cells"),
    *(f"{metric}{suffix}" for metric in DRAWN for suffix in ("", "_baseline", "_ceiling")),
]
ROWS = {
    "confounding": {"level": "screen"},
    "power": {"level": "screen"},
    "variance_ratio": {"level": "screen"},
    "target_response": {"level": "scan"},
    "recurrence": {"regime": "full", "by": recurrence.SCALE},
    "attribution_agreement": {"perturbation": ""},
}
"""The rows of long tables that the file and the page hold."""
TITLE = "Perturb-seq audit"


def content(data: MuData, *, title: str | None = None, truth: pd.DataFrame | None = None) -> dict[str, Any]:
    """Return title, sentences, tables and provenance of an audit; every table with all digits."""
    if not isinstance(data, MuData):
        msg = f"`data` is a {type(data).__name__}; the MuData that spb.tl.audit returns is expected."
        raise TypeError(msg)
    tables = read(data)
    notes, warned = remarks(data)
    return {
        "schema": SCHEMA,
        "title": title or title_of(data) or TITLE,
        **answer(tables, constant_models(data), screen_size(data)),
        "tables": {name: _of_page(name, table) for name, table in tables.items() if name != "scores"},
        "described": described(tables["models"], axes_of(data)),
        "drawn": _drawn(tables["scores"]),
        "planted": _planted(data, truth),
        "notes": notes,
        "warnings": warned,
        "provenance": provenance(data),
    }


def to_json(data: MuData, *, title: str | None = None, truth: pd.DataFrame | None = None) -> str:
    """Return the report of an audit as JSON: all that the page shows, with all digits; NaN is null.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.
    title
        Title of the page.
    truth
        What was planted in a simulated screen: ``quantity``, ``planted``, ``found``.

    Returns
    -------
    One JSON object with ``"schema": "scpertbias/audit/1"``.
    """
    return _written(_plain_deep(content(data, title=title, truth=truth))) + "\n"


def schema() -> str:
    """Return the JSON Schema of what :func:`to_json` writes."""
    skeleton = json.loads(files(__package__).joinpath("audit.schema.json").read_text(encoding="utf-8"))
    names = [name for name in (*NAMES, "training") if name != "scores"]
    of_verdict = skeleton["properties"]["answer"]["items"]["properties"]
    of_verdict["name"]["enum"] = list(QUESTIONS)
    of_verdict["kind"]["enum"] = _kinds("KINDS")
    skeleton["$defs"]["sentence"]["properties"]["kind"]["enum"] = _kinds("STATEMENTS")
    of_card = skeleton["properties"]["scorecard"]["items"]
    of_card["required"] = list(of_card["properties"])
    of_card["properties"]["kind"]["enum"] = list(Standing)
    tables = {name: TABLES[name].json_schema(**ROWS.get(name, {})) for name in names}
    skeleton["properties"]["tables"] |= {"required": names, "properties": tables}
    skeleton["properties"]["described"] = TABLES["described"].json_schema()
    drawn = (column for column in TABLES["scores"].columns if column.name in DRAWN_COLUMNS)
    skeleton["properties"]["drawn"]["items"]["properties"] = {column.name: column.json_schema() for column in drawn}
    skeleton["properties"]["planted"]["oneOf"].append(TABLES["planted"].json_schema())
    skeleton["$defs"]["columns"] = {column.name: column.json_schema() for column in SHARED}
    return _written(skeleton) + "\n"


def _kinds(of: str) -> list[str]:
    """Return the kinds of verdicts or of statements, each once."""
    return list(dict.fromkeys(kind for chapter in CHAPTERS for kind in getattr(chapter, of, ())))


def constant_models(data: MuData) -> set[str]:
    """Return the models that predict one and the same for all unseen perturbations, where predictions were kept."""
    return {name for name, record in _store.models(data["full"]).items() if record.get("constant")}


def axes_of(data: MuData) -> dict[str, str]:
    """Return the axis that each model smooths over, where predictions were kept and it has one."""
    params = {name: record.get("params") or {} for name, record in _store.models(data["full"]).items()}
    return {name: str(values["axis"]) for name, values in params.items() if "axis" in values}


def _of_page(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the rows of single genes and pairs, of which there are many; CSV files hold them all."""
    for column, value in ROWS.get(name, {}).items():
        table = table[table[column] == value]
    return table


def _drawn(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the values that the figures show."""
    if scores.empty:
        return scores
    rows = scores[(scores["regime"] == "full") & (scores["trained_on"] == "full") & (scores["split"] == "test")]
    return rows[[name for name in DRAWN_COLUMNS if name in rows.columns]]


def _planted(data: MuData, truth: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the planted truth that was passed, else the one that the command line stored."""
    if truth is not None:
        missing = set(columns("planted")) - set(truth.columns)
        if missing:
            msg = f"`truth` lacks the columns {sorted(missing)}."
            raise ValueError(msg)
        return truth[columns("planted")].astype(str)
    return _store.table(data, "planted", made_by="") if _store.has_table(data, "planted") else None


def _written(value: Any, indent: int = 0) -> str:
    """Return JSON with one row of a table a line, so that files are small and their differences can be read."""
    inner = " " * (indent + 1)
    if isinstance(value, dict) and any(isinstance(v, dict | list) for v in value.values()):
        items = [f"{inner}{json.dumps(k, ensure_ascii=False)}: {_written(v, indent + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{' ' * indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(inner + _written(v, indent + 1) for v in value) + f"\n{' ' * indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plain_deep(value: Any) -> Any:
    if isinstance(value, pd.DataFrame):
        return plain_records(value)
    if isinstance(value, dict):
        return {str(k): _plain_deep(v) for k, v in value.items()}
    return [_plain_deep(v) for v in value] if isinstance(value, list | tuple) else plain(value)


def answer(tables: Mapping[str, pd.DataFrame], constant: Collection[str], size: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``answer`` (questions), the ``scorecard`` of the models, ``cautions``, and ``remarks`` by section.

    ``tables`` are the stored tables by name (one that was not made is empty), ``constant`` the models that predict one
    and the same for all unseen perturbations, ``size`` the numbers of :func:`screen_size`. No sentence rests on anything
    else.
    """
    card = card_words(scorecard(tables, constant))
    verdicts = (
        screen.screen_verdict(tables),
        shared.shared_verdict(tables),
        technical.technical_verdict(tables),
        models.models_verdict(tables, card),
        retraining.retraining_verdict(evaluated(tables, card), constant),
        recurrence.recurrence_verdict(tables, confounder_sets()),
    )
    later = {
        "scores": models.baseline_correlation(tables["summary"], tables["scores"]),
        "specificity": models.collapsed_models(evaluated(tables, card)["variance_ratio"]),
    }
    return {
        "answer": [
            {**verdict_record(verdict), "calibration": calibration_sentence(tables["calibration"], verdict)}
            for verdict in verdicts
            if verdict is not None
        ],
        "scorecard": card,
        "cautions": [
            {**record, "severe": record["kind"] in cautions.SEVERE}
            for record in statement_records(cautions.cautions(tables, card, size))
        ],
        "remarks": {section: statement_records(statements) for section, statements in later.items()},
    }


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as the file holds it."""
    return {
        "name": verdict.name,
        "question": QUESTIONS[verdict.name],
        "verdict": verdict.verdict,
        **_record(verdict),
        "sentences": statement_records(verdict.sentences),
        "details": statement_records(verdict.details),
    }


def statement_records(statements: Iterable[Statement]) -> list[dict[str, Any]]:
    """Return statements as the file holds them."""
    return [_record(statement) for statement in statements]


def _record(statement: Verdict | Statement) -> dict[str, Any]:
    return {
        "kind": statement.kind,
        "text": sentence(statement.kind, statement.facts),
        "facts": plain(statement.facts),
        "rows": statement.rows.to_dict("records"),
    }


def described(table: pd.DataFrame, axes: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per model of the full screen: its prediction for an unseen perturbation, and its citation.

    ``axes`` holds the axis of models that smooth over one; without predictions it is told by the model's name, as
    :func:`scpertbias.tl.audit` gives it.
    """
    if table.empty:
        return empty("described")
    known = show_models().set_index("model")
    by_axis = unseen_by_axis()
    full = table[table["regime"] == "full"]
    rows = []
    for _, row in full.iterrows():
        model, kind = str(row["model"]), str(row["kind"])
        axis = axes.get(model, "perturbations" if model.endswith("_perturbations") else "genes")
        rows.append(
            {
                "model": model,
                "kind": kind,
                "unseen": by_axis.get(kind, {}).get(axis, str(known["unseen"].get(kind, ""))),
                "citation": str(known["citation"].get(kind, "")),
                "n_unpredicted": row["n_unpredicted"],
            }
        )
    return pd.DataFrame(rows, columns=columns("described"))
