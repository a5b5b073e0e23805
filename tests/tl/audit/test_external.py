"""Predictions that an audit takes over: something must say what their model has not seen."""

import numpy as np
import pytest

import scpertbias as spb
from scpertbias.tl._audit.external import add_external


@pytest.fixture(scope="module")
def cells():
    return spb.ds.simulate(900, 40, 6, rng=1)


def table(cells):
    profiles = spb.pp.profiles(cells)
    spb.tl.fit_mean(profiles)
    return spb.get.predictions(profiles, "mean")


def test_no_split(cells):
    external = {"x": {"predictions": table(cells)}}
    with pytest.raises(ValueError, match=r"no perturbation is 'test' in the split column \('split'\).*spb.pp.split"):
        add_external(spb.pp.profiles(cells), external, [], "split")


def test_a_split_of_cells_is_refused_for_what_it_is(cells):
    cells = cells.copy()
    cells.obs["split"] = np.random.default_rng(0).choice(["train", "test"], cells.n_obs)
    external = {"x": {"predictions": table(cells)}}
    message = r"every perturbation with 'test' cells in obs\['split'\] has training cells, too, because single cells were split"
    with pytest.raises(ValueError, match=message) as error:
        add_external(spb.pp.profiles(cells), external, [], "split")
    assert "no perturbation is 'test'" not in str(error.value)


def test_a_split_of_perturbations_is_taken(cells):
    cells = cells.copy()
    spb.pp.split(cells, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(cells)
    add_external(profiles, {"x": {"predictions": table(cells)}}, [], "split")
    assert "x" in profiles.layers


def test_without_a_split_what_is_predicted_is_held_out(cells):
    predicted = table(cells).iloc[[1, 2, 4]]
    profiles = spb.pp.profiles(cells)
    with pytest.warns(UserWarning, match="The 3 predicted perturbations are assumed to be held out, and the other 3"):
        add_external(profiles, {"x": {"predictions": predicted}}, [], "split")
    assert list(profiles.uns["scpertbias"]["models"]["x"]["test"]) == list(predicted.index)


def test_with_a_split_nothing_is_assumed(cells):
    cells = cells.copy()
    cells.obs["split"] = np.where(cells.obs["perturbation"] == table(cells).index[1], "val", "train")
    external = {"x": {"predictions": table(cells).iloc[[2, 4]]}}
    with pytest.raises(ValueError, match="no perturbation is 'test'"):
        add_external(spb.pp.profiles(cells), external, [], "split")
