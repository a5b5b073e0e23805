import pytest
from matplotlib.axes import Axes

import scpertbias as spb
from scpertbias import _store
from scpertbias.pl._specificity import specificity
from scpertbias.tl._specificity import specificity as ask


@pytest.fixture(scope="module")
def profiles():
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    made = spb.pp.profiles(adata, batch_key="bio_rep")
    spb.tl.fit_mean(made)
    spb.tl.fit_no_change(made)
    ask(made, n_perm=50)
    return made


@pytest.mark.parametrize("metric", ["l2", "pearson_delta", "pearson_delta_perturbed", "off_axis"])
def test_points_are_those_of_the_table(profiles, metric):
    ax = specificity(profiles, metric, show=False)
    assert isinstance(ax, Axes)
    table = _store.table(profiles, "specificity", made_by="").set_index(["model", "metric"])
    drawn = [(round(line.get_xdata()[0]), line.get_ydata()[0]) for line in ax.lines]
    for x, model in enumerate(["mean", "no_change"]):
        row = table.loc[(model, metric)]
        for name in ("score", "mismatched") + (("score_half",) if metric != "off_axis" else ()):
            assert (x, row[name]) in drawn, (model, name)
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert [t.split("\n")[0] for t in ticks] == ["mean", "no change"]
    assert "n = 10" in ticks[0]
    assert "gain +0.00, p = 1" in ticks[0]


def test_chosen_models(profiles):
    ax = specificity(profiles, models="no_change", show=False)
    assert len(ax.get_xticklabels()) == 1
    with pytest.raises(KeyError, match="'ridge'"):
        specificity(profiles, models=["ridge"], show=False)
    with pytest.raises(KeyError, match="`metric` is 'rmse'"):
        specificity(profiles, "rmse", show=False)
    with pytest.raises(ValueError, match="not of an audit"):
        specificity(profiles, regime="no_mt", show=False)
