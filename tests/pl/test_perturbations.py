import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

import scpertbias as spb
from scpertbias import _store
from scpertbias.get._screen import perturbations as table_of
from scpertbias.pl._perturbations import GAP, STYLES, perturbations, spread
from scpertbias.tl._audit.perturbations import KINDS


@pytest.fixture(scope="module")
def mdata():
    return spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=(), min_cells=100)


def test_every_word_has_a_marker_of_its_own():
    assert set(STYLES) == set(KINDS)
    assert len({marker for marker, _ in STYLES.values()}) == len(STYLES)


def test_points_are_those_of_the_table(mdata):
    table = table_of(mdata)
    ax = perturbations(mdata, show=False)
    drawn = {c.get_label(): c.get_offsets() for c in ax.collections}
    assert set(drawn) == {f"{k} ({n})" for k, n in table["kind"].value_counts().items()}
    for kind, rows in table.groupby("kind"):
        expected = rows[["reproducibility", "effect"]].to_numpy()
        np.testing.assert_allclose(np.asarray(drawn[f"{kind} ({len(rows)})"]), expected)
    assert ax.get_title() == "effects of 25 perturbations"


def test_the_strongest_are_named_and_no_name_is_over_another(mdata):
    fig = perturbations(mdata, n_names=10, return_fig=True)
    fig.canvas.draw()
    texts = fig.axes[0].texts
    assert {t.get_text() for t in texts} == set(table_of(mdata).nlargest(10, "effect")["perturbation"])
    boxes = sorted(tuple(Text.get_window_extent(t).intervaly) for t in texts)  # without their leaders
    assert all(above[0] >= below[1] for below, above in zip(boxes, boxes[1:], strict=False))
    plt.close(fig)
    assert not perturbations(mdata, n_names=0, show=False).texts
    with pytest.raises(ValueError, match="n_names"):
        perturbations(mdata, n_names=-1)


@pytest.mark.parametrize("heights", [[1.0, 0.9, 0.1], [0.02, 0.01, 0.0], [0.5] * 6, [1.0] * 18])
def test_spread(heights):
    places = spread(np.array(heights))
    assert (-np.diff(places) >= GAP - 1e-12).all()
    assert places.min() >= 0
    assert places.max() <= 1.0 + 1e-9
    if min(-np.diff(heights)) > GAP:
        np.testing.assert_allclose(places, heights)


def test_what_has_no_effect_is_said(mdata):
    copy = mdata["full"].copy()
    table = table_of(mdata)
    table.loc[0, "reproducibility"] = np.nan
    _store.put(copy, perturbations=table)
    assert (
        perturbations(copy, show=False).get_title()
        == "effects of 24 perturbations (1 not shown: effect or reproducibility unknown)"
    )
    _store.put(copy, perturbations=table.iloc[:1])
    assert "0 perturbations" in perturbations(copy, show=False).get_title()
