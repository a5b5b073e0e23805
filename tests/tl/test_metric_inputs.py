"""What a function is given is what the screen holds."""

import numpy as np

import scpertbias as spb
from scpertbias.tl._compared import read_inputs
from scpertbias.tl._metric_inputs import metric_inputs


def test_effects_are_those_of_the_moments():
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    spb.tl.fit_mean(profiles)
    spb.tl.fit_no_change(profiles)
    inputs = read_inputs(profiles, None, need_models=True)
    screen, table = inputs.screen, inputs.predictions["mean"]
    one = metric_inputs(screen, table, name="mean", folds=None, test=None)
    m = screen.merged.moments
    for p, effect, half in zip(one.rows, one.data.effect, one.data.half[0], strict=True):
        np.testing.assert_allclose(effect, (m.mean[p] - m.control)[one.genes])
        np.testing.assert_allclose(half, (m.half[0, p] - m.half[0, m.reference])[one.genes])
    assert one.known
    # The mean moves as the training perturbations do, and is exactly the baseline.
    mean = one.prediction(table, None)
    np.testing.assert_array_equal(mean.effect, one.data.mean.effect)
    np.testing.assert_allclose(mean.weights.sum(axis=1), 1)
    # The control moves as it does itself: its effect stays nothing.
    none = one.prediction(inputs.predictions["no_change"], None)
    assert not none.effect.any()
    assert not none.weights.any()
    changes = one.prediction(table, np.zeros((len(screen.names), len(m.n_control) + 1)))
    assert not changes.weights.any()
    np.testing.assert_allclose(one.shared(None), np.tile(m.n_control / m.n_control.sum(), (len(one.rows), 1)))
    assert metric_inputs(screen, np.full_like(table, np.nan), name="mean", folds=None, test=None) is None
