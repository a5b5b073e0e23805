import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias.tl._audit import questions
from scpertbias.tl._audit.questions import QUESTIONS, Question, _by_coverage, of_regime


def n_genes(results, regime, settings):
    genes = len(results.screens[regime].genes)
    return None if regime == "no_mt" else pd.DataFrame({"seed": [settings.rng], "n_genes": [genes]})


@pytest.mark.parametrize("models", [(), ("mean",)])
def test_a_question_is_one_row(monkeypatch, models):
    own = Question("n_genes", ("full", "no_mt", "no_mt_ribo"), n_genes)
    monkeypatch.setattr(questions, "QUESTIONS", (*QUESTIONS, own, own._replace(table="of_models", of_models=True)))
    mdata = spb.tl.audit(spb.ds.simulate(1500, 60, 6, rng=1), models=models, n_random=0, n_folds=2, rng=3)
    tables = mdata.uns["scpertbias"]
    assert tables["n_genes"].astype({"regime": str}).to_numpy().tolist() == [
        [3, regime, mdata[regime].n_vars] for regime in ("full", "no_mt_ribo")
    ]
    assert ("of_models" in tables) == bool(models)


def counted(unseen):
    rows = [{"model": "observed", "n": min(np.isfinite(v).all(axis=1).sum() for v in unseen.values())}]
    return pd.DataFrame(rows + [{"model": name, "n": rows[0]["n"]} for name in unseen])


def test_a_model_that_predicts_few_does_not_cut_the_others():
    wide, narrow = np.zeros((10, 3)), np.zeros((10, 3))
    narrow[:7] = np.nan
    table = _by_coverage({"ridge": wide, "bilinear": narrow, "mean": wide}, counted)
    assert table["model"].tolist() == ["observed", "ridge", "mean", "bilinear"]
    assert table["n"].tolist() == [10, 10, 10, 3]


def test_no_model_asks_about_the_data():
    table = _by_coverage({}, lambda unseen: pd.DataFrame({"model": ["observed"], "asked": [len(unseen)]}))
    assert table["asked"].tolist() == [0]


def test_of_regime():
    table = pd.DataFrame({"regime": ["full", "no_mt"], "share": [0.1, 0.2]})
    assert of_regime(table, "no_mt")["share"].tolist() == [0.2]
    assert list(of_regime(table, "full").columns) == ["share"]
