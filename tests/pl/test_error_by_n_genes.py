import numpy as np
import pytest

import scpertbias as spb
from scpertbias.get._scores import error_by_n_genes as table_of
from scpertbias.pl._error_by_n_genes import error_by_n_genes


@pytest.fixture(scope="module")
def mdata():
    adata = spb.ds.papalexi_2021()
    return spb.tl.audit(adata, batch_key="bio_rep", models=("no_change", "mean", "bilinear"), n_random=0)


def line(ax, label):
    return next(x for x in ax.lines if x.get_label().startswith(label))


@pytest.mark.parametrize("metric", ["l2", "l2_ratio"])
@pytest.mark.parametrize("subset", ["all", "common"])
def test_lines_are_those_of_the_table(mdata, metric, subset):
    table = table_of(mdata)
    table = table[(table["regime"] == "full") & (table["subset"] == subset)].set_index("model")
    ax = error_by_n_genes(mdata, metric, subset=subset, show=False)
    for model in ("no_change", "bilinear"):
        drawn = line(ax, f"{model.replace('_', ' ')} (n = {table.loc[model, 'n'].iloc[0]})")
        np.testing.assert_allclose(drawn.get_xdata(), table.loc[model, "n_genes"])
        np.testing.assert_allclose(drawn.get_ydata(), table.loc[model, metric])
    np.testing.assert_allclose(line(ax, "noise ceiling").get_ydata(), table.loc["mean", f"{metric}_ceiling"])
    baseline = table.loc["mean", "l2_baseline"] if metric == "l2" else 1.0
    np.testing.assert_allclose(line(ax, "mean baseline").get_ydata(), baseline)
    assert "lower is better" in ax.get_ylabel()


def test_regime_and_models(mdata):
    ax = error_by_n_genes(mdata, models="no_change", regime="no_mt", show=False)
    assert line(ax, "no change").get_xdata()[-1] == mdata["no_mt"].n_vars
    assert "no_mt" in ax.get_title()
    assert len(ax.lines) == 3
    colors = {line(error_by_n_genes(mdata, models=m, show=False), "mean (").get_color() for m in (None, "mean")}
    assert len(colors) == 1


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"metric": "mae"}, "metric"),
        ({"subset": "some"}, "subset"),
        ({"models": "x"}, "models"),
        ({"regime": "x"}, "regime"),
    ],
)
def test_what_is_not_there(mdata, kwargs, match):
    with pytest.raises(KeyError, match=match):
        error_by_n_genes(mdata, **kwargs)
