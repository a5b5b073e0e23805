import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info

import scpertbias as spb
from scpertbias import _moments
from scpertbias._core.resampling import benjamini_hochberg
from scpertbias._models._base import Solution
from scpertbias.tl._audit.cross_fit import Variant
from scpertbias.tl._audit.error_by_n_genes import error_by_n_genes_table
from scpertbias.tl._audit.fits import Fits
from scpertbias.tl._audit.make_tables import left_out_table, models_table, only_unseen, summaries
from scpertbias.tl._audit.retraining import score_regimes

QUESTIONS = (
    "confounding",
    "recurrence",
    "variance_ratio",
    "specificity",
    "target_response",
    "attribution_check",
    "attribution_agreement",
    "coupling",
)


@pytest.fixture(scope="module")
def mdata():
    cells = spb.ds.simulate(3000, 90, 14, rng=2)
    return spb.tl.audit(cells, models=("no_change", "mean", "ridge", "two_stage"), n_random=1, n_folds=4)


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_is_answered_with_its_regime(mdata, name):
    table = getattr(spb.get, name)(mdata)
    assert len(table)
    assert set(table["regime"]) <= set(mdata.mod)


def test_the_data_are_asked_where_no_gene_is_left_out(mdata):
    assert set(spb.get.confounding(mdata)["regime"]) == {"full", "regressed"}


def test_recurrence_is_asked_in_every_regime(mdata):
    assert set(spb.get.recurrence(mdata)["regime"]) == set(mdata.mod)


@pytest.mark.parametrize("name", ["recurrence", "variance_ratio", "specificity"])
def test_the_answer_is_that_of_the_question_alone(mdata, name):
    alone = mdata["full"].copy()
    getattr(spb.tl, name)(alone)
    together = getattr(spb.get, name)(mdata).query("regime == 'full'").drop(columns="regime").reset_index(drop=True)
    pd.testing.assert_frame_equal(together, getattr(spb.get, name)(alone), check_like=True)


def test_coupling_takes_the_fits_at_hand(mdata):
    alone = spb._compat.copy_mudata(mdata)
    spb.tl.coupling(
        alone, pd.DataFrame({"source": mdata["full"].var_names[:1], "target": mdata["full"].var_names[1:2]})
    )
    given, again = (spb.get.coupling(m).set_index(["model", "regime", "rows"])["shift"] for m in (mdata, alone))
    np.testing.assert_allclose(given["ridge"], again["ridge"], atol=1e-12)


def test_tables_only_leaves_coupling_out():
    cells = spb.ds.simulate(1500, 60, 6, rng=1)
    mdata = spb.tl.audit(cells, models=("mean", "ridge"), n_random=0, n_folds=2, keep_predictions=False)
    with pytest.raises(KeyError, match="coupling"):
        spb.get.coupling(mdata)
    assert len(spb.get.recurrence(mdata))


def test_threads_are_afterwards_as_before():
    before = [pool["num_threads"] for pool in threadpool_info()]
    spb.tl.audit(spb.ds.simulate(1500, 60, 6, rng=1), models=("mean",), n_random=0, n_folds=2)
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_the_screen_alone():
    cells = spb.ds.simulate(1500, 60, 6, rng=1)
    mdata = spb.tl.audit(cells, models=())
    assert len(spb.get.confounding(mdata))
    assert set(spb.get.recurrence(mdata)["model"]) == {"observed"}
    with pytest.raises(KeyError, match="scores"):
        spb.get.scores(mdata)


NONE = {"full": {}, "no_mt": {}}


def setting():
    screen = _moments.of(spb.ds.simulate(1500, 30, 12, rng=0))
    folds = {n: i % 3 for i, n in enumerate(screen.names[1:])}
    rng = np.random.default_rng(0)
    table = screen.moments.control + rng.normal(0, 0.2, (13, 30))
    gaps = table.copy()
    gaps[[1, 2]] = np.nan
    fits = {
        "full": Fits(
            {
                "a": Solution(table),
                "b": Solution(gaps, note="same prediction for every unseen perturbation", constant=True),
            },
            {},
        ),
        "no_mt": Fits({"a": Solution(table + rng.normal(0, 0.02, table.shape))}, {"b": "because"}),
    }
    return screen, folds, fits


def test_models_and_what_is_left_out():
    screen, folds, fits = setting()
    models = [Variant("a", "kind_a", {}), Variant("b", "kind_b", {})]
    theirs = {"kind": "external", "unpredicted": [screen.names[1], "elsewhere"], "note": "x"}
    outside = {"full": {"theirs": theirs}, "no_mt": {}}
    table = models_table(fits, models, folds, screen.names, outside)
    assert table.to_numpy().tolist() == [
        ["a", "full", "kind_a", 0, ""],
        ["b", "full", "kind_b", 2, "same prediction for every unseen perturbation"],
        ["theirs", "full", "external", 1, "x"],
        ["a", "no_mt", "kind_a", 0, ""],
    ]
    left_out = left_out_table(fits, [("c", "full", "no cells")]).to_numpy().tolist()
    assert left_out == [["b", "no_mt", "because"], ["c", "full", "no cells"]]


def test_one_family_and_one_common_set_over_regimes():
    screen, folds, fits = setting()
    predictions = {r: {n: s.predictions for n, s in f.solutions.items()} for r, f in fits.items()}
    scores = score_regimes({"full": screen, "no_mt": screen}, predictions, folds, n_top_genes=20)
    table = summaries(scores, fits, NONE)
    assert list(table.columns[:4]) == ["model", "regime", "subset", "metric"]
    for _, rows in table.groupby("model"):
        np.testing.assert_allclose(rows["q"], benjamini_hochberg(rows["p"].to_numpy()))
    full = table[(table["model"] == "a") & (table["regime"] == "full")]
    assert not np.allclose(full["q"], benjamini_hochberg(full["p"].to_numpy()), equal_nan=True)
    common = table[(table["subset"] == "common") & (table["metric"] == "l2")]
    assert common["n"].tolist() == [10, 10, 10]
    noted = table[table["note"].str.contains("one prediction")]
    assert set(noted["model"]) == {"b"}


def test_errors_of_external_models_are_of_what_they_have_not_seen():
    screen, folds, fits = setting()
    predictions = {r: {n: s.predictions for n, s in f.solutions.items()} for r, f in fits.items()}
    predictions["full"]["theirs"] = predictions["full"]["a"]
    records = {**NONE, "full": {"theirs": {"test": np.array(screen.names[4:7])}}}
    unseen = only_unseen(predictions, {"full": screen, "no_mt": screen}, records, folds, fits)
    n = {}
    for regime, tables in unseen.items():
        table = error_by_n_genes_table(screen, tables, folds=folds)
        n[regime] = table[table["n_genes"] == 30].set_index(["model", "subset"])["n"].to_dict()
    assert n["full"] == {
        ("a", "all"): 12,
        ("a", "common"): 3,
        ("b", "all"): 10,
        ("b", "common"): 3,
        ("theirs", "all"): 3,
        ("theirs", "common"): 3,
    }
    assert n["no_mt"] == {("a", "all"): 12, ("a", "common"): 12}
