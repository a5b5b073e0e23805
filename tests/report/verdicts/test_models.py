"""What may be said of models, each sentence in both directions, on tables made by hand."""

import numpy as np
import pandas as pd
import pytest

from scpertbias._report.content import statement_records, verdict_record
from scpertbias._report.verdicts.models import baseline_correlation, collapsed_models, models_verdict
from scpertbias._report.verdicts.scorecard import SPECIFIC_SKILL, scorecard
from scpertbias._report.wording import card_words
from scpertbias.tl._comparison import COMPARED, comparison_table

NAN = float("nan")
SPECIFIC, SIZE, NOT = "perturbation-specific", "right direction, wrong size", "not specific"


def skill(
    model="x", *, metric="l2_skill", n=100, n_effective=40.0, estimate=0.2, low=0.1, high=0.3, note="", ceiling=1.0
):
    row = {"model": model, "regime": "full", "subset": "all", "metric": metric, "n": n, "estimate": estimate}
    row["n_effective"] = n_effective
    return {**row, "ci_low": low, "ci_high": high, "note": note, "ceiling": ceiling}


def specific(category, *, model="x", score=0.25, slope=2.1):
    row = {"model": model, "regime": "full", "metric": SPECIFIC_SKILL, "n": 100, "score": score, "ci_low": score - 0.05}
    row |= {"ci_high": score + 0.05, "category": category, "note": ""}
    return [row, {**row, "metric": "specific_slope", "score": slope, "category": ""}]


def ask(tables, *rows, category=None, specificity=(), constant=(), response=0.9):
    tables["summary"] = pd.DataFrame(rows)
    other = {"axis": "other", "regime": "full", "level": "screen", "share": response}
    tables["confounding"] = pd.DataFrame([other])
    some = [*specificity, *(specific(category) if category else ())]
    if some:
        tables["specificity"] = pd.DataFrame(some)
    made = verdict_record(models_verdict(tables, card_words(scorecard(tables, constant))))
    return made, {s["kind"]: s["text"] for s in made["sentences"] + made["details"]}


@pytest.mark.parametrize(
    ("given", "category", "verdict", "kind"),
    [
        ({}, SPECIFIC, "yes", "perturbation_specific"),
        ({"low": -0.1}, SPECIFIC, "partly", "specific_not_better"),
        ({}, SIZE, "partly", "right_direction"),
        ({"low": -0.1}, SIZE, "partly", "right_direction"),
        ({}, NOT, "partly", "better_along_axis"),
        ({}, None, "partly", "better_not_assessed"),
        ({"low": -0.1}, NOT, "no", "none_better"),
        ({"low": -0.3, "high": -0.1}, None, "no", "none_better"),
        ({"n": 9}, SPECIFIC, "inconclusive", "too_few_held_out"),
    ],
)
def test_verdict_is_of_skill_and_specific_skill(tables, given, category, verdict, kind):
    made, _ = ask(tables, skill(**given), category=category)
    assert (made["verdict"], made["kind"]) == (verdict, kind)


def test_the_first_verdict_that_a_model_deserves_is_that_of_all(tables):
    rows = [skill("a"), skill("b", low=-0.1), skill("c")]
    made, _ = ask(tables, *rows, specificity=[*specific(NOT, model="a"), *specific(SIZE, model="b")])
    assert (made["kind"], made["facts"]["model"]) == ("right_direction", ["b"])


def test_nothing_is_better_where_the_response_is_not_known(tables):
    made, said = ask(tables, skill(), category=SPECIFIC, response=NAN)
    assert (made["verdict"], made["kind"], said) == ("inconclusive", "no_response", {})


def test_sentences_have_numbers_and_say_what_to_do(tables):
    assert ask(tables, skill(n=30), category=SPECIFIC)[0]["text"] == (
        "Yes. x predicts perturbation-specific effects better than the mean baseline does. The specific skill of x is 0.25 "
        "(95% CI 0.20–0.30, n = 30, approximate interval). Use x, and validate the predictions that you need."
    )
    assert "by x fit the data best when they are multiplied by 2.10." in ask(tables, skill(), category=SIZE)[0]["text"]
    assert ask(tables, skill(low=-0.1), category=NOT)[0]["text"] == (
        "None. No model predicts unseen perturbations significantly better than the mean of the training perturbations (n = 100). "
        "Use the mean baseline."
    )


@pytest.mark.parametrize("category", [SPECIFIC, SIZE, NOT, None])
@pytest.mark.parametrize(("low", "trusted"), [(1.1, False), (1.0, True)])
def test_no_model_above_the_ceiling_is_trusted(tables, category, low, trusted):
    made, _ = ask(tables, skill(estimate=1.2, low=low, high=1.3), skill("y", low=-0.1), category=category)
    assert ((made["verdict"], made["kind"]) != ("inconclusive", "too_good")) == trusted
    if not trusted:
        assert made["text"] == (
            "Inconclusive. The skill of x is 1.20 (95% CI 1.10–1.30, n = 100), above the noise ceiling of 1. This result is too "
            "good to be trusted until leakage is excluded. Check that no cells of the held-out perturbations were used for these "
            "predictions, then repeat the audit."
        )


