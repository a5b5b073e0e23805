"""Cells of a small screen, and by brute force over them what the moments should be."""

import numpy as np

from scpertbias._core.halves import assign_halves
from scpertbias._core.row_moments import row_moments

N, G, R, S = 600, 7, 5, 3


class Cells:
    """Cells with rows (0 is the control), batches and covariates; every batch shifts genes and covariates."""

    def __init__(self, seed=0, n=N, batches=S):
        rng = np.random.default_rng(seed)
        self.row = rng.choice(R, n, p=[0.4, 0.2, 0.2, 0.1, 0.1]).astype(np.int64)
        self.row[rng.choice(n, n // 20, replace=False)] = -1
        self.batch = rng.integers(0, batches, n)
        self.n_batches = batches
        self.hashes = rng.integers(2**64, size=n, dtype=np.uint64)
        self.c = rng.normal(size=(n, 2)) + 0.5 * self.batch[:, None]
        self.x = rng.gamma(2.0, size=(n, G)) + 0.3 * self.batch[:, None] + self.c @ rng.normal(size=(2, G)) * 0.5
        self.x += 0.2 * np.maximum(self.row, 0)[:, None]

    def assign_halves(self, **kwargs):
        return assign_halves(self.row, R, 0, self.hashes, batch=self.batch, n_batches=self.n_batches, **kwargs)

    def row_moments(self, x=None, covariates=False, **kwargs):
        return row_moments(
            self.x if x is None else x,
            self.assign_halves(**kwargs),
            self.row,
            R,
            0,
            batch=self.batch,
            covariates=self.c if covariates else None,
        )

    def take(self, index):
        other = object.__new__(Cells)
        other.__dict__ = {k: v[index] if isinstance(v, np.ndarray) else v for k, v in self.__dict__.items()}
        return other

    def centered(self, values):
        """Each cell less the control mean of its batch, plus the control mean."""
        control = self.row == 0
        out = values.copy()
        for b in range(self.n_batches):
            out[self.batch == b] -= values[control & (self.batch == b)].mean(axis=0)
        return out + values[control].mean(axis=0)

    def centered_half(self, values, a):
        """Each cell less the mean of a control half in its batch, plus that of the half at the batches of all controls."""
        control, half = self.row == 0, self.parts()[0]
        by_batch = np.array(
            [values[control & (half == a) & (self.batch == b)].mean(axis=0) for b in range(self.n_batches)]
        )
        shares = np.bincount(self.batch[control], minlength=self.n_batches) / control.sum()
        return values - by_batch[self.batch] + shares @ by_batch

    def about_blocks(self, values):
        """Each control cell less the mean of its half of the control in its batch; zero for all others."""
        half = self.parts()[0]
        out = np.zeros_like(values)
        for a in (0, 1):
            for b in range(self.n_batches):
                mine = (self.row == 0) & (half == a) & (self.batch == b)
                out[mine] = values[mine] - values[mine].mean(axis=0)
        return out

    def within(self, values):
        """Variance within batches, by the definition (METRICS 1), row by row."""
        control = [values[(self.row == 0) & (self.batch == b)] for b in range(self.n_batches)]
        out = []
        for i in range(R):
            mine = self.row == i
            n = np.array([(mine & (self.batch == b)).sum() for b in range(self.n_batches)])
            middle = sum(k * part.mean(axis=0) for k, part in zip(n, control, strict=True)) / n.sum()
            between = sum(
                k * (part.mean(axis=0) - middle) ** 2 - k * (1 - k / n.sum()) * part.var(axis=0, ddof=1) / len(part)
                for k, part in zip(n, control, strict=True)
            )
            out.append(values[mine].var(axis=0, ddof=1) - between / (n.sum() - 1))
        return np.array(out)

    def parts(self):
        """Half and block of each cell."""
        assignment = self.assign_halves()
        group = assignment.group
        return np.where(group >= 0, assignment.half[group], -1), np.where(group >= 0, assignment.block[group], -1)
