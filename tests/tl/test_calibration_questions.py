"""What is counted in null screens is what the report says of a screen."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._report.content import content
from scpertbias.tl._calibration_questions import PARTLY, QUESTIONS, YES, QuestionKey, answers


def bundled():
    return spb.tl.audit(
        spb.ds.papalexi_2021(),
        batch_key="bio_rep",
        covariates=(),
        models=("mean", "ridge"),
        regimes=("full",),
        n_random=0,
    )


def shared():
    cells = spb.ds.simulate(6_000, 150, 40, axis_strength=0.8, keep_counts=False, rng=2)
    return spb.tl.audit(cells, covariates=(), models=("no_change", "mean", "ridge"), regimes=("full",), n_random=0)


def with_an_oracle():
    cells = spb.ds.simulate(6_000, 150, 30, axis_strength=0.1, keep_counts=False, rng=3)
    truth = cells.uns["scpertbias_truth"]
    names = truth["perturbations"].tolist()
    effects = pd.DataFrame(truth["expected_delta"], names, truth["genes"])
    spb.pp.split(cells, test=names[:20])
    oracle = {"predictions": effects.iloc[:20], "kind": "delta", "test": names[:20]}
    return spb.tl.audit(
        cells, covariates=(), models=("mean",), predictions={"oracle": oracle}, regimes=("full",), n_random=0
    )


def confounded():
    cells = spb.ds.simulate(3_000, 100, 15, axis_strength=0.3, keep_counts=False, rng=4)
    rng = np.random.default_rng(0)
    codes = pd.factorize(cells.obs["perturbation"])[0]
    cells.obs["lane"] = np.where(
        rng.random(cells.n_obs) < 0.7, np.where(codes % 2, "a", "b"), np.where(codes % 3, "b", "a")
    )
    values = cells.X.toarray() if hasattr(cells.X, "toarray") else cells.X
    cells.X = values + np.where(cells.obs["lane"].to_numpy()[:, None] == "a", 0.4 * rng.random(cells.n_vars), 0).astype(
        "float32"
    )
    return spb.tl.audit(cells, batch_key=None, covariates=(), models=(), regimes=("full",), n_random=0)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("make", [bundled, shared, with_an_oracle, confounded], ids=lambda make: make.__name__)
def test_verdicts_are_those_of_the_report(make):
    mdata = make()
    of_audit = answers(mdata)
    assert {key.question for key in of_audit} <= set(QUESTIONS)
    for verdict in content(mdata)["answer"]:
        name = verdict["name"]
        if name in QUESTIONS:
            assert of_audit[QuestionKey(name, "", YES)] == (verdict["verdict"] == "yes"), (name, verdict["kind"])
            assert of_audit[QuestionKey(name, "", PARTLY)] == (verdict["verdict"] in ("yes", "partly")), (
                name,
                verdict["kind"],
            )
    table = spb.get.perturbations(mdata)
    n = (~table["kind"].isin(["too few cells", "not detected", "target gene only"])).sum()
    assert of_audit[QuestionKey("detected")] == n / (table["kind"] != "too few cells").sum()
    assert of_audit[QuestionKey("response_known")] == of_audit[QuestionKey("halves_agree")] == 1
    assert of_audit[QuestionKey("de_calls")] == spb.get.de(mdata)["perturbation"].nunique() / len(table)


def test_a_null_screen_pays_for_what_is_no_knowledge():
    """Without effects, the control itself is better than the mean by the perturbed correlation, and gains nothing."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["control", *(f"P{i}" for i in range(20))], [300, *[40] * 20])
    import anndata

    values = rng.normal(5, 1, (len(labels), 200)).clip(0).astype("float32")
    obs = pd.DataFrame({"perturbation": labels}, index=[f"c{i}" for i in range(len(labels))])
    mdata = spb.tl.audit(
        anndata.AnnData(values, obs), covariates=(), models=("no_change", "mean"), regimes=("full",), n_random=0
    )
    of_audit = answers(mdata)
    assert of_audit[QuestionKey("response_known")] == 0
    assert of_audit[QuestionKey("models", "", PARTLY)] == 0
    assert of_audit[QuestionKey("better_than_mean", "no_change", "pearson_delta_perturbed")] == 1
    assert of_audit[QuestionKey("specific_gain", "no_change", "pearson_delta_perturbed")] == 0
    assert of_audit[QuestionKey("correlation_of_mean", "mean", "pearson_delta")] == 1
