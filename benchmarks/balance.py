"""How often balance over batches is called rightly on screens of known truth: ``python -m benchmarks.balance``.

Fractions of screens whose batch is ``confounded`` or ``cannot be separated``, the mean share of the response that its
composition accounts for, how often p is 0.01 or less, and how often depth is noted, with Monte-Carlo standard errors.
"""

import argparse
import logging
import warnings

import numpy as np

import scpertbias as spb

from . import screens

SETTINGS = {
    "random, no effect": {"shape": "random"},
    "random, own effects": {"shape": "random", "plant": "own"},
    "balanced, shared axis": {"shape": "balanced", "plant": "axis"},
    "few controls": {"shape": "few_controls", "plant": "own"},
    "nested, weak batches": {"shape": "nested", "plant": "own", "batch_strength": 0.02, "batch_depth": 0.0},
    "nested, no effect": {"shape": "nested"},
    "nested, own effects": {"shape": "nested", "plant": "own"},
    "uneven, batches alone": {"shape": "uneven", "plant": "batch_only"},
    "control of another lot, no effect": {"shape": "control_of_another_lot"},
    "control of another lot, own effects": {"shape": "control_of_another_lot", "plant": "own"},
    "one batch, depth alone": {"shape": "one_batch", "plant": "depth_only"},
    "one batch, own effects": {"shape": "one_batch", "plant": "own"},
}
WARNED = ("confounded", "cannot be separated")
COLUMNS = ("warned", "share", "p <= 0.01", "depth noted", "depth share")


def tested(seed, shape, **changes):
    """Whether the batch is warned of, its share, whether p is small, and the same of depth."""
    counts = screens.draw(20_000 + seed, shape=shape, truth_cells=0, **changes)
    adata = screens.normalize(counts)
    adata.obs["total_counts"] = counts.obs["total"]
    spb.tl.balance(adata, min_cells=10)
    table = spb.get.balance(adata).set_index("column")
    depth = table.loc["depth"]
    of_depth = (depth["status"] == "noted", depth["share"])
    if "batch" not in table.index:
        return (np.nan, np.nan, np.nan, *of_depth)
    row = table.loc["batch"]
    return (row["status"] in WARNED, row["share"], row["p"] <= 0.01, *of_depth)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--screens", type=int, default=200)
    parser.add_argument("--only", help="settings whose name holds this")
    args = parser.parse_args()
    logging.disable()
    print(f"{args.screens} screens a row; in brackets the Monte-Carlo standard error")
    print("setting | " + " | ".join(COLUMNS))
    for name, settings in SETTINGS.items():
        if args.only and args.only not in name:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = np.array([tested(seed, **settings) for seed in range(args.screens)], dtype=float)
        known = np.isfinite(values).sum(axis=0)
        mean = np.where(known > 0, np.nansum(values, axis=0) / np.maximum(known, 1), np.nan)
        error = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.maximum(known, 1) / np.maximum(known - 1, 1))
        cells = (f"{m:.3f} ({e:.3f})" if np.isfinite(m) else "–" for m, e in zip(mean, error, strict=True))
        print(name, "|", " | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
