import numpy as np
import pytest
from matplotlib.colors import to_hex

import scpertbias as spb
from scpertbias import _moments
from scpertbias.pl._colors import KNOWN


def test_sizes_are_those_of_the_layers(small_audit):
    ax = spb.pl.effect_size(small_audit, show=False)
    profiles = small_audit["full"]
    screen = _moments.of(profiles).merged
    observed = dict(zip(screen.names, np.sqrt(np.maximum(screen.detection.squared_effect, 0)), strict=True))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["predicted = observed", "no change\n(n = 12)", "mean\n(n = 12)", "ridge\n(n = 12)"]
    control, mean, _ = (np.asarray(c.get_offsets()) for c in ax.collections)
    np.testing.assert_allclose(control[:, 1], 0, atol=1e-5)
    table = spb.get.predictions(small_audit, "mean")
    names = list(screen.names[1:])
    expected = np.linalg.norm(table.loc[names].to_numpy() - screen.moments.control, axis=1)
    np.testing.assert_allclose(mean[:, 1], expected, rtol=1e-5)
    np.testing.assert_allclose(mean[:, 0], [observed[name] for name in names])
    diagonal = next(line for line in ax.lines if line.get_linestyle() == ":")
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata())


def test_models_of_one_size_are_one(small_audit):
    profiles = small_audit["full"].copy()
    profiles.layers["no_change"] = profiles.layers["mean"].copy()
    ax = spb.pl.effect_size(profiles, show=False)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["predicted = observed", "mean, no change\n(n = 12)", "ridge\n(n = 12)"]
    assert to_hex(ax.collections[0].get_facecolor()[0]).upper() == KNOWN["mean"]


def test_medians(small_audit):
    ax = spb.pl.effect_size(small_audit, models="mean", show=False)
    line = next(line for line in ax.lines if line.get_marker() == "o")
    assert len(line.get_xdata()) == 5
    assert list(line.get_xdata()) == sorted(line.get_xdata())


def test_what_is_not_there(small_audit):
    with pytest.raises(KeyError, match="no predictions of 'gears' are stored; models with predictions are"):
        spb.pl.effect_size(small_audit, models="gears")
    cells = spb.ds.simulate(600, 30, 5, rng=0)
    with pytest.raises(ValueError, match="Pass profiles made by"):
        spb.pl.effect_size(cells)
    profiles = spb.pp.profiles(cells)
    with pytest.raises(ValueError, match="The stored models predict only perturbations"):
        spb.pl.effect_size(profiles)
    spb.tl.fit_mean(profiles)
    with pytest.raises(ValueError, match="The stored models predict only perturbations"):
        spb.pl.effect_size(profiles)
