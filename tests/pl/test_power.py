import numpy as np
import pytest

import scpertbias as spb


@pytest.fixture(scope="module")
def profiles():
    adata = spb.pp.profiles(spb.ds.simulate(3_000, 80, 8, rng=1))
    spb.tl.power(adata)
    return adata


def lines(ax):
    return [line for line in ax.lines if len(line.get_xdata()) > 2]


def test_curves_are_those_of_the_table(profiles):
    table = spb.get.power(profiles)
    name = table["perturbation"].iloc[-1]
    ax = spb.pl.power(profiles, name, show=False)
    curves = lines(ax)
    assert len(curves) == table.groupby(["level", "perturbation"]).ngroups
    assert curves[-1].get_linewidth() == max(line.get_linewidth() for line in curves)
    np.testing.assert_allclose(curves[-1].get_ydata(), table[table["level"] == "screen"]["reproducibility"])
    (own,) = [line for line in curves if line.get_label() == name]
    np.testing.assert_allclose(own.get_ydata(), table[table["perturbation"] == name]["reproducibility"])
    assert [text.get_text() for text in ax.get_legend().get_texts()][-3:] == [
        "screen",
        "actual number of cells",
        "target",
    ]


def test_the_cells_that_there_are_and_the_targets_are_marked(profiles):
    now = spb.get.cells_needed(profiles).drop_duplicates(["level", "perturbation"])
    ax = spb.pl.power(profiles, show=False)
    dots = {(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "o"}
    assert dots == set(zip(now["n_cells"], now["reproducibility"], strict=True))
    assert [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [0.5, 0.8]


def test_colors(profiles):
    name = spb.get.power(profiles)["perturbation"].iloc[-1]
    ax = spb.pl.power(profiles, [name], palette={name: "red", "screen": "blue"}, show=False)
    assert {line.get_label(): line.get_color() for line in lines(ax)}[name] == "red"
    assert lines(ax)[-1].get_color() == "blue"


def test_what_is_not_there(profiles):
    with pytest.raises(KeyError, match="'nowhere' not available"):
        spb.pl.power(profiles, "nowhere")
