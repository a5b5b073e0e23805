"""Predictions of a model that was trained again in every regime enter as those of our own models do."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._core.matched_genes import Removals
from scpertbias.pp._regimes import removed
from scpertbias.tl._audit.by_regime import Retrained, split_predictions

REGIMES = ("full", "no_mt", "no_mt_ribo", "regressed")
PARAMS = {"n_components": 3}
N_RANDOM = 4


@pytest.fixture(scope="module")
def cells():
    adata = spb.ds.simulate(2_000, 150, 16, measured_targets=True, rng=3)
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    return adata


def bilinear(profiles):
    """What the model of this package predicts, trained on the split of some profiles."""
    spb.tl.fit_bilinear(profiles, **PARAMS)
    return spb.get.predictions(profiles, "bilinear")


@pytest.fixture(scope="module")
def tables(cells):
    """The bilinear model, trained elsewhere in every regime and without random genes."""
    profiles = spb.pp.profiles(cells, covariates=["pct_counts_mt", "pct_counts_ribo"])
    regimes = spb.pp.regimes(profiles)
    tables = {name: bilinear(regimes[name].copy()) for name in REGIMES}
    tables["full#2"] = tables["full"] * 1.01
    out = removed(profiles, "no_mt_ribo")
    removals = Removals("no_mt_ribo", out, ~out, _moments.of(profiles).moments.control)
    seed = int(np.random.default_rng(0).integers(2**32))
    for number in range(N_RANDOM):
        gone = removals.draw(np.random.default_rng([seed, number]))
        tables[f"random_{number + 1}"] = bilinear(profiles[:, ~gone].copy())
    return tables


@pytest.fixture(scope="module")
def mdata(cells, tables):
    posthoc = tables["full"]
    predictions = {"mine": tables, "once": posthoc}
    return spb.tl.audit(cells, models=("mean", "bilinear"), predictions=predictions, model_params={"bilinear": PARAMS})


def test_predictions_lie_in_the_regime_of_their_training(mdata, tables):
    for regime in REGIMES:
        pd.testing.assert_frame_equal(
            spb.get.predictions(mdata, "mine", regime=regime), tables[regime], check_names=False, check_freq=False
        )


def test_retraining_is_that_of_the_same_scores(mdata):
    scores = spb.get.scores(mdata, models="mine")
    scores = scores[scores["split"] == "test"]
    table = spb.get.retraining(mdata).set_index(["model", "regime"])
    assert {regime for model, regime in table.index if model == "mine"} == set(REGIMES[1:])
    for regime in REGIMES[1:]:
        of_regime = scores[scores["regime"] == regime].set_index(["trained_on", "perturbation"])["l2_ratio"]
        assert len(of_regime["full"]) == len(of_regime[regime]) == 8
        gain = (of_regime["full"] - of_regime[regime]).mean()
        assert table.loc[("mine", regime), "gain"] == pytest.approx(gain, abs=1e-12)
        assert gain != 0


def test_what_was_trained_once_is_never_retrained(mdata):
    """It is scored on the genes that are left, and no table counts that as another training."""
    scores = spb.get.scores(mdata, models="once")
    assert set(scores["trained_on"]) == {"full"}
    assert set(scores["regime"]) == set(REGIMES)
    for table in (spb.get.retraining(mdata), spb.get.coupling(mdata), spb.get.random_removals(mdata)):
        assert "once" not in set(table["model"])
        assert "mine" in set(table["model"])
    ranking = spb.get.ranking(mdata)
    assert {"mine"} == {name for name in (*ranking["model_a"], *ranking["model_b"]) if name in ("mine", "once")}


def test_coupling_is_beside_that_of_the_seed(mdata, tables):
    table = spb.get.coupling(mdata).set_index(["model", "regime", "rows"])
    profiles = mdata["full"]
    test = profiles.obs["split"].to_numpy() == "test"
    names = profiles.obs.loc[test, "perturbation"].astype(str)
    control = profiles[profiles.obs["is_reference"].to_numpy()].to_df().iloc[0]
    genes = tables["no_mt_ribo"].columns
    before, after, other = (tables[key].loc[names, genes] for key in ("full", "no_mt_ribo", "full#2"))
    size = np.linalg.norm(before - control[genes])
    row = table.loc[("mine", "no_mt_ribo", "unseen")]
    assert row["n"] == 8
    assert row["shift"] == pytest.approx(np.linalg.norm(after - before) / size, rel=1e-9)
    assert row["shift_seed"] == pytest.approx(np.linalg.norm(other - before) / size, rel=1e-9)


def test_random_removals_are_those_that_were_predicted(mdata, tables):
    row = spb.get.random_removals(mdata).set_index("model").loc["mine"]
    profiles = mdata["full"]
    test = profiles.obs["split"].to_numpy() == "test"
    truth = profiles[test].to_df().set_index(profiles.obs.loc[test, "perturbation"].astype(str))
    mean = profiles[~test & ~profiles.obs["is_reference"].to_numpy()].to_df().mean()

    def gain(after, genes):
        errors = (np.linalg.norm(t.loc[truth.index, genes] - truth[genes], axis=1) for t in (tables["full"], after))
        before, retrained = errors
        return np.nanmean((before - retrained) / np.linalg.norm(mean[genes] - truth[genes], axis=1))

    kept = tables["no_mt_ribo"].columns
    assert row["gain"] == pytest.approx(gain(tables["no_mt_ribo"], kept), abs=1e-9)
    draws = [tables[f"random_{i + 1}"] for i in range(N_RANDOM)]
    gains = np.array([gain(draw, kept.intersection(draw.columns)) for draw in draws])
    assert row["random_mean"] == pytest.approx(gains.mean(), abs=1e-9)
    assert row["n_random"] == N_RANDOM
    assert row["p"] == pytest.approx((1 + (gains >= row["gain"]).sum()) / (1 + N_RANDOM))


def test_tables_only_hold_the_same(cells, tables, mdata):
    lean = spb.tl.audit(
        cells,
        models=("mean",),
        predictions={"mine": tables},
        keep_predictions=False,
        n_random=0,
    )
    columns = ["regime", "gain", "ci_low", "p"]
    of_mine = (spb.get.retraining(data).query("model == 'mine'")[columns] for data in (lean, mdata))
    pd.testing.assert_frame_equal(*(table.reset_index(drop=True) for table in of_mine))
    assert spb.get.random_removals(lean)["model"].tolist() == ["mine"]


def audit(cells, trainings, **options):
    return spb.tl.audit(cells, models=("mean",), predictions={"mine": trainings}, n_random=0, **options)


def test_predictions_of_genes_left_out_are_no_retraining(cells, tables):
    with pytest.raises(ValueError, match=r"mine@no_mt predicts \d+ genes that this regime leaves out \(MT-"):
        audit(cells, {"full": tables["full"], "no_mt": tables["full"]})


@pytest.mark.parametrize(
    ("trainings", "message"),
    [
        ({"no_mt": 0}, r"'mine' has \['no_mt'\], but not 'full'"),
        ({"full": 0, "no_mitoo": 0}, r"mine@no_mitoo is unknown.*Did you mean 'no_mt'\?"),
        ({"full": 0, "no_mt#2": 0}, r"mine@no_mt#2: a second seed is only compared in the regime 'full'"),
    ],
)
def test_names_of_trainings(trainings, message):
    with pytest.raises(ValueError, match=message):
        split_predictions({"mine": trainings})


def test_regimes_that_the_audit_does_not_have(cells, tables):
    with pytest.raises(
        ValueError, match=r"mine@no_mt_ribo: this audit has no regime 'no_mt_ribo' \(it is not in regimes="
    ):
        audit(cells, {key: tables[key] for key in ("full", "no_mt_ribo")}, regimes=["no_mt"])


def test_another_test_set_is_refused(cells, tables):
    test = cells.obs.loc[cells.obs["split"] == "test", "perturbation"].unique().astype(str).tolist()
    trainings = {"full": tables["full"], "no_mt": {"predictions": tables["no_mt"], "test": test[:4]}}
    with pytest.raises(ValueError, match=r"the held-out perturbations of mine@no_mt differ from those of mine@full"):
        audit(cells, trainings)
    trainings["full"] = {"predictions": tables["full"], "test": test[:4]}
    assert set(spb.get.scores(audit(cells, trainings), models="mine", split="test")["perturbation"]) == set(test[:4])


def test_random_removals_take_as_many_genes(cells, tables):
    wide = tables["random_1"].iloc[:, :-1]
    with pytest.raises(
        ValueError,
        match=r"mine@random_1 lacks \d+ genes of the data; a random removal must leave out \d+ genes, as many",
    ):
        audit(cells, {**tables, "random_1": wide})
    with pytest.raises(ValueError, match=r"mine@random_1 lacks mitochondrial or ribosomal genes \((MT-|RP)"):
        audit(cells, {**tables, "random_1": tables["no_mt_ribo"]})


def test_an_error_names_the_training(cells, tables):
    shuffled = tables["no_mt"].set_axis(tables["no_mt"].columns[::-1], axis=1)
    with pytest.raises(ValueError, match=r"^mine@no_mt: `predictions`: genes seem to be shuffled"):
        audit(cells, {"full": tables["full"], "no_mt": shuffled})


def test_arguments_for_all_and_for_one():
    external, retrained = split_predictions(
        {
            "mine": {
                "predictions": {"full": "f", "full#2": "g", "random_2": {"predictions": "r", "kind": "x"}},
                "kind": "d",
            }
        }
    )
    assert external == {"mine": {"predictions": "f", "kind": "d"}}
    second, random = {"predictions": "g", "kind": "d"}, {2: {"predictions": "r", "kind": "x"}}
    assert retrained == {"mine": Retrained({}, second, random)}
    assert split_predictions({"gears": {"A": [1.0], "B+C": [2.0]}})[1] == {}
