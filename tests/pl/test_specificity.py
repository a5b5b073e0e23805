import pandas as pd
import pytest
from matplotlib.axes import Axes

import scpertbias as spb
from scpertbias import _store
from scpertbias.pl._specificity import LOWEST, specificity
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


@pytest.fixture(scope="module")
def simulated():
    """Models of every category on a simulated screen."""
    cells = spb.ds.simulate(4_000, 200, 40, axis_strength=0.4, keep_counts=False, rng=2)
    spb.pp.split(cells, fractions=(0.5, 0.0, 0.5))
    data = spb.pp.profiles(cells)
    spb.tl.fit_mean(data)
    truth = cells.uns["scpertbias_truth"]
    effects = pd.DataFrame(truth["expected_delta"], truth["perturbations"], truth["genes"])
    for name, factor in (("exact", 1), ("twice", 2), ("far_off", -3)):
        spb.tl.add_predictions(data, factor * effects, key_added=name, kind="delta")
    ask(data, n_perm=20)
    return data


def test_the_specific_skill_comes_first(simulated):
    ax = specificity(simulated, show=False)
    table = _store.table(simulated, "specificity", made_by="").set_index(["model", "metric"])
    skill = table.xs("specific_skill", level="metric")
    assert set(skill["category"]) == {"perturbation-specific", "right direction, wrong size", "not specific"}
    assert {0.0, 1.0} <= {float(line.get_ydata()[0]) for line in ax.lines if len(line.get_xdata()) == 2}
    points = {line.get_xdata()[0]: line.get_ydata()[0] for line in ax.lines if len(line.get_xdata()) == 1}
    labels = [label.get_text().split("\n") for label in ax.get_xticklabels()]
    for x, (name, n, category, *size) in enumerate(labels):
        row = skill.loc[name.replace(" ", "_")]
        assert (n, category) == (f"n = {row['n']}", row["category"])
        assert bool(size) == (name == "twice")
        assert points[x] == max(row["score"], LOWEST)
    low, high = ax.get_ylim()
    assert low <= min(points.values())
    assert high > 1
    (slope,) = (size[0] for name, _, _, *size in labels if name == "twice")
    assert slope == f"(× {table.loc[('twice', 'specific_slope'), 'score']:.2g} fits best)"
    assert {"baseline: shared axes only (0)", "ceiling: the truth (1)"} <= {text.get_text() for text in ax.texts}


def test_without_a_score_it_says_so():
    data = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    names = data.obs.loc[~data.obs["is_reference"], "perturbation"].astype(str).tolist()
    means = data.to_df().set_index(data.obs["perturbation"].astype(str))
    spb.tl.add_predictions(data, means.loc[names[:5]], key_added="few", test=names[:5])
    ask(data, n_perm=5)
    ax = specificity(data, show=False)
    assert "no score" in {text.get_text() for text in ax.texts}


def test_chosen_models(profiles):
    ax = specificity(profiles, models="no_change", show=False)
    assert len(ax.get_xticklabels()) == 1
    with pytest.raises(KeyError, match="'ridge'"):
        specificity(profiles, models=["ridge"], show=False)
    with pytest.raises(KeyError, match="`metric` is 'rmse'"):
        specificity(profiles, "rmse", show=False)
    with pytest.raises(ValueError, match="not from an audit"):
        specificity(profiles, regime="no_mt", show=False)
