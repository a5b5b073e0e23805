import json

import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._report import to_json
from scpertbias._report._content import SCHEMA, content


def strict(text):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def sentences(made):
    return [s["text"] for one in made["answer"] for s in (one, *one["sentences"])]


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
    assert any("the same for every unseen perturbation" in text for text in sentences(found))
    assert [row["model"] for row in found["scorecard"]] == ["ridge", "control"]
    assert found["provenance"]["parameters"]["groupby"] == "perturbation"


def test_no_predictions_no_claim_about_constants(audit):
    del audit["full"].uns["scpertbias"]["models"]
    assert not any("predict the same" in text for text in sentences(content(audit)))


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
    assert any("screen alone" in text for text in sentences(found))


def test_json_holds_what_the_page_shows_of_long_tables(audit):
    tables = strict(to_json(audit))["tables"]
    assert {r["level"] for r in tables["confounding"]} == {r["level"] for r in tables["variance_ratio"]} == {"screen"}
    assert {(r["by"], r["regime"]) for r in tables["recurrence"]} == {("z", "full")}
    assert {r["level"] for r in tables["on_target"]} == {"scan"}
    assert len(tables["perturbations"]) == len(spb.get.perturbations(audit))
