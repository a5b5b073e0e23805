"""A function of one's own beside the registry, for models of every kind."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from benchmarks import metric_functions as functions

import scpertbias as spb
from scpertbias import _store
from scpertbias._core.ceilings import correlation
from scpertbias._tables import columns
from scpertbias.tl._metric import metric


@pytest.fixture(scope="module")
def audited():
    cells = spb.ds.simulate(4_000, 200, 30, axis_strength=0.4, keep_counts=False, rng=2)
    truth = cells.uns["scpertbias_truth"]
    effects = pd.DataFrame(truth["expected_delta"], truth["perturbations"], truth["genes"])
    profiles = spb.tl.audit(cells, models=("no_change", "mean", "ridge"), regimes=("full",), n_random=0)["full"]
    spb.tl.add_predictions(
        profiles, effects, key_added="exact", kind="delta", fitted_on="other", test=list(effects.index)
    )
    spb.tl.score(profiles)
    return profiles


def read(profiles, name):
    table = spb.get.metric(profiles, metric=name)
    return table.set_index("model")


@pytest.mark.parametrize(
    ("name", "function", "best"),
    [
        ("mae", functions.mae, "lower"),
        ("rmse", functions.rmse, "lower"),
        ("pearson_delta", lambda x, y, c: correlation(x, y, c), "higher"),
    ],
)
def test_a_registered_metric_gives_the_score_of_the_registry(audited, name, function, best):
    profiles = audited
    metric(profiles, function, name=name, best=best, uses_control=False, n_perm=5, n_boot=20)
    table = read(profiles, name)
    summary = spb.get.summary(profiles, metric=name, subset="all").set_index("model")
    for model in ("no_change", "mean", "ridge", "exact"):
        assert table.loc[model, "n"] == summary.loc[model, "n"], model
        assert table.loc[model, "score"] == pytest.approx(summary.loc[model, "estimate"], rel=1e-6, abs=1e-9), model
        expected = pytest.approx(summary.loc[model, "ceiling"], rel=0.05, abs=0.02)
        assert table.loc[model, "ceiling"] == expected, model


def test_a_metric_of_ones_own(audited):
    """The five lines of a notebook."""
    profiles = audited

    def cosine(predicted, observed, control):
        x, y = predicted - control, observed - control
        return x @ y / np.sqrt((x @ x) * (y @ y))

    assert spb.tl.metric(profiles, cosine, name="cosine", n_perm=20, n_boot=20) is None
    table = read(profiles, "cosine")
    assert table.reset_index().columns.tolist() == columns("metric")
    exact, mean, none = (table.loc[model] for model in ("exact", "mean", "no_change"))
    assert none["n"] == 0
    assert none["note"].startswith("same prediction")
    assert "the function returns NaN for 30 of 30 perturbations" in none["note"]
    assert exact["scaled"] == pytest.approx(1, abs=0.15)
    assert exact["ci_low"] < exact["scaled"] < exact["ci_high"]
    assert exact["p"] < 0.05 < mean["p"] == 1
    assert mean["scaled"] == 0
    assert mean["specific_gain"] == 0
    assert mean["replicate"] < exact["ceiling"]
    assert "same prediction" in mean["note"]


def test_common_noise_of_the_control_is_no_merit():
    """Where nothing responds, the mean has a correlation with the control that both share, and none with halves of it."""
    rng = np.random.default_rng(0)
    labels = ["control"] * 100 + [f"P{i}" for i in range(40) for _ in range(50)]
    values = rng.normal(5, 1, size=(len(labels), 300)).clip(0).astype("float32")
    obs = pd.DataFrame({"perturbation": labels}, index=[f"c{i}" for i in range(len(labels))])
    adata = AnnData(values, obs)
    profiles = spb.tl.audit(adata, models=("mean",), covariates=(), regimes=("full",), n_random=0)["full"]
    for uses_control in (True, False):
        metric(profiles, functions.pearson, name=str(uses_control), uses_control=uses_control, n_boot=0, n_perm=0)
    assert read(profiles, "False").loc["mean", "score"] > 0.4
    assert abs(read(profiles, "True").loc["mean", "score"]) < 0.1
    assert read(profiles, "True").loc["mean", "note"].endswith("no reproducible response")


def test_rows_are_replaced_by_name(audited):
    profiles = audited
    profiles = profiles.copy()
    _store.put(profiles, metric=None)
    for name in ("one", "two", "one"):
        metric(profiles, functions.mae, name=name, best="lower", models="mean", n_perm=2, n_boot=0)
    table = spb.get.metric(profiles)
    assert table["metric"].tolist() == ["two", "one"]
    copied = metric(profiles, functions.mae, name="three", models="mean", n_perm=2, n_boot=0, copy=True)
    assert len(spb.get.metric(copied)) == 3
    assert len(spb.get.metric(profiles)) == 2


def test_what_is_not_a_choice_is_refused(audited):
    profiles = audited
    with pytest.raises(ValueError, match="`best`"):
        metric(profiles, functions.mae, name="x", best="smaller")
    with pytest.raises(ValueError, match="`per`"):
        metric(profiles, functions.mae, name="x", per="cell")


@pytest.mark.parametrize("name", ["de_direction", "de_auprc", "de_nmae"])
def test_scores_of_differential_expression_go_by_their_names(audited, name):
    """The same score, baseline and ceiling as those of the audit; the null and the interval with the control come on top."""
    metric(audited, name, name=name, n_perm=20, n_boot=50)
    table = read(audited, name)
    summary = spb.get.summary(audited, metric=name, subset="all").set_index("model")
    for model in ("no_change", "mean", "ridge", "exact"):
        assert table.loc[model, "n"] <= summary.loc[model, "n"], model
        assert table.loc[model, "score"] == pytest.approx(summary.loc[model, "estimate"], abs=0.03), model
        assert table.loc[model, "ceiling"] == pytest.approx(summary.loc[model, "ceiling"], abs=0.03), model
    assert table.loc["exact", "p"] < 0.06
    assert table.loc["exact", "specific_gain"] > 0
    assert table.loc["mean", "scaled"] == 0
    assert table.loc["exact", "ci_low"] > table.loc["mean", "scaled"]


def test_a_name_that_is_no_score(audited):
    with pytest.raises(ValueError, match="`function` is 'de_recall'; it must be one of"):
        metric(audited, "de_recall", name="x")
