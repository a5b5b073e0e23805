import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import scpertbias as spb
from scpertbias._core.metrics import METRICS
from scpertbias.pl._colors import KNOWN
from scpertbias.pl._score import LABELS


@pytest.fixture(scope="module")
def profiles():
    adata = spb.ds.simulate(2500, 60, 20, rng=0)
    spb.pp.split(adata, fractions=(0.5, 0, 0.5))
    made = spb.pp.profiles(adata)
    spb.tl.fit_no_change(made)
    spb.tl.fit_mean(made)
    spb.tl.fit_ridge(made)
    spb.tl.score(made)
    return made


def held_out(profiles, model):
    scores = spb.get.scores(profiles)
    return scores[(scores["model"] == model) & (scores["split"] == "test")]


def lines(ax, style):
    """Levels of the horizontal lines of a style, by the position of their middle."""
    found = {}
    for collection in ax.collections:
        for (_, dashes), segment in zip(
            collection.get_linestyle(),
            collection.get_segments() if hasattr(collection, "get_segments") else [],
            strict=False,
        ):
            kind = None if dashes is None else ("dotted" if dashes[0] < 2 * collection.get_linewidth()[0] else "dashed")
            if kind == style:
                found[round(float(segment[:, 0].mean()))] = float(segment[0, 1])
    return found


def medians(ax):
    black = [line for line in ax.lines if len(line.get_ydata()) == 2 and line.get_linewidth() == 1.6]
    return [line.get_ydata()[0] for line in black]


@pytest.mark.parametrize("metric", ["l2", "mae", "pearson_delta", "mse_de20", "l2_ratio"])
def test_boxes_and_lines_are_those_of_the_table(profiles, metric):
    ax = spb.pl.score(profiles, metric, models=["ridge", "no_change"], show=False)
    for x, model in enumerate(["ridge", "no_change"]):
        frame = held_out(profiles, model)
        assert medians(ax)[x] == pytest.approx(frame[metric].median())
        baseline = 1.0 if metric == "l2_ratio" else frame[f"{metric}_baseline"].median()
        assert lines(ax, "dashed")[x] == pytest.approx(baseline)
        assert lines(ax, "dotted")[x] == pytest.approx(frame[f"{metric}_ceiling"].median())
        markers = [c for c in ax.collections if not hasattr(c, "get_segments")]
        if f"{metric}_unshared" in frame:
            hollow, full = markers[2 * x : 2 * x + 2]
            assert len(hollow.get_facecolor()) == 0
            np.testing.assert_allclose(sorted(hollow.get_offsets()[:, 1]), sorted(frame[metric]))
            np.testing.assert_allclose(sorted(full.get_offsets()[:, 1]), sorted(frame[f"{metric}_unshared"]))
        else:
            np.testing.assert_allclose(sorted(markers[x].get_offsets()[:, 1]), sorted(frame[metric]))


def test_plain_and_unshared_scores_are_drawn_alike_under_either_name(profiles):
    texts, heights = [], []
    for metric in ("pearson_delta_perturbed", "pearson_delta_perturbed_unshared"):
        ax = spb.pl.score(profiles, metric, models="no_change", show=False)
        markers = [c.get_offsets()[:, 1] for c in ax.collections if not hasattr(c, "get_segments")]
        heights.append(np.concatenate(markers))
        texts.append([t.get_text() for t in ax.get_legend().get_texts()])
        assert medians(ax)[0] == pytest.approx(held_out(profiles, "no_change")[metric].median())
    np.testing.assert_array_equal(*heights)
    assert texts[0] == texts[1]
    assert texts[0][-2:] == ["plain", "without shared noise"]
    alone = spb.pl.score(profiles, "cosine_delta_unshared", models="no_change", show=False)
    assert "plain" not in [t.get_text() for t in alone.get_legend().get_texts()]


def test_every_model_says_on_how_many(profiles):
    adata = profiles.copy()
    table = spb.get.predictions(adata, "ridge")
    some = adata.obs["perturbation"][adata.obs["split"] == "test"].astype(str).tolist()[:4]
    spb.tl.add_predictions(adata, table.loc[some], key_added="mine")
    spb.tl.score(adata)
    ax = spb.pl.score(adata, show=False)
    labels = [t.get_text() for t in ax.get_xticklabels()]
    assert labels == ["no change\nn = 10", "mean\nn = 10", "ridge\nn = 10", "mine\nn = 4"]
    assert ax.get_title() == "10 held-out perturbations"
    mine = held_out(adata, "mine").dropna(subset="l2")
    other = spb.pl.l2(adata, show=False)
    assert lines(other, "dashed")[3] == pytest.approx(mine["l2_baseline"].median())


def test_labels_say_the_unit_and_the_direction(profiles):
    assert set(LABELS) == set(METRICS)
    for metric in LABELS:
        ax = spb.pl.score(profiles, metric, show=False)
        better = "higher" if METRICS[metric].higher_is_better else "lower"
        assert f"{better} is better" in ax.get_ylabel()
        legend = [t.get_text() for t in ax.get_legend().get_texts()]
        assert any("chance" in t for t in legend) == (metric == "discrimination")
        assert any("ceiling" in t for t in legend) == (metric != "discrimination")
        plt.close(ax.figure)


def test_l2_is_the_l2(profiles):
    ax = spb.pl.l2(profiles, models="ridge", show=False)
    assert medians(ax) == [pytest.approx(held_out(profiles, "ridge")["l2"].median())]
    assert "L2 error" in ax.get_ylabel()


def test_palette(profiles):
    ax = spb.pl.score(profiles, models=["mean", "ridge"], palette={"ridge": "#ff0000"}, show=False)
    assert ax.patches[1].get_facecolor()[:3] == (1, 0, 0)
    assert ax.patches[0].get_facecolor()[:3] == to_rgb(KNOWN["mean"])


def test_what_is_returned(profiles, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    assert isinstance(spb.pl.score(profiles, show=False), Axes)
    assert isinstance(spb.pl.l2(profiles, return_fig=True), Figure)
    assert not shown
    assert spb.pl.score(profiles, show=True) is None
    assert shown == [1]
    figure, ax = plt.subplots()
    spb.pl.score(profiles, ax=ax, show=True)
    assert shown == [1]
    assert medians(ax)
    assert spb.pl.score(profiles, figsize=(5, 3), return_fig=True).get_size_inches().tolist() == [5, 3]
    assert figure.axes == [ax]


def test_regime():
    mdata = spb.tl.audit(spb.ds.simulate(1500, 40, 8, rng=0), models=("no_change", "mean"))
    ax = spb.pl.score(mdata, "l2", models="no_change", regime="no_mt", show=False)
    scores = spb.get.scores(mdata)
    mine = scores[(scores["model"] == "no_change") & (scores["regime"] == "no_mt") & (scores["trained_on"] == "no_mt")]
    assert medians(ax) == [pytest.approx(mine["l2"].median())]
    assert "no_mt" in ax.get_title()


def test_nothing_held_out(profiles):
    adata = profiles.copy()
    adata.obs["split"] = "train"
    spb.tl.fit_mean(adata)
    spb.tl.score(adata, "mean")
    with pytest.raises(ValueError, match="no scores of held-out perturbations"):
        spb.pl.score(adata, show=False)


def test_unknown_metric(profiles):
    with pytest.raises(KeyError, match="`metric` is 'l3'.*'l2'"):
        spb.pl.score(profiles, "l3")
    with pytest.raises(KeyError, match=r"`metric` is 'l2_skill'.*'l2'.*see spb\.get\.summary"):
        spb.pl.score(profiles, "l2_skill")
