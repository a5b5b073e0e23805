"""Profiles hold the levels of columns and the quality of cells, to files and back."""

import anndata as ad
import numpy as np
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._moments import profile_columns


@pytest.fixture(scope="module")
def cells():
    cells = spb.ds.simulate(1500, 40, 6, n_batches=2, rng=1)
    cells.obs["lot"] = np.random.default_rng(0).choice(["a", "b", "c"], cells.n_obs)
    spb.pp.split(cells, fractions=(0.5, 0.0, 0.5))
    return cells


def same(ours, theirs):
    for name, value in vars(theirs).items():
        np.testing.assert_array_equal(getattr(ours, name), value, err_msg=name)


@pytest.mark.parametrize("form", ["memory", "h5ad", "zarr"])
@pytest.mark.parametrize("batch_key", [None, "gem_group"])
@pytest.mark.filterwarnings("ignore:.*`batch_key` was not given")
def test_read_back(cells, tmp_path, form, batch_key):
    expected = _moments.of(cells, batch_key=batch_key).moments
    profiles = spb.pp.profiles(cells, batch_key=batch_key)
    if form != "memory":
        getattr(profiles, f"write_{form}")(tmp_path / f"x.{form}")
        profiles = getattr(ad, f"read_{form}")(tmp_path / f"x.{form}")
    screen = _moments.of(profiles)
    assert list(screen.record["obs_columns"]) == ["guide", *(["gem_group"] if batch_key is None else []), "lot"]
    assert expected.levels.counts.shape[1] == (5 if batch_key is None else 6)
    same(screen.moments.levels, expected.levels)
    same(screen.moments.quality, expected.quality)
    assert screen.moments.quality.names == ("depth", "mt_percent")
    some = _moments.of(profiles[:, [3, 1]].copy()).moments
    same(some.levels, expected.levels.genes([3, 1]))
    same(some.quality, expected.quality.genes([3, 1]))


def test_layers_keep_the_slopes_alone(cells):
    profiles = spb.pp.profiles(cells, batch_key="gem_group")
    spb.pp.standardize(profiles)
    m = _moments.of(profiles, layer="standardized").moments
    assert m.levels is None
    np.testing.assert_array_equal(m.quality.mean, _moments.of(profiles).moments.quality.mean)
    ratio = m.quality.slopes / _moments.of(profiles).moments.quality.slopes
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0, 0], ratio.shape), rtol=1e-9)


def test_nothing_is_held_of_cells_without_columns():
    cells = spb.ds.simulate(600, 30, 4, rng=1, keep_counts=False)
    cells.obs = cells.obs[["perturbation"]]
    profiles = spb.pp.profiles(cells)
    m = _moments.of(profiles).moments
    assert m.levels is None
    assert m.quality is None
    assert profile_columns.slots(m, "") == profile_columns.record(m) == {}
