import numpy as np
import pandas as pd

from scpertbias.tl._audit.questions import _each, of_regime


def counted(unseen):
    rows = [{"model": "observed", "n": min(np.isfinite(v).all(axis=1).sum() for v in unseen.values())}]
    return pd.DataFrame(rows + [{"model": name, "n": rows[0]["n"]} for name in unseen])


def test_a_model_that_predicts_few_does_not_cut_the_others():
    wide, narrow = np.zeros((10, 3)), np.zeros((10, 3))
    narrow[:7] = np.nan
    table = _each({"ridge": wide, "bilinear": narrow, "mean": wide}, counted)
    assert table["model"].tolist() == ["observed", "ridge", "mean", "bilinear"]
    assert table["n"].tolist() == [10, 10, 10, 3]


def test_no_model_asks_about_the_data():
    table = _each({}, lambda unseen: pd.DataFrame({"model": ["observed"], "asked": [len(unseen)]}))
    assert table["asked"].tolist() == [0]


def test_of_regime():
    table = pd.DataFrame({"regime": ["full", "no_mt"], "share": [0.1, 0.2]})
    assert of_regime(table, "no_mt")["share"].tolist() == [0.2]
    assert list(of_regime(table, "full").columns) == ["share"]
    assert of_regime(None, "full") is None
