"""Cells of a screen of log counts, and the definitions of its z on single cells."""

import numpy as np

from scpertbias._core.halves import assign_halves
from scpertbias._core.row_moments import row_moments

P = 8
ROWS = np.arange(1, P + 1)
SHAPES = {
    "one batch": {"n_batches": 1},
    "nested": {"nested": True},
    "uneven": {"uneven": True},
    "few controls": {"n_control": 31},
    "30 genes": {"n_genes": 30},
    "heavy tails": {"heavy": True},
}


def draw(
    seed, *, n_batches=3, nested=False, uneven=False, n_control=150, n_genes=60, heavy=False, effect=0.0, cells=25
):
    """Draw log counts (cells × genes) with correlated states, batch shifts and effects; rows 0 (control) to P."""
    rng = np.random.default_rng(seed)
    row = np.r_[np.zeros(n_control, dtype=np.int64), 1 + np.arange(P * cells) % P]
    batch = rng.choice(n_batches, size=len(row), p=[0.6, 0.3, 0.1][:n_batches] if uneven else None)
    batch[row == 0] = np.arange(n_control) % n_batches
    if nested:
        batch[row > 0] = row[row > 0] % n_batches
    state = rng.standard_t(2.5, size=(len(row), 1)) if heavy else rng.normal(size=(len(row), 1))
    log_rate = rng.normal(-0.5, 1.5, size=n_genes) + np.clip(state, -9, 9) @ rng.normal(0, 0.3, size=(1, n_genes))
    log_rate += rng.normal(0, 0.5, size=(n_batches, n_genes))[batch]
    log_rate += effect * np.vstack([np.zeros(n_genes), rng.normal(size=(P, n_genes))])[row]
    return np.log1p(rng.poisson(np.exp(log_rate))), row, batch


def moments_of(x, row, batch, seed=0, covariates=None):
    hashes = np.random.default_rng(seed).integers(2**64, size=len(row), dtype=np.uint64)
    n_rows = int(row.max()) + 1
    assignment = assign_halves(row, n_rows, 0, hashes, batch=batch, n_batches=int(batch.max()) + 1)
    return row_moments(x, assignment, row, n_rows, 0, batch=batch, covariates=covariates)


class Cells:
    """The definitions, one perturbation and one batch at a time, on single cells."""

    def __init__(self, x, row, batch):
        self.x, self.row, self.batch = x, row, batch
        self.batches = range(batch.max() + 1)
        self.control = [x[(row == 0) & (batch == b)] for b in self.batches]
        self.means = np.array([c.mean(axis=0) for c in self.control])
        self.vars = np.array([c.var(axis=0, ddof=1) for c in self.control])
        self.n_control = np.array([len(c) for c in self.control])
        self.var = np.array([self.within(p) for p in ROWS])
        n = np.bincount(row)[1:]
        self.pooled = ((n - 1) @ self.var + (self.n_control - 1) @ self.vars) / (
            (n - 1).sum() + (self.n_control - 1).sum()
        )

    def weights(self, p):
        return np.array([((self.row == p) & (self.batch == b)).sum() for b in self.batches]) / (self.row == p).sum()

    def within(self, p):
        n, w = (self.row == p).sum(), self.weights(p)
        between = n * (w @ (self.means - w @ self.means) ** 2)
        between -= n * (w * (1 - w) / self.n_control) @ self.vars
        return self.x[self.row == p].var(axis=0, ddof=1) - between / (n - 1)

    def effect(self, p):
        return self.x[self.row == p].mean(axis=0) - self.weights(p) @ self.means

    def error(self, p):
        n, w = (self.row == p).sum(), self.weights(p)
        own = np.maximum(self.var[p - 1], self.pooled) / n
        return np.sqrt(
            own + sum(w[b] ** 2 * np.maximum(self.vars[b], self.pooled) / self.n_control[b] for b in self.batches)
        )

    def carrying(self, p):
        values = self.x[self.row == p]
        squares = (values**2).sum(axis=0)
        return np.where(squares > 0, values.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1), 0)

    def z(self, p):
        error = self.error(p)
        z = self.effect(p) / np.where(error > 0, error, np.nan)
        return np.where(self.carrying(p) + self.carrying(0) < 10 - 1e-8, np.nan, z)

    def z_effect(self, p, targets, a2):
        genes = np.setdiff1d(np.arange(self.x.shape[1]), targets)
        n, w = (self.row == p).sum(), self.weights(p)
        own = self.var[p - 1, genes].sum() / n
        control = w**2 * self.vars[:, genes].sum(axis=1) / self.n_control
        noise = own + control.sum()
        scale = noise**2 + own**2 / (n - 1) + (control**2 / (self.n_control - 1)).sum()
        return ((self.effect(p)[genes] ** 2).sum() - noise) / np.sqrt(2 * a2 * scale)
