import numpy as np
import pytest

from scpertbias._models.deep.data import read as read_cells
from scpertbias._models.deep.scgpt.learner import ScgptLearner
from scpertbias._models.deep.scgpt.model import build
from scpertbias._models.deep.scgpt.pretrained import Sizes
from scpertbias._models.deep.scgpt.tokens import tokens_of, vocabulary
from scpertbias._models.deep.training import Schedule, train

pytestmark = pytest.mark.scgpt
SIZES = Sizes(d_model=8, n_heads=2, d_hid=8, n_layers=1)


@pytest.fixture
def cells(screen, data):
    return read_cells(screen, data, function="fit")


def learner(cells, *, micro=1000, max_genes=1000, batch=32, missing_target="token"):
    screen = cells.screen
    vocab = vocabulary(screen.symbols, screen.targets)
    tokens = tokens_of(screen.symbols, screen.names, screen.targets, vocab, missing_target=missing_target)
    model = build(SIZES, vocab, seed=0)
    rng = np.random.default_rng(0)
    return ScgptLearner(model, tokens, cells, batch_size=batch, micro_batch=micro, max_genes=max_genes, rng=rng)


def test_pairs_are_of_one_stratum_and_a_control_cell_is_its_own(cells):
    scgpt_learner = learner(cells)
    perturbed = scgpt_learner.train[cells.code[scgpt_learner.train] > 0]
    assert (cells.code[scgpt_learner.partner[perturbed]] == 0).all()
    assert np.array_equal(cells.stratum[scgpt_learner.partner[perturbed]], cells.stratum[perturbed])
    control = scgpt_learner.train[cells.code[scgpt_learner.train] == 0]
    assert len(control) > 20
    assert np.array_equal(scgpt_learner.partner[control], control)


def test_loss_is_the_packages_by_hand(cells):
    import torch

    scgpt_learner = learner(cells)
    measured = [
        p
        for p, extra in enumerate(scgpt_learner.tokens.extra)
        if p and not extra and len(scgpt_learner.tokens.columns[p])
    ]
    code = measured[0] if measured else 0
    rows = scgpt_learner.train[cells.code[scgpt_learner.train] == code][:6]
    inputs, targets = (torch.tensor(cells.dense(r)) for r in (scgpt_learner.partner[rows], rows))
    ids = torch.tensor(scgpt_learner.tokens.genes).repeat(len(rows), 1)
    flags = torch.zeros_like(ids)
    flags[:, list(scgpt_learner.tokens.columns[code])] = 1
    mask = torch.zeros_like(inputs, dtype=torch.bool)
    out = scgpt_learner.module(ids, inputs, flags, src_key_padding_mask=mask)["mlm_output"]
    assert scgpt_learner.loss(rows).item() == pytest.approx(torch.nn.functional.mse_loss(out, targets).item(), abs=1e-6)


@pytest.mark.parametrize("max_genes", [9, 1000])
def test_accumulation_is_one_large_batch(cells, max_genes):
    """Also where each cell shows some genes only, and micro-batches differ in their padding."""
    import torch

    trained = {}
    for micro in (1000, 5):
        scgpt_learner = learner(cells, micro=micro, max_genes=max_genes, batch=24)
        schedule = Schedule(1, 1e-2, gamma=0.9, clip_norm=1.0)
        history = train(scgpt_learner, schedule, rng=np.random.default_rng(1), device=torch.device("cpu"))
        sizes = {len(batch) for batch in scgpt_learner.batches(np.random.default_rng(2))}
        assert sizes == ({1} if micro == 1000 else {5})
        trained[micro] = [history["train_loss"].item(), scgpt_learner.validate()["val_loss"]]
        moved = scgpt_learner.module.encoder.embedding.weight - learner(cells).module.encoder.embedding.weight
        assert moved.abs().max() > 1e-2
    assert trained[1000] == pytest.approx(trained[5], abs=2e-6)


def test_gradient_of_one_step_is_that_of_one_large_batch(cells):
    """Before Adam, which magnifies rounding where a gradient is next to nothing."""
    scgpt_learner = learner(cells, max_genes=9)
    (rows, *_), *_ = scgpt_learner.batches(np.random.default_rng(3))
    scgpt_learner.loss(rows).backward()
    whole = {name: p.grad.clone() for name, p in scgpt_learner.module.named_parameters() if p.grad is not None}
    scgpt_learner.module.zero_grad()
    for part in (rows[:5], rows[5:16], rows[16:]):
        (scgpt_learner.loss(part) * (len(part) / len(rows))).backward()
    assert max(g.abs().max() for g in whole.values()) > 1e-2
    for name, p in scgpt_learner.module.named_parameters():
        if p.grad is not None:
            np.testing.assert_allclose(p.grad, whole[name], rtol=0, atol=1e-6, err_msg=name)


def test_other_genes_every_epoch_and_the_same_in_validation(cells):
    scgpt_learner = learner(cells, max_genes=9)
    scgpt_learner.batches(np.random.default_rng(4))
    first = scgpt_learner.loss(scgpt_learner.train[:8]).item()
    scgpt_learner.batches(np.random.default_rng(5))
    assert scgpt_learner.loss(scgpt_learner.train[:8]).item() != first
    before = scgpt_learner.validate()
    scgpt_learner.batches(np.random.default_rng(6))
    assert scgpt_learner.validate() == before
    assert scgpt_learner.module.training


def test_validation_is_over_validation_cells_alone(cells):
    scgpt_learner = learner(cells, micro=7)
    assert set(cells.split[scgpt_learner.val]) == {1}
    each = [
        scgpt_learner._loss(scgpt_learner.val[i : i + 1], scgpt_learner.val_seed).item()
        for i in range(len(scgpt_learner.val))
    ]
    assert scgpt_learner.validate()["val_loss"] == pytest.approx(np.mean(each), rel=1e-5)


def test_what_cannot_be_read_is_left_out(cells):
    scgpt_learner = learner(cells, missing_target="skip")
    codes = [p for p, name in enumerate(cells.screen.names) if name in scgpt_learner.tokens.cannot]
    assert codes
    assert not np.isin(cells.code[scgpt_learner.train], codes).any()
    assert not np.isin(cells.code[scgpt_learner.val], codes).any()
