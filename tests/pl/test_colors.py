import itertools

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from matplotlib.colors import to_rgb
from scipy.spatial.distance import pdist

import scpertbias as spb
from scpertbias import _store
from scpertbias.pl._colors import KNOWN, OTHERS, colors, model_colors

# Machado, Oliveira and Fernandes 2009: what people see who lack one kind of cone, in linear RGB.
VISION = {
    "all cones": np.eye(3),
    "no M cones": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no L cones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no S cones": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(shades, vision):
    """CIE L*a*b* of colors as one kind of eye sees them."""
    rgb = np.array([to_rgb(shade) for shade in shades])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(VISION[vision]).T, 0, 1) @ TO_XYZ.T / [0.9505, 1, 1.089]
    f = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def stored(*names):
    adata = AnnData(np.zeros((1, 1)))
    _store.put(adata, summary=pd.DataFrame({"model": ["observed", *names]}))
    return adata


@pytest.mark.parametrize("vision", VISION)
def test_colors_differ_also_to_the_color_blind(vision):
    assert pdist(lab([*KNOWN.values(), "black"], vision)).min() > 18
    assert pdist(lab([*KNOWN.values(), *OTHERS, "black"], vision)).min() > 12


def test_the_constants_are_grey_and_every_model_has_a_color():
    for name in ("no_change", "mean"):
        assert len(set(to_rgb(KNOWN[name]))) == 1
    fitted = set(spb.tl.show_models()["model"]) - {"external"}
    assert fitted <= set(KNOWN)


def test_neither_the_order_nor_other_models_change_a_color():
    names = ["mine", "ridge", "other", "mean"]
    expected = model_colors(stored(*names))
    assert expected == {"ridge": KNOWN["ridge"], "mean": KNOWN["mean"], "mine": OTHERS[0], "other": OTHERS[1]}
    for order in itertools.permutations(names):
        assert model_colors(stored(*order)) == expected


def test_a_color_is_kept_when_models_are_added():
    adata = stored("mine")
    assert model_colors(adata) == {"mine": OTHERS[0]} == adata.uns["model_colors"]
    _store.put(adata, summary=pd.DataFrame({"model": ["another", "gears", "mine"]}))
    assert model_colors(adata) == {"mine": OTHERS[0], "another": OTHERS[1], "gears": KNOWN["gears"]}


def test_more_models_than_colors():
    shades = model_colors(stored(*(f"m{i}" for i in range(20))))
    assert len(shades) == 20
    assert set(shades.values()) == set(OTHERS)


def test_users_overrule():
    adata = stored("ridge", "mine", "other")
    adata.uns["model_colors"] = {"ridge": "red", "mine": OTHERS[0].lower()}
    assert model_colors(adata) == {"ridge": "#FF0000", "mine": OTHERS[0], "other": OTHERS[1]}
    assert colors(adata, {"ridge": "blue"}) == {**model_colors(adata), "ridge": "blue"}
    assert colors(adata, None)["ridge"] == "#FF0000"
    adata.uns["model_colors"] = {"ridge": "reddish"}
    with pytest.raises(ValueError, match=r"uns\['model_colors'\]`: 'ridge' .*reddish"):
        model_colors(adata)


def test_figures_use_and_keep_them(small_audit):
    small_audit.uns["model_colors"] = {"ridge": "#ff0000"}
    ax = spb.pl.l2(small_audit, show=False)
    assert [patch.get_facecolor()[:3] for patch in ax.patches] == [
        to_rgb(KNOWN["no_change"]),
        to_rgb(KNOWN["mean"]),
        (1, 0, 0),
    ]
    assert small_audit.uns["model_colors"]["mean"] == KNOWN["mean"]
    del small_audit.uns["model_colors"]
