"""Names of ranked lists stay apart."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from scpertbias.pl._ranked_lists import RankedList, draw, short, size


def boxes(ax):
    ax.figure.draw_without_rendering()
    renderer = ax.figure.canvas.get_renderer()
    return [t.get_window_extent(renderer) for t in ax.texts if t.get_text()]


@pytest.mark.parametrize("n_columns", [1, 2, 9])
def test_names_and_titles_never_overlap(n_columns):
    rng = np.random.default_rng(0)
    names = [f"{short('ENSG00000123456' if i == 3 else f'ITGB1BP{i}')} *" for i in range(20)]
    columns = [
        RankedList(
            "grn_linear_perturbations",
            names,
            np.sort(rng.gamma(1.0, size=20))[::-1],
            "#E69F00",
            subtitle="n = 2053, not tested",
            bold=[True] * 20,
        )
        for _ in range(n_columns)
    ]
    _, ax = plt.subplots(figsize=size(n_columns, 20), layout="constrained")
    draw(ax, columns, label="effect", n_rows=20)
    found = boxes(ax)
    assert len(found) == 22 * n_columns
    assert not any(a.overlaps(b) for a, b in combinations(found, 2))


def test_bars_are_on_one_scale_and_empty_columns_say_why():
    columns = [
        RankedList("a", ["x", "y"], np.array([4.0, 1.0]), "#000000", diamonds=np.array([8.0, 0.0])),
        RankedList("b", ["z"], np.array([2.0]), "#000000"),
        RankedList("c", [], np.array([]), "#000000", note="no effect"),
    ]
    _, ax = plt.subplots()
    draw(ax, columns, label="", n_rows=3)
    widths = [patch.get_width() for patch in ax.patches if patch.get_facecolor()[3] > 0]
    np.testing.assert_allclose(np.array(widths) / widths[0], [1, 0.25, 0.5])
    assert "no effect" in [t.get_text() for t in ax.texts]
