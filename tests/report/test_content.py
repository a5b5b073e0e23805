import copy
import json
import re

import jsonschema
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _store
from scpertbias._report import schema, to_json
from scpertbias._report.content import SCHEMA, answer, content, described
from scpertbias._report.layout import LAID_OUT
from scpertbias._report.page import render
from scpertbias._report.tables import read
from scpertbias._report.verdicts import cautions, models, recurrence, retraining, screen, shared, technical
from scpertbias._report.verdicts.scorecard import Standing
from scpertbias._tables import columns
from scpertbias.tl import show_models

SIZE = {"n_cells": 1000, "n_left_out": 0, "n_genes": 200, "n_batches": 2, "fewest_controls": 40, "adopted": []}
QUESTIONS = (screen, shared, technical, models, retraining, recurrence)


def strict(text):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def sentences(made):
    return [s["text"] for one in made["answer"] for s in (one, *one["sentences"], *one["details"])]


def test_json_holds_the_tables_with_all_digits(audit):
    found = strict(to_json(audit, title="T"))
    assert found["schema"] == SCHEMA == "scpertbias/audit/1"
    assert found["title"] == "T"
    summary = spb.get.summary(audit)
    assert len(found["tables"]["summary"]) == len(summary)
    for record, (_, row) in zip(found["tables"]["summary"], summary.iterrows(), strict=True):
        assert record["model"] == row["model"]
        assert (record["estimate"] is None) == pd.isna(row["estimate"])
        assert record["estimate"] is None or record["estimate"] == row["estimate"]
    assert {r["perturbation"] for r in found["drawn"]} == set(spb.get.scores(audit)["perturbation"])
    assert any("the same profile for every unseen perturbation" in text for text in sentences(found))
    assert [row["model"] for row in found["scorecard"]] == ["ridge", "no_change"]
    assert found["provenance"]["parameters"]["groupby"] == "perturbation"


def test_no_predictions_no_claim_about_constants(audit):
    del audit["full"].uns["scpertbias"]["models"]
    assert not any("the same profile" in text for text in sentences(content(audit)))


def test_truth_is_checked_and_kept(audit):
    truth = pd.DataFrame({"quantity": ["q"], "planted": [1], "found": [2], "more": [3]})
    assert strict(to_json(audit, truth=truth))["planted"] == [{"quantity": "q", "planted": "1", "found": "2"}]
    with pytest.raises(ValueError, match="found"):
        content(audit, truth=truth.drop(columns="found"))
    assert strict(to_json(audit))["planted"] is None


def test_only_an_audit_is_taken(audit):
    with pytest.raises(TypeError, match="MuData"):
        content(audit["full"])


def test_screen_alone():
    adata = spb.ds.simulate(600, 100, 4, rng=1)
    found = strict(to_json(spb.tl.audit(adata, models=(), regimes=("full",))))
    assert found["tables"]["summary"] == []
    assert found["drawn"] == []
    assert any("the screen only" in text for text in sentences(found))


def test_json_holds_what_the_page_shows_of_long_tables(audit):
    tables = strict(to_json(audit))["tables"]
    assert {r["level"] for r in tables["confounding"]} == {r["level"] for r in tables["variance_ratio"]} == {"screen"}
    assert {(r["by"], r["regime"]) for r in tables["recurrence"]} == {("centered", "full")}
    assert {r["level"] for r in tables["target_response"]} == {"scan"}
    assert len(tables["perturbations"]) == len(spb.get.perturbations(audit))


@pytest.fixture(scope="module")
def validator():
    """The validator of the schema that is shipped."""
    shipped = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(shipped)
    return jsonschema.Draft202012Validator(shipped)


def test_json_is_as_the_schema_says(audit, validator):
    truth = pd.DataFrame({"quantity": ["q"], "planted": [1], "found": [2]})
    for made in (to_json(audit), to_json(audit, truth=truth)):
        validator.validate(json.loads(made))
    alone = spb.tl.audit(spb.ds.simulate(600, 100, 4, rng=1), models=(), regimes=("full",))
    validator.validate(json.loads(to_json(alone)))


def _without_answer(made):
    del made["answer"]


def _other_version(made):
    made["schema"] = "scpertbias/audit/2"


def _number_as_text(made):
    made["tables"]["summary"][0]["estimate"] = "0.1"


def _column_gone(made):
    del made["tables"]["perturbations"][0]["kind"]


def _unknown_kind(made):
    made["tables"]["perturbations"][0]["kind"] = "nice"


def _unknown_verdict(made):
    made["answer"][0]["verdict"] = "maybe"


def _unknown_kind_of_sentence(made):
    made["answer"][0]["sentences"][0]["kind"] = "gossip"


def _nested_facts(made):
    made["answer"][0]["facts"]["n"] = {"a": 1}


def _table_gone(made):
    del made["tables"]["ranking"]


