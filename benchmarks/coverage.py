"""How often the intervals of shares of the response hold the true value: ``python -m benchmarks.coverage``.

The table of ``docs/null_ceiling_interval.md``: Gaussian screens of 200 genes with heavy-tailed effects. The shares of
this screen are those of the perturbations drawn, the share in a typical perturbation is that of a large population.
"""

import argparse

import numpy as np
from tests.core.conftest import planted

from scpertbias._core.gene_sets import screen_shares, typical_shares
from scpertbias._core.shared_axis import shared_axis

N_GENES = 200
IN_SET = np.arange(N_GENES) < 40
DESIGNS = ((100, 20, 100), (100, 50, 500), (50, 50, 500), (25, 50, 500))


def draw_effects(rng, axis, n):
    """Effects of ``n`` perturbations: a heavy-tailed size times one shared axis, mostly of one sign, and white noise."""
    size = rng.pareto(1.5, (n, 1)) + 0.5
    return 0.15 * size * (rng.choice([-1, 1], (n, 1), p=[0.2, 0.8]) * axis + rng.normal(size=(n, N_GENES)))


def true_typical(effects, rng, noise):
    """Share of the set in a typical perturbation, by its definition, over the population ``effects``."""
    squares = (effects + rng.normal(size=effects.shape) * np.sqrt(noise)) ** 2
    total = squares.sum(axis=1)
    weight = 1 / np.maximum(total, N_GENES * noise)
    in_set = squares[:, IN_SET].sum(axis=1) - noise * IN_SET.sum()
    return (weight * in_set).sum() / (weight * (total - N_GENES * noise)).sum()


def holds(interval, value):
    """Whether an interval holds the value."""
    return interval.low <= value <= interval.high


def coverage(n_perturbations, n_cells, n_controls, n_screens, seed):
    """Fractions of screens: set share of this screen, of a typical perturbation, and of the shared axis."""
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=N_GENES) * np.where(IN_SET, 1.5, 0.7)
    typical = true_typical(draw_effects(rng, axis, 200_000), rng, 1 / n_cells + 1 / n_controls)
    held = []
    for _ in range(n_screens):
        effects = draw_effects(rng, axis, n_perturbations)
        others = effects.sum(axis=0) - effects
        along = (effects * others).sum(axis=1) ** 2 / (others**2).sum(axis=1)
        response = planted(rng, effects, n=n_cells, n_control=n_controls)
        shared = shared_axis(response)
        held.append(
            [
                holds(screen_shares(response, IN_SET[None])[0], (effects[:, IN_SET] ** 2).sum() / (effects**2).sum()),
                holds(typical_shares(response, IN_SET[None])[0], typical),
                holds(shared, along.sum() / (effects**2).sum()) if shared.exists else np.nan,
            ]
        )
    return np.nanmean(np.array(held, dtype=float), axis=0)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--screens", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    error = np.sqrt(0.95 * 0.05 / args.screens)
    print(f"{args.screens} screens a row; standard error {error:.3f}")
    print("perturbations, cells, controls | set, this screen | set, typical perturbation | systematic")
    for design in DESIGNS:
        print(*design, "|", " | ".join(f"{x:.3f}" for x in coverage(*design, args.screens, args.seed)), flush=True)


if __name__ == "__main__":
    main()
