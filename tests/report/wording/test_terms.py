import pytest

from scpertbias._report.verdicts import cautions, models, recurrence, retraining, screen, shared, technical
from scpertbias._report.wording import CHAPTERS, TEMPLATES
from scpertbias._report.wording.terms import (
    QUESTIONS,
    estimates,
    genes_of,
    plural,
    rows_of,
    said_of,
    sample_size,
    share,
    some_names,
    verb,
    without,
)

QUESTIONED = (screen, shared, technical, models, retraining, recurrence)


def test_every_kind_has_one_template():
    kinds = {kind for v in (*QUESTIONED, cautions) for kind in (*getattr(v, "KINDS", ()), *v.STATEMENTS)}
    assert kinds == set(TEMPLATES)
    assert sum(len(chapter.TEMPLATES) for chapter in CHAPTERS) == len(TEMPLATES), "no kind in two chapters"
    assert list(QUESTIONS) == [v.NAME for v in QUESTIONED]


@pytest.mark.parametrize("v", QUESTIONED, ids=lambda v: v.NAME)
def test_no_kind_is_both_a_verdict_and_a_statement(v):
    assert not set(v.KINDS) & set(v.STATEMENTS)


def test_an_interval_of_few_is_approximate():
    assert (sample_size(49), sample_size(50)) == ("n = 49, approximate interval", "n = 50")
    assert (sample_size(150, 19.9), sample_size(150, 20)) == ("n = 150, approximate interval", "n = 150")


def test_estimates_have_interval_and_n():
    facts = {"model": ["x", "y"], "n": [12, 60], "gain": [-0.1, 0.2], "ci_low": [-0.2, 0.1], "ci_high": [0.0, 0.3]}
    assert estimates(facts, "gain") == (
        "x (−0.10, 95% CI −0.20 to 0, n = 12, approximate interval); and y (0.20, 95% CI 0.10–0.30, n = 60)"
    )
    assert estimates(facts, "gain", name="gain").startswith("x (gain −0.10, 95% CI")
    assert "n = 60, approximate" in estimates({**facts, "n_effective": [30.0, 12.0]}, "gain")
    same = {"model": ["x", "y"], **{key: [0.1, 0.1] for key in ("gain", "ci_low", "ci_high")}, "n": [60, 60]}
    assert estimates(same, "gain") == "x and y (each: 0.10, 95% CI 0.10–0.10, n = 60)"


def test_one_group_of_models_is_the_subject_and_more_are_a_list():
    assert said_of({"model": ["x"]}, "x (1)", "are good", "is good") == "x (1) is good"
    assert said_of({"model": ["x", "y"]}, "x and y (1)", "are good", "is good") == "x and y (1) are good"
    assert said_of({"model": ["x", "y"]}, "x (1); y (2)", "are good", "is good") == "2 models are good: x (1); y (2)"


def test_shares_have_their_interval():
    facts = {"share": 0.2, "ci_low": 0.1, "ci_high": 0.3}
    assert share(facts) == "20% (95% CI 10–30)"
    assert share({**facts, "n": 20, "n_effective": 15.0}) == "20% (95% CI 10–30, n = 20, approximate interval)"
    assert share({**facts, "ci_low": float("nan")}) == "20%"


def test_lists_of_facts_are_rows():
    assert rows_of({"a": [1, 2], "b": [3, 4], "c": 0}, "a", "b") == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]


def test_sets_have_names_for_people():
    assert (genes_of("mt"), genes_of("mine")) == ("mitochondrial genes", "genes of the set mine")
    assert genes_of("HALLMARK_P53_PATHWAY") == "genes of the set Hallmark p53 pathway"
    assert (without("no_mt"), without("mine")) == ("without mitochondrial genes", "mine")


def test_grammar():
    assert (verb(["a"], "do", "does"), verb(["a", "b"], "do", "does")) == ("does", "do")
    assert (plural(1, "gene"), plural(2, "gene")) == ("1 gene", "2 genes")
    assert some_names("abcdefg") == "a, b, c, d, e and 2 more"
    assert some_names("abcde") == "a, b, c, d and e"
