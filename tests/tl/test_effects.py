import numpy as np
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias.tl._effects import effects


@pytest.fixture(scope="module")
def of_audit(small_audit):
    return effects(small_audit["full"])


def test_effects_are_those_of_the_moments(small_audit, of_audit):
    screen = _moments.of(small_audit["full"]).merged
    at = [screen.names.index(name) for name in of_audit.names]
    assert of_audit.names == screen.names[1:]
    assert np.allclose(of_audit.observed, screen.moments.mean[at] - screen.moments.control)
    tested = np.isfinite(of_audit.z)
    assert tested.any()
    assert np.allclose(of_audit.z[tested], (of_audit.observed / of_audit.errors)[tested])
    assert 0 < of_audit.null_reproducibility < 0.5


def test_predictions_are_those_of_unseen_perturbations(small_audit, of_audit):
    stored = spb.get.predictions(small_audit["full"], "ridge")
    control = stored.loc[list(of_audit.names)].to_numpy() - of_audit.predicted["ridge"]
    assert np.allclose(control, of_audit.control, atol=1e-6)
    assert not of_audit.predicted["no_change"].any()


def test_the_axis_of_a_perturbation_is_that_of_the_others(of_audit):
    rest = np.delete(of_audit.observed, 3, axis=0).sum(axis=0)
    assert np.allclose(of_audit.axis[3], rest / np.linalg.norm(rest))


def test_parts_of_a_prediction(of_audit):
    on, off = of_audit.parts(of_audit.observed)
    assert np.allclose(on[np.isfinite(on)], 1)
    assert np.isfinite(on).any()
    assert np.allclose(off, 1)
    along, nothing = of_audit.parts(2 * of_audit.axis)
    assert np.isnan(nothing).all(), "nothing is predicted off the axis"
    assert (along[np.isfinite(along)] > 0).all()


def test_strongest_genes_have_the_largest_z(of_audit):
    z = np.take_along_axis(np.abs(of_audit.z), of_audit.strongest(4), axis=1)
    assert np.allclose(z, -np.sort(-np.nan_to_num(np.abs(of_audit.z)), axis=1)[:, :4])


def test_the_map_keeps_distances_between_two_directions():
    rng = np.random.default_rng(0)
    plane, directions = rng.standard_normal((12, 2)) * [5, 1], np.linalg.qr(rng.standard_normal((30, 2)))[0]
    made = effects(spb.pp.profiles(spb.ds.simulate(600, 30, 12, rng=1)))
    moved = type(made)(**{**made.__dict__, "observed": plane @ directions.T})
    places, explained = moved.embedding()
    centered = plane - plane.mean(axis=0)
    assert np.allclose(places @ places.T, centered @ centered.T)
    assert explained.sum() == pytest.approx(1)
    assert explained[0] > explained[1]


def test_without_profiles_there_are_none():
    assert effects(spb.ds.simulate(300, 20, 3, rng=1)) is None
