import numpy as np
import pytest
from benchmarks import screens
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import scpertbias as spb
from scpertbias import _store
from scpertbias.pl._balance import SHADES, balance
from scpertbias.tl._balance import balance as run_balance


@pytest.fixture(scope="module")
def profiles():
    counts = screens.draw(1, shape="nested", truth_cells=0)
    adata = screens.normalize(counts)
    rng = np.random.default_rng(0)
    adata.obs["total_counts"] = counts.obs["total"]
    adata.obs["lane"] = rng.choice(list("abc"), adata.n_obs)
    adata.obs["leiden"] = adata.obs["batch"]
    adata.obs["guide"] = adata.obs["perturbation"].astype(str) + "_1"
    adata.obs["donor"] = [f"d{i % 145}" for i in range(adata.n_obs)]
    with pytest.warns(UserWarning, match="differences between the levels of"):
        profiles = spb.pp.profiles(adata)
    run_balance(profiles, n_random=100)
    return profiles


def test_every_column_is_drawn_with_its_interval(profiles):
    ax = balance(profiles, show=False)
    assert isinstance(ax, Axes)
    table = _store.table(profiles, "balance", made_by="")
    assert set(table["status"]) >= {"confounded", "outcome", "determined by the labels", "cannot be separated"}
    table = table[table["status"] != "determined by the labels"].reset_index(drop=True)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [{"depth": "counts per cell"}.get(c, c) for c in table["column"]]
    bars = {round(bar.get_y() + bar.get_height() / 2): bar for bar in ax.patches}
    intervals = {tuple(line.get_ydata()): line.get_xdata() for line in ax.lines if line.get_marker() == "|"}
    for y, row in table.iterrows():
        assert (y in bars) == np.isfinite(row["share"])
        if y in bars:
            assert bars[y].get_width() == pytest.approx(row["share"])
        if np.isfinite(row["null_ci_low"]):
            assert list(intervals[y, y]) == pytest.approx([row["null_ci_low"], row["null_ci_high"]])
    texts = [text.get_text() for text in ax.texts]
    share = table.loc[table["status"] == "confounded", "share"].iloc[0]
    assert any(text.startswith(f"confounded, {100 * share:.1f}%, 4 levels, p = 0.0099") for text in texts)
    assert any(text == "cannot be separated, 145 levels" for text in texts)
    assert "column of obs: confounded if above 10%, with p ≤ 0.01" in [
        text.get_text() for text in ax.get_legend().get_texts()
    ]
    assert "40 perturbations" in ax.get_title()
    assert 0.1 in [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]


def test_all_statuses_have_a_color():
    from scpertbias._tables import TABLES

    statuses = set(TABLES["balance"].pick("status")[0].values)
    assert set(SHADES) == statuses - {"determined by the labels"}


def test_names_do_not_overlap(profiles):
    figure = balance(profiles, return_fig=True)
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    ax = figure.axes[0]
    boxes = [t.get_window_extent() for t in [*ax.texts, *ax.get_yticklabels(), *ax.get_legend().get_texts()]]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(box.x1 <= figure.bbox.x1 and box.y0 >= 0 for box in boxes), "nothing is cut off"


def test_given_axes_and_colors(profiles):
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert balance(profiles, ax=ax, palette={"confounded": "black"}, show=False) is ax
    assert any(bar.get_facecolor() == (0, 0, 0, 1) for bar in ax.patches)


def test_without_the_table():
    with pytest.raises(KeyError, match=r"spb\.tl\.balance"):
        balance(spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep"))
