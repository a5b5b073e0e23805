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


def numbers_of(ax):
    """The numbers at the right, from the top."""
    return [text.get_text() for text in sorted(ax.texts, key=lambda text: text.xy[1])]


@pytest.mark.parametrize("metric", ["l2", "pearson_delta", "pearson_delta_perturbed", "off_axis"])
def test_points_are_those_of_the_table(profiles, metric):
    ax = specificity(profiles, metric, show=False)
    assert isinstance(ax, Axes)
    table = _store.table(profiles, "specificity", made_by="").set_index(["model", "metric"])
    drawn = [(round(line.get_ydata()[0]), line.get_xdata()[0]) for line in ax.lines]
    for y, model in enumerate(["mean", "no_change"]):
        row = table.loc[(model, metric)]
        for name in ("score", "mismatched") + (("score_half",) if metric != "off_axis" else ()):
            assert (y, row[name]) in drawn, (model, name)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mean", "no change"]
    numbers = numbers_of(ax)
    assert numbers[0].endswith("gain +0.00 (p = 1), n = 10")
    score = table.loc[("mean", metric), "score"]
    assert numbers[0].startswith(f"own {score:.2f}".replace("-", "−"))


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
    assert {0.0, 1.0} <= {float(line.get_xdata()[0]) for line in ax.lines if len(line.get_xdata()) == 2}
    points = {(line.get_ydata()[0], line.get_xdata()[0]) for line in ax.lines if len(line.get_xdata()) == 1}
    names = [label.get_text().replace(" ", "_") for label in ax.get_yticklabels()]
    assert set(names) == {"mean", "exact", "twice", "far_off"}
    for y, (name, text) in enumerate(zip(names, numbers_of(ax), strict=True)):
        row = skill.loc[name]
        assert f"n = {row['n']}, {row['category']}" in text
        interval = f" ({row['ci_low']:.2f} to {row['ci_high']:.2f})" if name != "mean" else ", "
        assert text.startswith(f"{row['score']:.2f}{interval}".replace("-0", "−0"))
        assert (y, max(row["score"], LOWEST)) in points
        fitted = table.loc[(name, "specific_fitted"), "score"]
        assert ((y, fitted) in points) == (fitted == fitted)
        slope = f"(× {table.loc[(name, 'specific_slope'), 'score']:.2g} fits best)"
        assert (slope in text) == (name == "twice")
    left, right = ax.get_xlim()
    assert left <= min(x for _, x in points)
    assert right > 1
    assert "0: shared axes only, 1: noise ceiling" in ax.get_xlabel()


def test_without_a_score_it_says_so():
    data = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    names = data.obs.loc[~data.obs["is_reference"], "perturbation"].astype(str).tolist()
    means = data.to_df().set_index(data.obs["perturbation"].astype(str))
    spb.tl.add_predictions(data, means.loc[names[:5]], key_added="few", test=names[:5])
    ask(data, n_perm=5)
    ax = specificity(data, show=False)
    assert numbers_of(ax) == ["no score, n = 5"]


def test_chosen_models(profiles):
    ax = specificity(profiles, models="no_change", show=False)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["no change"]
    with pytest.raises(KeyError, match="'ridge'"):
        specificity(profiles, models=["ridge"], show=False)
    with pytest.raises(KeyError, match="`metric` is 'rmse'"):
        specificity(profiles, "rmse", show=False)
    with pytest.raises(ValueError, match="not from an audit"):
        specificity(profiles, regime="no_mt", show=False)
