import numpy as np
import pandas as pd
import pytest

from scpertbias import ds


@pytest.fixture(scope="module")
def screen():
    return ds.simulate(300, 60, 60, n_modules=4, keep_counts=False)


def test_most_edges_join_targets_of_one_module(screen):
    net = ds.simulate_net(screen, degree=8, noise=0.25)
    truth = screen.uns["scpertbias_truth"]
    module = pd.Series(truth["module"], index=truth["perturbations"])
    assert list(net.columns) == ["source", "target", "weight"]
    assert len(net) == 8 * 60 / 2
    same = module[net["source"]].to_numpy() == module[net["target"]].to_numpy()
    assert same.mean() == 0.75
    assert (net["weight"][same] >= 0.5).all()
    assert (net["weight"][~same] < 0.5).all()
    pairs = {frozenset(pair) for pair in zip(net["source"], net["target"], strict=True)}
    assert len(pairs) == len(net)
    assert all(len(pair) == 2 for pair in pairs)


def test_noise_and_seed(screen):
    truth = screen.uns["scpertbias_truth"]
    module = pd.Series(truth["module"], index=truth["perturbations"])
    net = ds.simulate_net(screen, noise=1.0)
    assert (module[net["source"]].to_numpy() != module[net["target"]].to_numpy()).all()
    pd.testing.assert_frame_equal(ds.simulate_net(screen), ds.simulate_net(screen))
    assert not ds.simulate_net(screen, rng=1).equals(ds.simulate_net(screen))


def test_errors(screen):
    with pytest.raises(ValueError, match="it must be a share of the edges"):
        ds.simulate_net(screen, noise=2)
    with pytest.raises(ValueError, match="degree must be at least 1"):
        ds.simulate_net(screen, degree=0)
    bare = screen.copy()
    del bare.uns["scpertbias_truth"]
    with pytest.raises(KeyError, match=r"pass a screen made by spb\.ds\.simulate"):
        ds.simulate_net(bare)


def test_one_perturbation_has_no_edges():
    lonely = ds.simulate(50, 20, 1)
    net = ds.simulate_net(lonely)
    assert len(net) == 0
    assert np.issubdtype(net["weight"].dtype, np.floating)
