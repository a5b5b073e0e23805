import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

import scpertbias as spb
from scpertbias import _store
from scpertbias.pl._colors import KNOWN
from scpertbias.pl._map import LOWEST, QUADRANTS


@pytest.fixture(scope="module")
def simulated():
    """The truth, half of it, the wrong one, and two constants, on half of a simulated screen."""
    cells = spb.ds.simulate(4_000, 200, 40, axis_strength=0.4, keep_counts=False, rng=2)
    spb.pp.split(cells, fractions=(0.5, 0.0, 0.5))
    data = spb.pp.profiles(cells)
    spb.tl.fit_mean(data)
    spb.tl.fit_ridge(data)
    truth = cells.uns["scpertbias_truth"]
    effects = pd.DataFrame(truth["expected_delta"], truth["perturbations"], truth["genes"])
    for name, factor in (("exact", 1), ("half", 0.5), ("far_off", -3)):
        spb.tl.add_predictions(data, factor * effects, key_added=name, kind="delta")
    spb.tl.score(data)
    spb.tl.specificity(data, n_perm=20)
    return data


def places(data):
    skill = spb.get.summary(data, metric="l2_skill", subset="all").set_index("model")
    specific = spb.get.specificity(data, metric="specific_skill").set_index("model")
    return skill, specific


def marks(ax):
    """Points by their color."""
    return {to_hex(line.get_markerfacecolor()).upper(): line for line in ax.lines if len(line.get_xdata()) == 1}


def test_marks_and_intervals_are_those_of_the_tables(simulated):
    ax = spb.pl.map(simulated, show=False)
    skill, specific = places(simulated)
    drawn, color = marks(ax), simulated.uns["model_colors"]
    for name in ("exact", "half"):
        mark = drawn[color[name]]
        assert mark.get_xdata()[0] == pytest.approx(skill.loc[name, "estimate"])
        assert mark.get_ydata()[0] == pytest.approx(specific.loc[name, "score"])
    segments = [c.get_segments()[0] for c in ax.collections if hasattr(c, "get_segments")]
    ends = {(round(s[0, 0], 6), round(s[1, 0], 6)) for s in segments}
    assert (round(skill.loc["exact", "ci_low"], 6), round(skill.loc["exact", "ci_high"], 6)) in ends
    assert ax.get_xlabel() == "skill on all effects  (0: mean baseline, 1: noise ceiling)"
    assert {name for name, *_ in QUADRANTS} <= {text.get_text().replace("\n", " ") for text in ax.texts}
    assert [
        line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":" and len(set(line.get_xdata())) == 1
    ] == [1]


def test_constants_are_one_mark_at_the_origin_with_their_names(simulated):
    ax = spb.pl.map(simulated, show=False)
    mark = marks(ax)[KNOWN["mean"]]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (0, 0)
    assert KNOWN["ridge"] not in marks(ax)
    assert "mean, ridge" in {text.get_text() for text in ax.texts}
    assert "◆: same prediction for all perturbations" in ax.get_title(loc="left").replace("\xa0", " ")


def test_with_combinations_the_baseline_is_named(simulated):
    data = simulated.copy()
    table = spb.get.summary(data)
    table.loc[(table["model"] == "mean") & (table["metric"] == "l2_skill"), "estimate"] = -0.1
    _store.put(data, summary=table)
    ax = spb.pl.map(data, show=False)
    assert "additive for combinations" in ax.get_xlabel()
    assert marks(ax)[KNOWN["mean"]].get_xdata()[0] == -0.1


def test_what_is_far_off_is_drawn_at_the_edge(simulated):
    ax = spb.pl.map(simulated, show=False)
    mark = marks(ax)[simulated.uns["model_colors"]["far_off"]]
    skill, _ = places(simulated)
    assert skill.loc["far_off", "estimate"] < LOWEST
    assert mark.get_xdata()[0] == ax.get_xlim()[0] == LOWEST
    assert mark.get_marker() in "<v"


def test_no_name_is_over_another(simulated):
    fig = spb.pl.map(simulated, return_fig=True)
    fig.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in fig.axes[0].texts if text.get_text()]
    assert len(boxes) == 4 + len(QUADRANTS)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert min(text.get_fontsize() for text in fig.findobj(Text) if text.get_text()) >= 8


def test_what_has_no_skill_is_named(simulated):
    data = simulated.copy()
    table = spb.get.summary(data)
    table.loc[(table["model"] == "half") & (table["metric"] == "l2_skill"), "estimate"] = np.nan
    _store.put(data, summary=table)
    ax = spb.pl.map(data, show=False)
    assert "without a skill score: half" in ax.get_title(loc="left")
    assert "20 held-out perturbations" in ax.get_title(loc="left")


def test_chosen_models(simulated):
    ax = spb.pl.map(simulated, models=["exact"], palette={"exact": "#123456"}, show=False)
    assert "#123456" in marks(ax)
    with pytest.raises(KeyError, match="'gears'"):
        spb.pl.map(simulated, models="gears")
    with pytest.raises(ValueError, match="not from an audit"):
        spb.pl.map(simulated, regime="full")


def test_an_audit_of_constants(small_audit):
    ax = spb.pl.map(small_audit, show=False)
    summary = spb.get.summary(small_audit, metric="l2_skill", subset="all").query("regime == 'full'")
    skill = summary.set_index("model").loc["no_change", "estimate"]
    mark = marks(ax)[KNOWN["no_change"]]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (max(skill, LOWEST), 0)
    assert KNOWN["mean"] in marks(ax)
    assert "regime" not in ax.get_title(loc="left")
