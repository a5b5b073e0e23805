"""Is the matched truth the ceiling that it stands for? Eleven functions on screens whose truth is known.

``python -m benchmarks.any_metric`` draws screens with effects (cells in Gaussian noise with correlated genes, 60
perturbations x 500 genes), scores the true effects by each function, and compares with the ceiling that is made from the
cells alone.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from anndata import AnnData

import scpertbias as spb
from benchmarks.metric_functions import ERRORS, FUNCTIONS, WITHOUT_CONTROL
from scpertbias import _results
from scpertbias.tl._compared import read_inputs
from scpertbias.tl._metric import metric_table

SHAPES = {"20/100": (20, 100), "50/500": (50, 500), "100/2,000": (100, 2_000)}
EFFECTS = {"weak": (0.08, 1.0), "strong": (0.25, 1.0), "sparse": (0.25, 0.2)}
"""Their size, and the part of the genes that they reach beside the shared axis."""
N_PERTURBATIONS, N_GENES = 60, 500
LEVEL, SCALE = 5.0, 0.6
TOLERANCE = 0.05


def draw(n_cells: int, n_control: int, effect: str, seed: int) -> tuple[AnnData, pd.DataFrame]:
    """Draw a screen in Gaussian noise with correlated genes, and return the true effects beside it."""
    rng = np.random.default_rng(seed)
    strength, density = EFFECTS[effect]
    axis = rng.standard_normal(N_GENES)
    sizes = rng.gamma(1.0, 1.0, N_PERTURBATIONS)
    reached = rng.random((N_PERTURBATIONS, N_GENES)) < density
    own = rng.standard_normal((N_PERTURBATIONS, N_GENES)) * reached / np.sqrt(density)
    effects = strength * sizes[:, None] * (0.6 * axis + 0.8 * own)
    loadings = 0.3 * rng.standard_normal((5, N_GENES))
    code = np.repeat(np.arange(N_PERTURBATIONS + 1), [n_control, *[n_cells] * N_PERTURBATIONS])
    noise = rng.standard_normal((len(code), N_GENES)) + rng.standard_normal((len(code), 5)) @ loadings
    # Within what log-normalized values may be
    levels = LEVEL + rng.standard_normal(N_GENES)
    values = np.clip(levels + SCALE * (noise + np.vstack([np.zeros(N_GENES), effects])[code]), 0, None)
    names = np.array(["control", *(f"P{i}" for i in range(N_PERTURBATIONS))])
    obs = pd.DataFrame({"perturbation": names[code]}, index=[f"c{i}" for i in range(len(code))])
    adata = AnnData(values.astype(np.float32), obs, pd.DataFrame(index=[f"G{i}" for i in range(N_GENES)]))
    return adata, pd.DataFrame(SCALE * effects, names[1:], adata.var_names)


def compare(n_cells: int, n_control: int, effect: str, seed: int) -> pd.DataFrame:
    """Return score of the true effects and ceiling by each function, on one screen."""
    adata, effects = draw(n_cells, n_control, effect, seed)
    profiles = spb.pp.profiles(adata)
    spb.tl.add_predictions(
        profiles, effects, key_added="truth", kind="delta", fitted_on="other", test=list(effects.index)
    )
    inputs = read_inputs(profiles, None, need_models=True)
    records = _results.model_records(profiles, None)
    rows = []
    for name, function in FUNCTIONS.items():
        best = "lower" if name in ERRORS else "higher"
        how = {"best": best, "uses_control": name not in WITHOUT_CONTROL, "n_perm": 0, "n_boot": 0}
        row = metric_table(inputs, function, name=name, records=records, **how).iloc[0]
        rows.append({"function": name, "truth": row["score"], "ceiling": row["ceiling"], "replicate": row["replicate"]})
    return pd.DataFrame(rows)


def errors(n_screens: int) -> pd.DataFrame:
    """Return by function and design how far ceiling and replicate are from the score of the truth, mean over screens."""
    parts = []
    for shape, (n_cells, n_control) in SHAPES.items():
        for effect in EFFECTS:
            screens = [compare(n_cells, n_control, effect, seed) for seed in range(n_screens)]
            mean = pd.concat(screens).groupby("function", sort=False).mean()
            parts.append(mean.assign(design=f"{effect} {shape}").reset_index())
    table = pd.concat(parts, ignore_index=True)
    return table.assign(
        error=(table["ceiling"] - table["truth"]).abs(), replicate_error=(table["replicate"] - table["truth"]).abs()
    )


def main() -> None:
    """Print mean and largest error by function."""
    table = errors(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    by = table.groupby("function", sort=False)[["error", "replicate_error"]].agg(["mean", "max"])
    print(by.round(3).to_string())
    n = int((by["error", "mean"] <= TOLERANCE).sum())
    print(
        f"matched truth within {TOLERANCE} of the truth (mean over {table['design'].nunique()} designs): {n} of {len(by)}"
    )
    print(table.pivot(index="function", columns="design", values="error").round(3).to_string())


if __name__ == "__main__":
    main()
