import numpy as np
import pytest

import scpertbias as spb
from scpertbias.pl._metric import metric


def error(predicted, observed, control):
    return np.abs(predicted - observed).mean(axis=1)


@pytest.fixture(scope="module")
def profiles():
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    data = spb.pp.profiles(adata, batch_key="bio_rep")
    spb.tl.fit_mean(data)
    spb.tl.fit_no_change(data)
    spb.tl.metric(data, error, name="error", best="lower", uses_control=False, n_perm=9, n_boot=20)
    spb.tl.metric(data, lambda x, y, c: 1.0, name="nothing", n_perm=9, n_boot=20)
    return data


def test_points_are_those_of_the_table(profiles):
    ax = metric(profiles, "error", show=False)
    table = spb.get.metric(profiles, metric="error").set_index("model")
    points = {round(line.get_ydata()[0]): line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1}
    assert points == {0: table.loc["mean", "scaled"], 1: table.loc["no_change", "scaled"]}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mean", "no change"]
    texts = {text.get_text() for text in ax.texts}
    row = table.loc["no_change"]
    assert any(t.startswith(f"score {row['score']:.3g}, gain") and t.endswith(f"n = {row['n']}") for t in texts)
    assert {"mean baseline", "noise ceiling"} <= texts


def test_the_last_function_is_drawn_and_says_where_there_is_no_scale(profiles):
    ax = metric(profiles, models=["mean"], show=False)
    assert ax.get_xlabel().startswith("nothing")
    assert "not scaled" in {text.get_text() for text in ax.texts}
    with pytest.raises(KeyError, match="'ridge'"):
        metric(profiles, models=["ridge"], show=False)
    with pytest.raises(KeyError, match="'other'"):
        metric(profiles, "other", show=False)
