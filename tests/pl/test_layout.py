"""Figures at their default size: no text is small, cut off or over another, and none is a formula."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import scpertbias as spb
from scpertbias.pl._layout import SMALLEST, legend_below, make_readable, place_names


def texts(figure, monkeypatch):
    """Return the texts that are drawn."""
    drawn = []
    original = Text.draw

    def draw(self, renderer):
        if isinstance(renderer, RendererAgg) and self.get_visible() and self.get_text().strip():
            drawn.append(self)
        return original(self, renderer)

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", draw)
        figure.canvas.draw()
    return list(dict.fromkeys(drawn))


def box_of(text):
    """Return the box of a text, without the arrow of an annotation."""
    return Text.get_window_extent(text)


def faults(figure, monkeypatch):
    """Describe what keeps a figure from being read."""
    drawn = texts(figure, monkeypatch)
    page = figure.bbox.padded(1)
    boxes = [(text, box_of(text)) for text in drawn]
    small = [f"small: {text.get_text()}" for text in drawn if text.get_fontsize() < SMALLEST]
    cut = [
        f"cut off: {t.get_text()}" for t, b in boxes if not (page.contains(b.x0, b.y0) and page.contains(b.x1, b.y1))
    ]
    formulas = [f"formula: {text.get_text()}" for text in drawn if "$" in text.get_text()]
    straight = [(text, box.padded(-1)) for text, box in boxes if text.get_rotation() % 90 == 0]
    over = [f"{a.get_text()} is over {b.get_text()}" for (a, p), (b, q) in combinations(straight, 2) if p.overlaps(q)]
    return [*small, *cut, *formulas, *over]


PLOTS = {
    "balance": {},
    "comparison": {},
    "composition": {},
    "confounding": {},
    "effect_size": {},
    "embedding": {},
    "heatmap": {},
    "map": {},
    "perturbations": {},
    "power": {},
    "recurrence": {},
    "retraining": {},
    "score": {},
    "specificity": {"metric": "l2"},
    "target_response": {},
    "variance_ratio": {},
}


@pytest.mark.parametrize("name", PLOTS)
def test_every_text_can_be_read(small_audit, name, monkeypatch):
    figure = getattr(spb.pl, name)(small_audit, **PLOTS[name], return_fig=True)
    assert not faults(figure, monkeypatch)
    plt.close(figure)


@pytest.mark.parametrize("name", ["perturbation", "top_genes"])
def test_every_text_about_one_perturbation_can_be_read(small_audit, name, monkeypatch):
    perturbation = spb.get.perturbations(small_audit)["perturbation"].iloc[0]
    figure = getattr(spb.pl, name)(small_audit, perturbation, return_fig=True)
    assert not faults(figure, monkeypatch)
    plt.close(figure)


def test_faults_are_detected(monkeypatch):
    figure, ax = plt.subplots(figsize=(2, 2))
    ax.text(0.5, 0.5, "a long text that goes beyond the edge")
    ax.text(0.5, 0.5, "over", fontsize=6)
    kinds = {fault.split(":")[0] for fault in faults(figure, monkeypatch)}
    assert {"small", "cut off", "a long text that goes beyond the edge is over over"} <= kinds


@pytest.mark.parametrize("height", [1.5, 8])
def test_a_legend_is_below_the_label_and_not_wider_than_the_axes(height):
    figure, ax = plt.subplots(figsize=(4, height), layout="constrained")
    ax.set_xlabel("two\nlines")
    handles = [ax.plot([0, 1], [0, i], label=f"a longer name of line {i}")[0] for i in range(4)]
    legend_below(ax, handles)
    figure.canvas.draw()
    legend, label = ax.get_legend().get_window_extent(), ax.xaxis.label.get_window_extent()
    assert 0 <= legend.y0 < legend.y1 <= label.y0
    assert label.y0 - legend.y1 < 0.2 * figure.dpi
    assert 0 <= legend.x0 < legend.x1 <= figure.bbox.x1
    assert ax.get_legend()._ncols == 2


def test_powers_of_ten_are_numbers_and_long_titles_are_wrapped(monkeypatch):
    figure, ax = plt.subplots(figsize=(3, 3), layout="constrained")
    ax.loglog([0.001, 1000], [0.001, 1000])
    ax.set_title("a title of many words that is much wider than the figure below it")
    make_readable(ax)
    assert not faults(figure, monkeypatch)
    assert {"0.001", "1000"} <= {label.get_text() for label in ax.get_xticklabels()}


def test_names_keep_clear_of_points_and_each_other():
    figure, ax = plt.subplots()
    places = np.array([[0.5, 0.5], [0.5, 0.5], [0.51, 0.5], [0.0, 0.0]])
    ax.set(xlim=(-1, 1), ylim=(-1, 1))
    figure.draw_without_rendering()
    marks = [Bbox([place - 4, place + 4]) for place in ax.transData.transform(places)]
    names = place_names(ax, places, ["first", "second", "third", "far"], avoid=marks)
    assert [text.get_text() for text in names] == ["first", "second", "third", "far"]
    boxes = [*(text.get_window_extent() for text in names), marks[0], marks[3]]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    everywhere = [ax.bbox]
    assert not place_names(ax, places, list("abcd"), avoid=everywhere)
    assert len(ax.texts) == len(names)


def test_a_name_far_from_its_point_is_joined_to_it():
    figure, ax = plt.subplots()
    ax.set(xlim=(-1, 1), ylim=(-1, 1))
    figure.draw_without_rendering()
    center = ax.transData.transform((0, 0))
    (name,) = place_names(ax, [(0, 0)], ["name"], avoid=[Bbox([center - 60, center + 60])], n_steps=40)
    (line,) = [text for text in ax.texts if text.arrow_patch is not None]
    assert line.xy == (0, 0)
    assert line.get_position() == name.get_position()
