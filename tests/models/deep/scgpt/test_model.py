import warnings

import numpy as np
import pytest

from scpertbias._models.deep.scgpt.model import build, evaluating, forward, micro_batch
from scpertbias._models.deep.scgpt.pretrained import Sizes
from scpertbias._models.deep.scgpt.tokens import sequences, whole_cells

pytestmark = pytest.mark.scgpt


def test_build_depends_on_the_seed_alone_and_leaves_torchs_generator(scgpt):
    import torch

    state = torch.random.get_rng_state()
    again, other = build(scgpt.sizes, scgpt.vocab, seed=0), build(scgpt.sizes, scgpt.vocab, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    pairs = zip(scgpt.model.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(again.encoder.embedding.weight, other.encoder.embedding.weight)
    assert again.pert_encoder.padding_idx == 0
    assert again.value_encoder.dropout.p == 0.0


@pytest.mark.parametrize("p", [0, 1, 4])
def test_forward_is_the_packages(scgpt, scgpt_by_hand, p):
    ours = forward(scgpt.model, whole_cells(scgpt.tokens, p, scgpt.cells), 23)
    theirs = scgpt_by_hand(scgpt.cells, list(scgpt.targets[p]))
    np.testing.assert_allclose(ours.detach(), theirs.detach(), rtol=0, atol=1e-6)


def test_a_target_that_is_not_measured_is_a_flagged_token(scgpt, scgpt_by_hand):
    ours = forward(scgpt.model, whole_cells(scgpt.tokens, 2, scgpt.cells), 23).detach()
    np.testing.assert_allclose(ours, scgpt_by_hand(scgpt.cells, ["G2"], ["away"]).detach(), rtol=0, atol=1e-6)
    assert (ours - scgpt_by_hand(scgpt.cells, ["G2"]).detach()).abs().max() > 1e-4, "the token matters"


def test_padding_changes_nothing(scgpt):
    """A cell in a batch beside a longer sequence is the cell alone."""
    genes = np.tile(np.arange(23), (2, 1))
    together = forward(scgpt.model, sequences(scgpt.tokens, np.array([1, 3]), genes, scgpt.cells[:2]), 23)
    alone = forward(scgpt.model, whole_cells(scgpt.tokens, 1, scgpt.cells[:1]), 23)
    np.testing.assert_allclose(together[:1].detach(), alone.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("switch", [True, False])
def test_the_fast_path_is_off_and_the_switch_comes_back(scgpt, switch):
    import torch

    def fail():
        with evaluating(scgpt.model):
            assert not torch.backends.mha.get_fastpath_enabled()
            assert not scgpt.model.training
            raise KeyError

    torch.backends.mha.set_fastpath_enabled(switch)
    scgpt.model.train()
    try:
        with pytest.raises(KeyError):
            fail()
        assert torch.backends.mha.get_fastpath_enabled() is switch
        assert scgpt.model.training
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def test_the_fast_path_would_say_the_same(scgpt, scgpt_by_hand):
    import torch

    batch = whole_cells(scgpt.tokens, 1, scgpt.cells)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The PyTorch API of nested tensors")
        with evaluating(scgpt.model):
            slow = forward(scgpt.model, batch, 23)
        fast = scgpt_by_hand(scgpt.cells, ["G1"])
    np.testing.assert_allclose(slow, fast, rtol=0, atol=1e-6)


def test_micro_batches_fit():
    """At the published size training takes 0.46 GB a cell, measured (docs/scgpt.md): three of them at once."""
    import torch

    published, cpu = Sizes(d_model=512, n_heads=8, d_hid=512, n_layers=12), torch.device("cpu")
    assert micro_batch(published, 1187, device=cpu, training=True) == 3
    assert micro_batch(published, 1187, device=cpu, training=False) == 38
    assert micro_batch(published, 100_000, device=cpu, training=True) == 1
    assert micro_batch(Sizes(16, 2, 16, 1), 24, device=cpu, training=True) > 1000
