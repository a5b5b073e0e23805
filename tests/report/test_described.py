import pandas as pd

from scpertbias._report._described import COLUMNS, described
from scpertbias.tl import show_models


def test_every_model_that_can_be_fitted_is_described():
    known = show_models()
    models = pd.DataFrame({"model": known["model"], "regime": "full", "kind": known["model"], "n_cannot_predict": 0})
    found = described(pd.concat([models, models.assign(regime="no_mt")]))
    assert found["model"].tolist() == known["model"].tolist(), "once, and not for every regime"
    assert (found["unseen"].str.len() > 10).all()


def test_the_axis_is_that_of_the_name():
    rows = [
        {"model": name, "regime": "full", "kind": "grn_linear", "n_cannot_predict": 2}
        for name in ("a", "a_perturbations")
    ]
    found = described(pd.DataFrame(rows)).set_index("model")
    assert found.loc["a", "unseen"] == "one constant"
    assert found.loc["a_perturbations", "unseen"] == "its neighbors in the net"
    assert set(found["n_cannot_predict"]) == {2}


def test_unknown_kinds_and_no_models():
    rows = [{"model": "x", "regime": "full", "kind": "of another version", "n_cannot_predict": 0}]
    assert described(pd.DataFrame(rows))["unseen"].tolist() == [""]
    assert list(described(pd.DataFrame()).columns) == COLUMNS
