"""Screens of cells, and what the algebra takes from them, computed again from single cells."""

from types import SimpleNamespace

import numpy as np
import pytest

from scpertbias._core import threads
from scpertbias._core.halves import assign_halves
from scpertbias._core.noise import counted_rows, noise_shape
from scpertbias._core.response import Response
from scpertbias._core.row_moments import row_moments

SHAPES = {
    "one batch": {"n_batches": 1},
    "nested batches": {"design": "nested"},
    "uneven batches": {"design": "uneven"},
    "few controls": {"n_control": 36},
    "30 genes": {"n_genes": 30, "n_control": 40, "n_batches": 1},
    "heavy tails": {"design": "uneven", "heavy": True},
    "five perturbations": {"n_rows": 5},
}


def draw_cells(seed, *, n_rows=12, n_genes=40, n_batches=3, n_control=150, n_cells=40, design="even", heavy=False):
    """Draw cells by genes of a control (row 0) and of perturbations that share an axis."""
    rng = np.random.default_rng(seed)
    row = np.repeat(np.arange(n_rows + 1), [n_control, *[n_cells] * n_rows])
    batch = np.arange(len(row)) % n_batches
    batch = np.where(
        (row > 0) & (rng.random(len(row)) < {"even": 0, "nested": 2, "uneven": 0.7}[design]), row % n_batches, batch
    )
    size = rng.pareto(1.2, n_rows + 1) if heavy else rng.gamma(1, 1, n_rows + 1)
    effect = np.outer(size, rng.normal(size=n_genes) * 0.4) + 0.3 * rng.normal(size=(n_rows + 1, n_genes))
    effect[0] = 0
    x = rng.gamma(1, 1, (len(row), n_genes)) * np.exp(0.3 * rng.normal(size=(len(row), 1)))
    return x + 0.5 * rng.normal(size=(n_batches, n_genes))[batch] + effect[row] + 0.6, row, batch


