import copy
import math

import numpy as np
import pandas as pd
import pytest

from scpertbias._models.deep.checkpoint import Folder
from scpertbias._models.deep.training import Schedule, train

pytestmark = pytest.mark.gears
CPU = "cpu"
SCHEDULE = Schedule(epochs=4, lr=0.05, weight_decay=1e-3, gamma=0.5, clip_value=0.5)


class Line:
    """Linear regression with dropout, in batches of eight cells."""

    def __init__(self, size=8, micro=8, seed=0, val=None):
        import torch

        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        self.x = torch.tensor(rng.normal(size=(40, 3)), dtype=torch.float32)
        self.y = self.x @ torch.tensor([1.0, -2.0, 0.5]) + 1
        self.module = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(3, 1))
        self.size, self.micro, self.val, self.seen = size, micro, val, []

    def batches(self, rng):
        order = rng.permutation(len(self.x))
        batches = [order[i : i + self.size] for i in range(0, len(order), self.size)]
        return [[b[i : i + self.micro] for i in range(0, len(b), self.micro)] for b in batches]

    def loss(self, cells):
        assert self.module.training
        self.seen.append(cells)
        return ((self.module(self.x[cells]).squeeze(1) - self.y[cells]) ** 2).mean()

    def validate(self):
        import torch

        assert not self.module.training
        if self.val is not None:
            return {"val_loss": self.val.pop(0)}
        with torch.no_grad():
            return {"val_loss": ((self.module(self.x).squeeze(1) - self.y) ** 2).mean().item()}


def run(learner, schedule=SCHEDULE, folder=None, seed=1):
    import torch

    return train(learner, schedule, rng=np.random.default_rng(seed), device=torch.device(CPU), folder=folder)


def weights(learner):
    return {k: v.clone() for k, v in learner.module.state_dict().items()}


def assert_same(a, b):
    import torch

    assert all(torch.equal(a[key], b[key]) for key in a)


def same_history(a, b):
    timed = ["seconds", "seconds_validation", "peak_memory"]
    pd.testing.assert_frame_equal(a.drop(columns=timed), b.drop(columns=timed), check_exact=True)


def test_history():
    learner = Line()
    history = run(learner)
    assert list(history["epoch"]) == [1, 2, 3, 4]
    np.testing.assert_allclose(history["learning_rate"], 0.05 * 0.5 ** np.arange(4))
    assert history["val_loss"].iloc[-1] < history["val_loss"].iloc[0]
    assert (history["seconds"] > 0).all()
    assert (history["peak_memory"] > 50).all()
    assert not learner.module.training
    assert len(learner.seen) == 4 * 5


@pytest.mark.parametrize("clip", [{"clip_value": 0.5}, {"clip_norm": 0.7}, {}])
def test_against_a_loop_written_out(clip):
    import torch

    learner, other = Line(), Line()
    run(learner, Schedule(epochs=3, lr=0.05, weight_decay=1e-3, gamma=0.5, **clip))
    rng = np.random.default_rng(1)
    torch.manual_seed(0)
    other = Line()
    optimizer = torch.optim.Adam(other.module.parameters(), lr=0.05, weight_decay=1e-3)
    best, best_weights = math.inf, None
    for epoch in range(3):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * 0.5**epoch
        other.module.train()
        for (cells,) in other.batches(rng):
            optimizer.zero_grad()
            other.loss(cells).backward()
            if "clip_value" in clip:
                torch.nn.utils.clip_grad_value_(other.module.parameters(), clip["clip_value"])
            if "clip_norm" in clip:
                torch.nn.utils.clip_grad_norm_(other.module.parameters(), clip["clip_norm"])
            optimizer.step()
        other.module.eval()
        if (value := other.validate()["val_loss"]) < best:
            best, best_weights = value, weights(other)
    assert_same(weights(learner), best_weights)