def test_all_models_above_the_ceiling_are_named(tables):
    rows = [skill(model, estimate=1.2, low=1.1, high=1.3) for model in ("x", "y")]
    text = ask(tables, *rows)[0]["text"]
    assert "The results of y are too good, too. These results are too good to be trusted until leakage" in text


def test_another_model_is_trusted_beside_one_above_the_ceiling(tables):
    made, _ = ask(tables, skill("y", estimate=1.2, low=1.1, high=1.3), skill(), category=SPECIFIC)
    assert (made["kind"], made["facts"]["model"], made["facts"]["too_good"]) == ("perturbation_specific", ["x"], ["y"])
    assert "The result of y is too good to be trusted, so exclude leakage before you use this model." in made["text"]


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0.01, 0.3, "better_than_mean"),
        (0.0, 0.3, "same_as_mean"),
        (-0.01, 0.3, "same_as_mean"),
        (-0.3, 0.0, "same_as_mean"),
        (-0.3, -0.01, "worse_than_mean"),
    ],
)
def test_one_sentence_of_the_interval_alone(tables, low, high, kind):
    _, said = ask(tables, skill(estimate=0.25, low=low, high=high))
    assert [k for k in said if k.endswith("_mean")] == [kind]
    assert "x (skill 0.25, 95% CI" in said[kind]
    assert "n = 100" in said[kind]


def test_models_with_the_same_numbers_stand_together(tables):
    _, said = ask(tables, skill("a"), skill("b"), skill("c", estimate=0.27, low=0.213, high=0.334, n=64))
    assert said["better_than_mean"] == (
        "3 models are significantly better than the mean baseline: c (skill 0.27, 95% CI 0.21–0.33, n = 64); and a and b (each: "
        "skill 0.20, 95% CI 0.10–0.30, n = 100)."
    )
    assert ask(tables, skill("a"), skill("b"))[1]["better_than_mean"] == (
        "a and b (each: skill 0.20, 95% CI 0.10–0.30, n = 100) are significantly better than the mean baseline."
    )


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.7, 0.9, False), (1.1, 1.3, True), (0.9, 1.1, False), (0.9, 0.9998, False)]
)
def test_where_equal_weights_change_the_verdict(tables, low, high, said):
    ratio = skill(metric="l2_ratio", estimate=0.8, low=low, high=high)
    assert ("equal_weights" in ask(tables, skill(), ratio)[1]) == said
    assert ("equal_weights" in ask(tables, skill(low=-0.1), ratio)[1]) == (high < 0.999 or low > 1)


@pytest.mark.parametrize(
    ("category", "kind"), [(SPECIFIC, "specific_effects"), (SIZE, "wrong_size"), (NOT, "not_specific")]
)
def test_every_category_has_its_sentence(tables, category, kind):
    _, said = ask(tables, skill(), category=category)
    assert {"specific_effects", "wrong_size", "not_specific"} & set(said) == {kind}
    assert said[kind].startswith("x ")


def test_skill_by_correlation_stands_beside(tables):
    row = skill(metric="pearson_delta_perturbed_unshared_skill", estimate=0.4, low=0.3, high=0.5)
    assert "0.40 for x (95% CI 0.30–0.50, n = 100)" in ask(tables, skill(), row)[1]["pearson_skill"]
    assert "pearson_skill" not in ask(tables, skill(), {**row, "n": 9})[1]


def test_it_is_said_where_no_target_gene_is_measured(tables):
    text = "The target genes of all 2 perturbations are not measured."
    for genes, said in (([], False), (["", ""], True), (["", "STAT1"], False)):
        tables["perturbations"] = pd.DataFrame({"target_gene": pd.Series(genes, dtype=str)})
        made, _ = ask(tables, skill())
        assert [s["text"].startswith(text) for s in made["sentences"]] == [True] * said


def test_the_baseline_is_not_compared_with_itself(tables):
    made, said = ask(tables, skill("mean", estimate=0.0, low=0.0, high=0.0))
    assert (made["verdict"], made["kind"], said) == ("inconclusive", "only_baseline", {})


def test_no_verdict_and_why(tables):
    made, _ = ask(
        tables, skill(n=9), skill("y", low=NAN, high=NAN, note="baseline and ceiling are not significantly different")
    )
    assert [s["text"] for s in made["details"]] == [
        "x has no verdict. Reason: only 9 held-out perturbations are predicted (at least 10 are needed).",
        "y has no verdict. Reason: baseline and ceiling are not significantly different.",
    ]


