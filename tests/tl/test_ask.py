import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info

import scpertbias as spb

QUESTIONS = (
    "confounding",
    "recurrence",
    "variance_ratio",
    "specificity",
    "on_target",
    "attribution_check",
    "attribution_agreement",
    "coupling",
)


@pytest.fixture(scope="module")
def mdata():
    cells = spb.ds.simulate(3000, 90, 14, rng=2)
    return spb.tl.audit(cells, models=("control", "mean", "ridge", "two_stage"), n_boot=50, n_random=1, n_folds=4)


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
    getattr(spb.tl, name)(alone, **({"n_boot": 50} if name != "recurrence" else {}))
    together = getattr(spb.get, name)(mdata).query("regime == 'full'").drop(columns="regime").reset_index(drop=True)
    pd.testing.assert_frame_equal(together, getattr(spb.get, name)(alone), check_like=True)


def test_coupling_takes_the_fits_at_hand(mdata):
    alone = spb._compat.copy_mudata(mdata)
    spb.tl.coupling(
        alone, pd.DataFrame({"source": mdata["full"].var_names[:1], "target": mdata["full"].var_names[1:2]})
    )
    given, again = (spb.get.coupling(m).set_index(["model", "regime", "rows"])["kappa"] for m in (mdata, alone))
    np.testing.assert_allclose(given["ridge"], again["ridge"], atol=1e-12)


def test_tables_only_leaves_coupling_out():
    cells = spb.ds.simulate(1500, 60, 6, rng=1)
    mdata = spb.tl.audit(cells, models=("mean", "ridge"), n_boot=10, n_random=0, n_folds=2, keep_predictions=False)
    with pytest.raises(KeyError, match="coupling"):
        spb.get.coupling(mdata)
    assert len(spb.get.recurrence(mdata))


def test_threads_are_afterwards_as_before():
    before = [pool["num_threads"] for pool in threadpool_info()]
    spb.tl.audit(spb.ds.simulate(1500, 60, 6, rng=1), models=("mean",), n_boot=10, n_random=0, n_folds=2)
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_the_screen_alone():
    cells = spb.ds.simulate(1500, 60, 6, rng=1)
    mdata = spb.tl.audit(cells, models=(), n_boot=10)
    assert len(spb.get.confounding(mdata))
    assert set(spb.get.recurrence(mdata)["model"]) == {"observed"}
    with pytest.raises(KeyError, match="scores"):
        spb.get.scores(mdata)
