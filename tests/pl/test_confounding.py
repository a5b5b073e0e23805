import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import scpertbias as spb
from scpertbias import _store
from scpertbias.pl._colors import set_names
from scpertbias.pl._confounding import confounding
from scpertbias.tl._confounding import confounding as ask
from scpertbias.tl._gene_sets import notable


@pytest.fixture(scope="module")
def profiles():
    made = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    ask(made, n_random=50)
    return made


def test_every_axis_is_drawn_where_it_is(profiles):
    ax = confounding(profiles, show=False)
    assert isinstance(ax, Axes)
    table = _store.table(profiles, "confounding", made_by="")
    table = notable(table[(table["level"] == "screen") & (table["n_genes"] > 0)]).set_index("axis")
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == list(set_names(table.index).values())
    assert {"mitochondrial", "shared axis", "leading direction 1"} <= set(labels)
    places = dict(zip(table.index, ax.get_yticks(), strict=True))
    drawn = {(round(line.get_ydata()[0], 6), line.get_marker()): line.get_xdata()[0] for line in ax.lines}
    for axis, row in table.iterrows():
        marker = "o" if row["kind"] == "genes" else "D"
        if np.isfinite(row["share"]):
            assert drawn[round(places[axis], 6), marker] == pytest.approx(row["share"])
        if np.isfinite(row["typical"]):
            assert drawn[round(places[axis], 6), "x"] == pytest.approx(row["typical"])
        if np.isfinite(row["null"]):
            assert drawn[round(places[axis], 6), "|"] == pytest.approx(row["null"])
    texts = [text.get_text() for text in ax.texts]
    assert {"gene sets", "directions"} <= set(texts)
    assert any("STAT1" in text for text in texts)
    assert "25 perturbations" in ax.get_title()


def test_names_do_not_overlap(profiles):
    figure = confounding(profiles, return_fig=True)
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    boxes = [t.get_window_extent() for t in [*figure.axes[0].texts, *figure.axes[0].get_yticklabels()] if t.get_text()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_given_axes_and_colors(profiles):
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert confounding(profiles, ax=ax, palette={"direction": "black"}, show=False) is ax
    assert any(line.get_markeredgecolor() == "black" and line.get_marker() == "D" for line in ax.lines)