def test_constant_models_are_one_sentence_and_never_better(tables):
    made, said = ask(tables, skill(), skill("y"), constant={"x", "y", "not_scored"})
    assert (made["verdict"], made["kind"]) == ("inconclusive", "all_constant")
    assert said["constant_predictions"].startswith("x and y predict the same profile for every unseen perturbation")
    assert "better_than_mean" not in said
    assert "constant_predictions" not in ask(tables, skill())[1]


def test_graph_models_without_links_are_left_out_with_the_reason(tables):
    name = "two_stage_perturbations"
    made, said = ask(tables, skill(name), skill("y", low=-0.1), constant={name})
    assert said["graph_without_links"].startswith(f"{name} is not evaluated, because the gene network has no link")
    assert made["kind"] == "none_better"


@pytest.mark.parametrize(
    ("shift", "kind"), [(-0.2, "external_better"), (0.2, "external_worse"), (0.0, "external_same")]
)
def test_models_of_the_user_are_compared_in_pairs_where_both_predict(tables, shift, kind):
    rng = np.random.default_rng(0)
    full = {"split": "test", "regime": "full", "trained_on": "full"}
    error = {"mean": np.ones(30), "ridge": rng.normal(1, 0.1, 30)}
    error["mine"] = error["ridge"] + shift + rng.normal(0, 0.05, 30)
    rows = [
        {**full, "model": m, "perturbation": f"P{i}", **dict.fromkeys(COMPARED, NAN if m == "mine" and i < 5 else e)}
        for m, errors in error.items()
        for i, e in enumerate(errors)
    ]
    tables["comparison"] = comparison_table(pd.DataFrame(rows))
    tables["models"] = pd.DataFrame({"model": ["ridge", "mine"], "regime": "full", "kind": ["ridge", "external"]})
    made, said = ask(tables, skill("ridge"), skill("mine"))
    assert "ridge (" + ("higher by 0." if shift > 0 else "lower by ") in said[kind]
    assert "On the perturbations that both models predict" in said[kind]
    assert "n = 25, approximate interval" in said[kind]
    rows = {s["kind"]: s["facts"] for s in made["sentences"]}
    assert "ridge" in rows[kind]["other"]
    assert set(rows[kind]["n"]) == {25}
    difference = rows[kind]["difference"][rows[kind]["other"].index("ridge")]
    assert difference == pytest.approx(np.mean(error["ridge"][5:] - error["mine"][5:]))
    tables["models"]["kind"] = "ridge"
    assert not [k for k in ask(tables, skill("ridge"), skill("mine"))[1] if k.startswith("external")]


def test_no_models(tables):
    made = verdict_record(models_verdict(tables, scorecard(tables, ())))
    assert (made["verdict"], made["kind"]) == ("inconclusive", "no_models")


def spread(model, to, *, ratio=0.0, n=100, regime="full"):
    values = {"n_perturbations": n, "ratio": ratio, "ci_low": ratio, "ci_high": ratio}
    return {"model": model, "regime": regime, "level": "screen", "collapsed_to": to, **values}


def test_collapsed_models_are_named_with_their_baseline():
    rows = [spread("mean", "mean"), spread("ridge", "mean"), spread("y", "", ratio=0.5), spread("z", "mean", n=9)]
    (said,) = statement_records(collapsed_models(pd.DataFrame([*rows, spread("w", "mean", regime="no_mt")])))
    assert said["text"] == (
        "ridge (spread ratio 0, 95% CI 0–0) predicts nearly the mean effect for every perturbation."
    )
    assert collapsed_models(pd.DataFrame([spread("mean", "mean"), spread("y", "", ratio=0.5)])) == []


def test_the_correlation_of_the_mean_is_that_without_shared_noise():
    plain = skill("mean", metric="pearson_delta", estimate=0.5, low=0.45, high=0.6, ceiling=0.8)
    row = skill("mean", metric="pearson_delta_unshared", estimate=0.31, low=0.2, high=0.43, ceiling=0.74)
    (said,) = statement_records(baseline_correlation(pd.DataFrame([skill(), plain, row]), pd.DataFrame()))
    assert said["kind"] == "correlation_of_mean"
    assert (
        "the mean baseline already reaches 0.31 (95% CI 0.20–0.43, n = 100, noise ceiling 0.74). By this"
        in said["text"]
    )


@pytest.mark.parametrize(("n", "low"), [(9, 0.2), (100, NAN)])
def test_nothing_rests_on_a_correlation_without_interval(n, low):
    summary = pd.DataFrame([skill("mean", metric="pearson_delta_unshared", n=n, low=low)])
    assert baseline_correlation(summary, pd.DataFrame()) == []
