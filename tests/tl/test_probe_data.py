"""Halves of a screen in both roles."""

import numpy as np
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias.tl import _probe_data
from scpertbias.tl._audit.cross_fit import make_folds
from scpertbias.tl._probe_data import can_probe, probe_data


@pytest.fixture(scope="module")
def screen():
    return _moments.of(spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep"))


def test_halves_means_and_noise(screen):
    folds = make_folds(screen, 5, 0)
    data, m = probe_data(screen, folds, np.random.default_rng(0)), screen.merged.moments
    names = [screen.names[p] for p in range(1, len(screen.names)) if m.n[p] > 0 and screen.names[p] in folds]
    place = {name: p for p, name in enumerate(screen.names)}
    for b, half in enumerate(data.speaking):
        effect = {name: m.half[b, place[name]] - m.half[b, 0] for name in names}
        tau = m.control_var.sum(axis=1) / m.counts[b, 0]
        np.testing.assert_allclose(half.control_noise, tau)
        for i, name in enumerate(names):
            np.testing.assert_allclose(half.effect[i], effect[name], atol=1e-12)
            others = [q for q in names if folds[q] != folds[name]]
            np.testing.assert_allclose(half.mean[i], np.mean([effect[q] for q in others], axis=0), atol=1e-12)
            own = sum(m.var[place[q]].sum() / m.n_half[b, place[q]] for q in others) / len(others) ** 2
            assert half.mean_noise[i] == pytest.approx(own)
        np.testing.assert_allclose(data.judging[b].effect, half.effect)
        np.testing.assert_allclose(data.judging[b].mean, data.speaking[1 - b].mean)
        np.testing.assert_allclose(data.judging[b].control, m.half[b, 0])


def test_errors_are_those_of_half_of_the_cells(screen):
    data, m = probe_data(screen, make_folds(screen, None, 0), np.random.default_rng(0)), screen.merged.moments
    expected = [(m.var[p].sum() / m.n[p] * 2) + 2 * (m.weights[p] ** 2 @ (m.control_var.sum(axis=1) / m.n_control)) for p in range(1, len(m.n))]  # fmt: skip
    assert (data.errors**2).sum() == pytest.approx(sum(expected), rel=0.15)


def test_large_screens_are_sampled(screen, monkeypatch):
    monkeypatch.setattr(_probe_data, "MAX_PERTURBATIONS", 10)
    folds = make_folds(screen, None, 0)
    data = probe_data(screen, folds, np.random.default_rng(0))
    assert data.matched.shape[0] == 10
    assert not can_probe(screen, dict.fromkeys(folds, 0)), "one fold has nothing to be trained on"
    with pytest.raises(ValueError, match="Probes need at least 3 perturbations"):
        probe_data(screen, dict(list(folds.items())[:2]), np.random.default_rng(0))
