"""Which columns of obs are tested for balance, by what they hold."""

import numpy as np
import pandas as pd
import pytest

from scpertbias._moments.obs_columns import INSEPARABLE, LABELS, TESTED, examine

N = 2000


@pytest.fixture
def cells():
    """Labels (0 the control, −1 left out) and batches."""
    rng = np.random.default_rng(0)
    label = np.where(rng.random(N) < 0.3, 0, rng.integers(1, 8, N))
    label[::50] = -1
    return rng, label, rng.integers(0, 2, N)


def look(cells, values, name="lot", batch=None, leave_out=()):
    _, label, batches = cells
    obs = pd.DataFrame({name: values})
    return examine(obs, label, np.zeros(N, dtype=int) if batch is None else batches, leave_out=leave_out)


def status(cells, values, name="lot", **kwargs):
    columns = look(cells, values, name, **kwargs)
    return columns[0].status if columns else None


@pytest.mark.parametrize(
    "make",
    [
        lambda x: pd.Categorical(x.astype(str)),
        lambda x: x.astype(str),
        lambda x: pd.array(x.astype(str), dtype="string"),
        lambda x: np.where(x == 0, None, x.astype(str).astype(object)),
        lambda x: x,
        lambda x: x.astype(np.uint8),
        lambda x: pd.array(np.where(x == 0, -1, x), dtype="Int64").astype("Int64"),
        lambda x: x > 1,
        lambda x: pd.array(x > 1, dtype="boolean"),
    ],
)
def test_levels_of_any_dtype(cells, make):
    assert status(cells, make(cells[0].integers(0, 4, N))) == TESTED


def test_measurements_are_no_levels(cells):
    rng = cells[0]
    assert status(cells, rng.normal(size=N)) is None
    assert status(cells, rng.integers(0, 4, N).astype(float)) is None
    assert status(cells, rng.integers(0, 80, N)) is None
    assert status(cells, rng.integers(0, 80, N), name="gem_group") == TESTED
    assert status(cells, rng.integers(0, 4, N).astype(float), name="batch") == TESTED, "numbers with gaps are floats"
    assert status(cells, np.array([f"cell{i}" for i in range(N)])) is None
    assert status(cells, rng.integers(0, 150, N).astype(str)) is None, "more than a level per 20 cells"
    assert status(cells, np.array(["one"] * N)) is None
    assert status(cells, np.array([(1, 2)] * N + [None], dtype=object)[:N]) is None


def test_columns_that_the_screen_is_read_by_are_left_out(cells):
    assert look(cells, cells[0].integers(0, 4, N), leave_out={"lot"}) == []


def test_columns_made_of_labels(cells):
    rng, label, _ = cells
    assert status(cells, np.where(label > 0, "perturbed", "control")) == LABELS
    assert status(cells, np.where(label > 4, "module a", "module b")) == LABELS
    guide = np.char.add(label.astype(str), np.char.add("_", rng.integers(0, 3, N).astype(str)))
    assert status(cells, guide, name="guide_id") == LABELS
    noisy = np.where(rng.random(N) < 0.005, rng.permutation(guide), guide)
    assert status(cells, noisy, name="guide_id") == LABELS, "a few cells may be mistaken"


def test_nested_batches_are_tested(cells):
    rng, label, _ = cells
    nested = np.where(label > 0, label % 3, rng.integers(0, 3, N))
    assert status(cells, nested) == TESTED


def test_a_control_in_one_level(cells):
    rng, label, _ = cells
    lot = np.where(label > 0, rng.integers(1, 3, N), 0)
    assert status(cells, lot, name="class") is None, "what perturbations do, such as mixscape's classes"
    assert status(cells, lot, name="batch") == INSEPARABLE
    mostly = np.where(rng.random(N) < 0.9, 0, lot)
    assert status(cells, mostly, name="batch") == TESTED or status(cells, mostly, name="batch") is None


def test_levels_are_numbered_anew_in_each_batch(cells):
    rng, label, batch = cells
    values = rng.integers(0, 3, N)
    values[(batch == 0) & (label == 0) & (values == 2)] = 1  # no control there
    (column,) = look(cells, values, batch=batch)
    assert column.n_levels == 3
    joint = [(b, v) for b in (0, 1) for v in range(3) if (b, v) != (0, 2)]
    expected = [
        joint.index((b, v)) if p >= 0 and (b, v) in joint else -1 for b, v, p in zip(batch, values, label, strict=True)
    ]
    assert column.level.tolist() == expected
    assert status(cells, batch, batch=batch, name="batch") is None, "a batch is balanced within batches"