def test_micro_batches_add_up_to_the_batch():
    import torch

    whole, parts = Line(), Line(micro=3)
    whole.module[0].p = parts.module[0].p = 0.0
    run(whole)
    run(parts)
    for a, b in zip(whole.module.parameters(), parts.module.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_the_best_epoch_is_kept():
    learner = Line(val=[3.0, 1.0, 2.0, math.nan])
    history = run(learner)
    assert list(history["best"]) == [True, True, False, False]
    two = Line(val=[3.0, 1.0])
    run(two, Schedule(epochs=2, lr=0.05, weight_decay=1e-3, gamma=0.5, clip_value=0.5))
    assert_same(weights(learner), weights(two))


def test_without_validation_the_last_epoch_is_kept():
    learner = Line()
    learner.validate = dict
    history = run(learner)
    assert history["best"].all()
    assert "val_loss" not in history


def test_patience():
    history = run(Line(val=[1.0, 2.0, 0.5, 0.6, 0.7, 0.8]), Schedule(epochs=6, lr=0.01, patience=2))
    assert len(history) == 5


@pytest.mark.parametrize("n_epochs_before", [1, 2, 3])
def test_resumed_is_uninterrupted_bit_for_bit(tmp_path, n_epochs_before):
    import torch

    torch.manual_seed(9)
    straight = Line()
    expected = run(straight)
    interrupted = Line()
    run(interrupted, Schedule(**{**vars(SCHEDULE), "epochs": n_epochs_before}), Folder(tmp_path, {}, resume=False))
    torch.manual_seed(77)
    later = Line(seed=5)
    later.x, later.y = straight.x, straight.y
    history = run(later, SCHEDULE, Folder(tmp_path, {}, resume=True), seed=99)
    same_history(history, expected)
    assert_same(weights(later), weights(straight))


def test_the_best_weights_survive_an_interruption(tmp_path):
    values = [3.0, 1.0, 2.0, 4.0]
    straight = Line(val=list(values))
    run(straight)
    run(Line(val=values[:3]), Schedule(**{**vars(SCHEDULE), "epochs": 3}), Folder(tmp_path, {}, resume=False))
    later = Line(val=values[3:])
    history = run(later, SCHEDULE, Folder(tmp_path, {}, resume=True))
    assert list(history["best"]) == [True, True, False, False]
    assert_same(weights(later), weights(straight))
    assert not later.val


def test_a_finished_run_is_read_back(tmp_path):
    first = Line()
    expected = run(first, folder=Folder(tmp_path, {}, resume=False))
    again = Line(seed=3)
    history = run(again, folder=Folder(tmp_path, {}, resume=True))
    pd.testing.assert_frame_equal(history, expected)
    assert_same(weights(again), weights(first))
    assert not again.seen


def test_a_loss_that_is_not_finite(tmp_path):
    learner = Line()
    loss = learner.loss
    learner.loss = lambda cells: loss(cells) * (math.nan if len(learner.seen) == 8 else 1)
    weights_seen = []
    validate = learner.validate
    learner.validate = lambda: weights_seen.append(copy.deepcopy(weights(learner))) or validate()
    with pytest.raises(FloatingPointError, match=r"nan at step 3 of epoch 2. Lower the learning rate \(lr=0.05\)"):
        run(learner, folder=Folder(tmp_path, {}, resume=False))
    tensors, plain = Folder(tmp_path, {}, resume=True).load()
    assert plain["epoch"] == 1
    assert_same(tensors["weights"], weights_seen[0])


@pytest.mark.gpu
@pytest.mark.parametrize("autocast", [False, True])
def test_on_a_gpu(tmp_path, autocast):
    import torch

    device = torch.device("cuda")
    learner = Line()
    learner.x, learner.y = learner.x.to(device), learner.y.to(device)
    learner.module.to(device)
    schedule = Schedule(epochs=4, lr=0.05, autocast=autocast)
    folder = Folder(tmp_path, {}, resume=False)
    history = train(learner, schedule, rng=np.random.default_rng(0), device=device, folder=folder)
    assert history["val_loss"].iloc[-1] < history["val_loss"].iloc[0]
    assert (history["peak_memory"] > 0).all()