@pytest.mark.parametrize(
    "spoil",
    [
        _without_answer,
        _other_version,
        _number_as_text,
        _column_gone,
        _unknown_kind,
        _unknown_verdict,
        _unknown_kind_of_sentence,
        _nested_facts,
        _table_gone,
    ],
)
def test_schema_refuses_what_is_otherwise(small_audit, validator, spoil):
    made = json.loads(to_json(small_audit))
    spoiled = copy.deepcopy(made)
    spoil(spoiled)
    assert validator.is_valid(made)
    assert not validator.is_valid(spoiled)


def test_schema_lists_every_kind():
    shipped = json.loads(schema())
    of_answer = shipped["properties"]["answer"]["items"]["properties"]
    assert set(of_answer["kind"]["enum"]) == {kind for module in QUESTIONS for kind in module.KINDS}
    statements = {kind for module in (*QUESTIONS, cautions) for kind in module.STATEMENTS}
    assert set(shipped["$defs"]["sentence"]["properties"]["kind"]["enum"]) == statements
    assert shipped["properties"]["scorecard"]["items"]["properties"]["kind"]["enum"] == list(Standing)
    assert of_answer["name"]["enum"] == [module.NAME for module in QUESTIONS]


def test_schema_describes_every_column_of_the_page_and_of_the_tables(audit):
    described = json.loads(schema())["properties"]["tables"]["properties"]
    for name, shown, *_ in LAID_OUT:
        table = {"findings": "check", "specific_skill": "specificity"}.get(name, name)
        extra = {"detail"} if name == "perturbations" else set()  # from the check, beside each perturbation
        assert {c.name for c in shown} - extra <= set(described[table]["items"]["properties"]), name
    for name, table in read(audit).items():
        if name != "scores" and len(table):
            assert set(table.columns) <= set(described[name]["items"]["properties"]), name


def test_json_holds_every_number_of_the_page(audit):
    numbers = set()

    def collect(value):
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                collect(inner)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers.add(float(value))

    collect(json.loads(to_json(audit)))
    shown = [float(v) for v in re.findall(r'<td class="number" data-v="([^"]+)"', render(audit))]
    assert len(shown) > 300
    assert set(shown) <= numbers


def test_epochs_of_trained_models_are_a_table(audit, validator):
    profiles = audit["full"]
    history = pd.DataFrame({"epoch": [1, 2], "loss": [0.5, float("nan")], "seconds": [1.0, 1.1], "best": [False, True]})
    known = _store.models(profiles)
    _store.put(profiles, models={**known, "ridge": {**known["ridge"], "history": history}})
    made = json.loads(to_json(audit))
    validator.validate(made)
    assert made["tables"]["training"] == [
        {"model": "ridge", "regime": "full", "epoch": 1, "loss": 0.5, "seconds": 1.0, "best": False},
        {"model": "ridge", "regime": "full", "epoch": 2, "loss": None, "seconds": 1.1, "best": True},
    ]


def test_the_screen_alone_has_three_answers_on_it(tables):
    tables["perturbations"] = pd.DataFrame(
        [
            {
                "perturbation": "A",
                "kind": "specific",
                "target_gene": "",
                "target_z": None,
                "response_share": 1.0,
                "systematic": 0.1,
            }
        ]
    )
    found = answer(tables, (), SIZE)
    assert [a["name"] for a in found["answer"]] == ["screen", "shared", "technical", "models"]
    assert found["answer"][3]["kind"] == "no_models"
    assert found["scorecard"].empty
    assert found["cautions"] == []


def test_every_model_that_can_be_fitted_is_described():
    known = show_models()
    models = pd.DataFrame({"model": known["model"], "regime": "full", "kind": known["model"], "n_unpredicted": 0})
    found = described(pd.concat([models, models.assign(regime="no_mt")]), {})
    assert found["model"].tolist() == known["model"].tolist(), "once, and not for every regime"
    assert (found["unseen"].str.len() > 10).all()


def test_the_axis_is_that_of_the_record_and_else_of_the_name():
    names = ("a", "b", "a_perturbations")
    rows = [{"model": name, "regime": "full", "kind": "grn_linear", "n_unpredicted": 2} for name in names]
    found = described(pd.DataFrame(rows), {"b": "perturbations"}).set_index("model")
    assert found.loc["a", "unseen"] == "one constant"
    assert found.loc["b", "unseen"] == "from its neighbors in the net"
    assert found.loc["a_perturbations", "unseen"] == "from its neighbors in the net"
    assert set(found["n_unpredicted"]) == {2}


def test_unknown_kinds_and_no_models():
    rows = [{"model": "x", "regime": "full", "kind": "of another version", "n_unpredicted": 0}]
    assert described(pd.DataFrame(rows), {})["unseen"].tolist() == [""]
    assert list(described(pd.DataFrame(), {}).columns) == columns("described")