def brute_force(x, row, batch, half, block):
    """Take effects, noise, halves, blocks and noise vectors from single cells, one perturbation at a time."""
    n_rows, n_batches, n_genes = row.max(), batch.max() + 1, x.shape[1]
    counts = np.array([[[np.sum((row == p) & (half == a) & (batch == b)) for b in range(n_batches)] for p in range(n_rows + 1)] for a in (0, 1)])  # fmt: skip
    control = [x[(row == 0) & (batch == b)] for b in range(n_batches)]
    c, s2_0 = (
        np.array([part.mean(axis=0) for part in control]),
        np.array([part.var(axis=0, ddof=1) for part in control]),
    )
    c_half = np.array(
        [[x[(row == 0) & (half == a) & (batch == b)].mean(axis=0) for b in range(n_batches)] for a in (0, 1)]
    )
    n_0, n_0_half = np.array([len(part) for part in control]), counts[:, 0]
    s = SimpleNamespace(n=counts.sum(axis=(0, 2))[1:], n_half=counts.sum(axis=2)[:, 1:], n_0=n_0, n_0_half=n_0_half)
    s.w = counts.sum(axis=0)[1:] / s.n[:, None]
    s.w_half = counts[:, 1:] / s.n_half[:, :, None]
    s.tau, s.c = s2_0.sum(axis=1) / n_0, n_0 @ c / n_0.sum()
    s.effect, s.v, s.t, s.d = np.empty((n_rows, n_genes)), np.empty((n_rows, n_genes)), np.empty(n_rows), np.empty((2, n_rows, n_genes))  # fmt: skip
    vectors, s.owner = [], []
    for p in range(n_rows):
        cells = row == p + 1
        s.effect[p] = (x[cells] - c[batch[cells]]).mean(axis=0)
        between = s.n[p] * (s.w[p] @ (c - s.w[p] @ c) ** 2 - (s.w[p] * (1 - s.w[p])) @ (s2_0 / n_0[:, None]))
        s2 = x[cells].var(axis=0, ddof=1) - between / (s.n[p] - 1)
        s.t[p] = s2.sum()
        s.v[p] = s2 / s.n[p] + s.w[p] ** 2 @ (s2_0 / n_0[:, None])
        parts = [cells & (half == a) for a in (0, 1)]
        s.d[:, p] = [(x[part] - c_half[a, batch[part]]).mean(axis=0) for a, part in enumerate(parts)]
        apart = np.subtract(*[(x[part] - c[batch[part]]).mean(axis=0) for part in parts])
        vectors.append(apart / np.sqrt((1 / s.n_half[:, p]).sum() * s.t[p]))
        s.owner.append(p)
    k = block.max() + 1
    s.block_half = np.arange(k) * 2 // k
    s.block_n = np.array([np.sum(block == i) for i in range(k)])
    s.beta = np.array([np.mean([x[j] - c_half[s.block_half[i], batch[j]] for j in np.flatnonzero(block == i)], axis=0) for i in range(k)])  # fmt: skip
    s.freedom = np.zeros(2)
    for i, a in enumerate(s.block_half):
        by_batch = np.array([np.sum((block == i) & (batch == b)) for b in range(n_batches)])
        s.freedom[a] += 1 - np.sum(by_batch**2 / n_0_half[a]) / s.block_n[i]
    t_0 = np.sum((n_0 - 1) * s2_0.sum(axis=1)) / np.sum(n_0 - 1)
    for i in range(k // 2):
        j = i + k // 2
        scale = np.sqrt((1 / s.block_n[i] + 1 / s.block_n[j]) * s.freedom.sum() / k * t_0)
        vectors.append((s.beta[i] - s.beta[j]) / scale)
        s.owner.append(-1)
    s.vectors, s.owner = np.array(vectors), np.array(s.owner)
    products = [(i, j, (u @ v) ** 2) for i, u in enumerate(vectors) for j, v in enumerate(vectors) if i != j]
    mean_without = lambda i: np.mean([value for a, b, value in products if i not in (a, b)])
    s.a2, without = mean_without(-1), np.array([mean_without(i) for i in range(len(vectors))])
    s.a2_raised = s.a2 + np.sqrt((len(without) - 1) / len(without) * np.sum((without - without.mean()) ** 2))
    s.energy = (s.effect**2 - s.v).sum(axis=1)
    s.gram = s.effect @ s.effect.T - np.diag(s.t / s.n) - s.w @ np.diag(s.tau) @ s.w.T
    return s


def control_variance(s, v_half):
    """Variance from derivatives by the control means of each half and batch, block by block."""
    total = 0.0
    for k, a in enumerate(s.block_half):
        for b in range(len(s.n_0)):
            total += s.block_n[k] * (s.beta[k] @ v_half[a][b]) ** 2 / s.freedom[a] / s.n_0_half[a, b]
    return total


def planted(rng, effect, n=200, n_control=2000):
    """Response with these effects in white noise."""
    row = np.repeat(np.arange(len(effect) + 1), [n_control, *[n] * len(effect)])
    x = rng.normal(size=(len(row), effect.shape[1])) + np.vstack([np.zeros(effect.shape[1]), effect])[row]
    hashes = rng.integers(2**64, size=len(row), dtype=np.uint64)
    batch = np.zeros(len(row), dtype=np.int64)
    assignment = assign_halves(row, len(effect) + 1, 0, hashes, batch=batch, n_batches=1)
    moments = row_moments(x, assignment, row, len(effect) + 1, 0, batch=batch)
    rows = np.arange(1, len(effect) + 1)
    return Response.of(moments, rows, noise_shape(moments, rows))


@pytest.fixture(scope="package", params=SHAPES)
def screen(request):
    """Return a screen: its ``response`` and ``moments``, the same from single cells, and ``control_variance``."""
    x, row, batch = draw_cells(1, **SHAPES[request.param])
    hashes = np.random.default_rng(2).integers(2**64, size=len(row), dtype=np.uint64)
    assignment = assign_halves(row, row.max() + 1, 0, hashes, batch=batch, n_batches=batch.max() + 1)
    moments = row_moments(x, assignment, row, row.max() + 1, 0, batch=batch)
    rows = counted_rows(moments, np.ones(row.max() + 1, dtype=bool))
    cells = brute_force(x, row, batch, assignment.half[assignment.group], assignment.block[assignment.group])
    return SimpleNamespace(
        response=Response.of(moments, rows, noise_shape(moments, rows)),
        moments=moments,
        cells=cells,
        control_variance=lambda v_half: control_variance(cells, v_half),
    )


@pytest.fixture
def several_threads(monkeypatch):
    """Run loops on a number of threads, however few values there are and however few processors."""

    def use(n_threads):
        monkeypatch.setattr(threads, "FEW", 0)
        monkeypatch.setattr(threads, "number_of_processors", lambda: n_threads)

    return use
