import numpy as np
import pytest
from matplotlib.patches import Rectangle

import scpertbias as spb
from scpertbias import _compat
from scpertbias.get._retraining import random_removals
from scpertbias.pl._retraining import retraining


@pytest.fixture(scope="module")
def mdata():
    return spb.tl.audit(
        spb.ds.papalexi_2021(),
        batch_key="bio_rep",
        covariates=["p_mito"],
        models=("mean", "ridge", "bilinear"),
        n_random=3,
    )


def points(ax):
    """Gains by height, and which are open."""
    found = {}
    for line in ax.lines:
        if line.get_marker() in ("o", "s") and len(line.get_xdata()) == 1:
            found[round(float(line.get_ydata()[0]), 3)] = (float(line.get_xdata()[0]), line.get_markerfacecolor())
    return [found[y] for y in sorted(found)]


def test_points_are_those_of_the_table(mdata):
    table = spb.get.retraining(mdata).set_index(["model", "regime"])
    drawn = points(retraining(mdata, show=False))
    keys = [(m, r) for m in ("mean", "ridge", "bilinear") for r in ("no_mt", "regressed")]
    assert len(drawn) == len(keys)
    for key, (gain, face) in zip(keys, drawn, strict=True):
        assert gain == pytest.approx(table.loc[key, "gain"])
        assert (face == "white") == (table.loc[key, "note"] != "")


def test_the_range_of_the_random_removals(mdata):
    row = random_removals(mdata).set_index("model").loc["bilinear"]
    ax = retraining(mdata, show=False)
    boxes = [p for p in ax.patches if isinstance(p, Rectangle)]
    assert len(boxes) == 1
    assert boxes[0].get_x() == pytest.approx(row["random_min"])
    assert boxes[0].get_x() + boxes[0].get_width() == pytest.approx(row["random_max"])
    assert ax.get_ylim()[0] > boxes[0].get_y() > 1.5  # beside the third model
    assert any(f"p = {row['p']:.2g}" in t.get_text() for t in ax.texts)
    assert any("3 removals of random genes" in t.get_text() for t in ax.get_legend().get_texts())


def test_models_are_chosen(mdata):
    ax = retraining(mdata, models="ridge", show=False)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["ridge\nn = 25"]
    assert not ax.patches
    assert len(points(ax)) == 2
    with pytest.raises(KeyError, match="'nobody'"):
        retraining(mdata, models=["nobody"])


def test_without_random_removals():
    mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("ridge", "bilinear"), n_random=0)
    ax = retraining(mdata, show=False)
    assert not ax.patches
    assert not any("random" in t.get_text() for t in [*ax.texts, *ax.get_legend().get_texts()])
    assert np.isfinite([x for x, _ in points(ax)]).all()


def test_nothing_retrained():
    mdata = spb.tl.audit(spb.ds.simulate(600, 60, 4, rng=1), models=("mean",), regimes=("full",))
    with pytest.raises(KeyError, match="no model was retrained"):
        spb.pl.retraining(mdata)


def test_a_gain_that_nobody_could_use_has_no_p(mdata):
    little = _compat.copy_mudata(mdata)
    for name in ("retraining", "random_removals"):
        table = little.uns["scpertbias"][name].copy()
        table["gain"] = table["gain"].astype(float) * 1e-6
        little.uns["scpertbias"][name] = table
    said = [t.get_text() for t in retraining(little, models="bilinear", show=False).texts]
    assert said == ["under 0.0005", "under 0.0005"]
