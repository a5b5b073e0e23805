"""Specific gain: exactly none for constants, some for an oracle, in every way of holding out."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments, _store
from scpertbias._tables import columns
from scpertbias.tl._compared import read_inputs
from scpertbias.tl._specificity import specificity, specificity_table

SKILLS = ["specific_skill", "specific_slope", "specific_fitted"]
METRICS = ["l2", "pearson_delta", "pearson_delta_perturbed", "off_axis"]


@pytest.fixture(scope="module")
def cells():
    return spb.ds.simulate(6_000, 400, 50, axis_strength=0.4, keep_counts=False, rng=2)


def oracle(cells, noise=0.1):
    truth = cells.uns["scpertbias_truth"]
    values = truth["expected_delta"] + truth["expected_control"]
    values = values + noise * np.random.default_rng(0).standard_normal(values.shape)
    return pd.DataFrame(values, index=truth["perturbations"], columns=truth["genes"])


def read(adata, **kwargs):
    specificity(adata, **kwargs)
    return _store.table(adata, "specificity", made_by="").set_index(["model", "metric"])


@pytest.fixture(scope="module", params=[5, 25, None], ids=["folds", "small_folds", "left_out_one_by_one"])
def audited(request, cells):
    n_folds = request.param or cells.obs["perturbation"].nunique() - 1
    profiles = spb.tl.audit(cells, models=("no_change", "mean", "ridge"), regimes=("full",), n_folds=n_folds)["full"]
    names = cells.uns["scpertbias_truth"]["perturbations"].tolist()
    spb.tl.add_predictions(profiles, oracle(cells), key_added="oracle", test=names)
    spb.tl.add_predictions(profiles, oracle(cells, noise=0), key_added="exact", test=names)
    return profiles


def test_constants_gain_nothing_and_an_oracle_does(audited):
    table = read(audited, n_perm=199)
    for model in ("no_change", "mean", "ridge"):
        rows = table.loc[[(model, m) for m in METRICS]]
        assert rows["specific_gain"].abs().max() < 1e-10, model
        assert (rows["p"] == 1).all(), model
        skill = table.loc[(model, "specific_skill")]
        assert skill[["score", "ci_low", "ci_high"]].tolist() == [0, 0, 0], model
        assert skill["category"] == "not specific"
    rows = table.loc[[("oracle", m) for m in METRICS]]
    assert (rows["specific_gain"] > 0).all()
    assert (rows["ci_low"] > 0).all()
    assert (rows["p"] < 0.05).all()
    assert (rows["specific_gain"] < 1.1 * rows["ceiling_gain"]).all()
    skill, exact = table.loc[("oracle", "specific_skill")], table.loc[("exact", "specific_skill")]
    assert skill["category"] == "right direction, wrong size"  # noise of half the size of what it knows
    assert exact["category"] == "perturbation-specific"
    assert exact["ci_low"] < 1 < exact["ci_high"]
    assert (table.drop(index="specific_skill", level="metric")["category"] == "").all()


def test_constants_are_found_without_being_told(audited):
    """Also a mean weighted by cells, which differs from the training mean and, between fits, with what is left out."""
    inputs = read_inputs(audited, ["mean", "ridge", "oracle"], need_models=True)
    screen, tables = inputs.screen, dict(inputs.predictions)
    merged = screen.merged
    weighted = np.full_like(tables["mean"], np.nan)
    fold = np.array([inputs.folds.get(name, -1) for name in screen.names])
    for r in set(inputs.folds.values()):
        train = (fold >= 0) & (fold != r)
        weighted[fold == r] = merged.moments.n[train] @ merged.moments.mean[train] / merged.moments.n[train].sum()
    table = specificity_table(screen, {**tables, "weighted": weighted}, folds=inputs.folds, n_perm=50)
    table = table.set_index(["model", "metric"])
    for model in ("mean", "ridge", "weighted"):
        assert table.loc[[(model, m) for m in METRICS], "specific_gain"].abs().max() < 1e-10, model
    assert (table.loc[[("oracle", m) for m in METRICS], "specific_gain"] > 0).all()


def test_one_split(cells):
    adata = cells.copy()
    spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    profiles = spb.pp.profiles(adata)
    spb.tl.fit_mean(profiles)
    test = profiles.obs.loc[profiles.obs["split"] == "test", "perturbation"].astype(str).tolist()
    spb.tl.add_predictions(profiles, oracle(cells).loc[test], key_added="oracle")
    table = read(profiles)
    assert (table["n"] == len(test)).all()
    assert table.loc[("mean", "l2"), "specific_gain"] == 0
    assert table.loc[("oracle", "pearson_delta_perturbed"), "p"] < 0.05
    # the same by hand: own less the mean of all others', about the mean of the training perturbations
    screen = _moments.of(profiles)
    m = screen.moments
    genes = np.arange(m.mean.shape[1])
    train = m.mean[(screen.split == "train") & screen.used & (screen.perturbation > 0)].mean(axis=0)
    rows = [screen.names.index(name) for name in test]
    observed = m.mean[[int(np.flatnonzero(screen.perturbation == r)[0]) for r in rows]][:, genes] - train
    predicted = oracle(cells).loc[test].to_numpy() - train
    matrix = np.corrcoef(observed, predicted)[: len(test), len(test) :]
    own = matrix.diagonal().mean()
    wrong = (matrix.sum() - matrix.trace()) / (len(test) * (len(test) - 1))
    row = table.loc[("oracle", "pearson_delta_perturbed")]
    assert row["score"] == pytest.approx(own)
    assert row["mismatched"] == pytest.approx(wrong)
    assert row["specific_gain"] == pytest.approx(own - wrong)


def test_the_axis_alone(cells):
    """What knows only the axis scores as the axis does, and nothing off it."""
    profiles = spb.tl.audit(cells, models=("mean",), regimes=("full",), n_folds=5)["full"]
    truth = cells.uns["scpertbias_truth"]
    delta = truth["expected_delta"]
    mean = delta.mean(axis=0)
    along = np.outer(delta @ mean / (mean @ mean), mean) + truth["expected_control"]
    frame = pd.DataFrame(along, index=truth["perturbations"], columns=truth["genes"])
    spb.tl.add_predictions(profiles, frame, key_added="axis", test=truth["perturbations"].tolist())
    table = read(profiles, n_perm=50)
    row = table.loc[("axis", "pearson_delta")]
    assert 0.8 * row["score_half"] < row["axis_only"] < row["score_half"]  # it is made from half of the cells
    assert table.loc[("axis", "pearson_delta"), "specific_gain"] > 0  # it knows how far each moves
    # the training axis is known up to noise; off it is left what the true one differs by
    assert abs(table.loc[("axis", "off_axis"), "specific_gain"]) < table.loc[("axis", "off_axis"), "ceiling_gain"] / 2
    assert table.loc[("axis", "off_share"), "score"] < 0.25 * table.loc[("observed", "off_share"), "score"]
    assert table.loc[("axis", "specific_skill"), "category"] == "not specific"
    observed = 1 - truth["share"]["systematic"]
    assert table.loc[("observed", "off_share"), "score"] == pytest.approx(observed, abs=0.1)


def test_models_are_judged_on_what_they_predict(cells):
    profiles = spb.tl.audit(cells, models=("mean",), regimes=("full",), n_folds=5)["full"]
    some = oracle(cells).iloc[:20]
    some = some[some.index.isin(profiles.obs.loc[profiles.obs["used"], "perturbation"])]
    alone = read(profiles, n_perm=50)
    spb.tl.add_predictions(profiles, some, key_added="oracle", test=some.index.tolist())
    table = read(profiles, n_perm=50)
    assert table.columns.tolist() == columns("specificity")[2:]
    assert (table.loc["oracle", "n"] == len(some)).all()
    pd.testing.assert_frame_equal(table.loc[["mean"]], alone.loc[["mean"]])
    assert table.loc[("observed", "l2"), "n"] == alone.loc[("mean", "l2"), "n"]


def test_real_screen():
    adata = spb.ds.papalexi_2021()
    profiles = spb.tl.audit(
        adata, batch_key="bio_rep", models=("no_change", "mean", "ridge", "bilinear"), regimes=("full",)
    )["full"]
    table = read(profiles)
    assert (table.loc[["mean", "ridge", "no_change"]]["specific_gain"].dropna() == 0).all()
    assert table.loc[("observed", "pearson_delta_perturbed"), "specific_gain"] > 0.5
    assert table.loc[("bilinear", "l2"), "note"] == "only 9 perturbations: no interval, no ranking"
    assert table.loc[[("bilinear", m) for m in SKILLS], "score"].isna().all()
    assert table.loc[("bilinear", "specific_skill"), "category"] == ""
    assert np.isnan(table.loc[("bilinear", "l2"), "ci_low"])
    assert np.isnan(table.loc[("no_change", "off_share"), "score"])
    again = specificity(profiles, copy=True, rng=0)
    pd.testing.assert_frame_equal(read(again), table)


def test_no_model():
    with pytest.raises(KeyError, match="No model is stored"):
        specificity(spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep"))


def test_ceilings_are_those_of_the_summary():
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    spb.tl.fit_mean(profiles)
    spb.tl.score(profiles)
    spb.tl.specificity(profiles, n_perm=20)
    summary = spb.get.summary(profiles, models="mean", subset="all").set_index("metric")["ceiling"]
    table = spb.get.specificity(profiles, models="mean").set_index("metric")["ceiling"]
    for metric in ("l2", "pearson_delta", "pearson_delta_perturbed"):
        assert table[metric] == pytest.approx(summary[metric], rel=1e-9)
