"""What is each fact about a perturbation worth by each metric, on three screens? The table of docs/metrics.md.

``python -m benchmarks.probes`` scores the probes of :func:`scpertbias.tl.probes` on the bundled screen and on two simulated
ones, which have a shared axis and effects of their own, with 300 and 100 cells per perturbation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd
from anndata import AnnData

import scpertbias as spb
from benchmarks import screens

DESIGNS = {
    "300 cells, 2,000 controls": {"cells_per_perturbation": 300, "n_control": 2_000},
    "100 cells, 1,000 controls": {"cells_per_perturbation": 100, "n_control": 1_000},
}
EFFECTS = {"n_genes": 500, "n_perturbations": 60, "axis_strength": 0.12, "own_strength": 0.12, "knock_down": 1.0}
SHOWN = ("mse", "mae", "pearson_delta", "pearson_delta_perturbed", "discrimination", "pds_cosine", "de_direction",
         "de_auprc", "de_spearman", "de_nmae")  # fmt: skip


def simulated(name: str, seed: int = 0) -> AnnData:
    """Draw a screen with an axis that perturbations share, and with effects of their own."""
    return screens.normalize(screens.draw(seed, truth_cells=0, **EFFECTS, **DESIGNS[name]))


def tables(metrics: tuple[str, ...] = SHOWN) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name of each screen and its table of probes."""
    makers: dict[str, Callable[[], AnnData]] = {
        "Papalexi et al. 2021": lambda: spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep"),
        **{
            f"simulated, {name}": lambda name=name: spb.pp.profiles(simulated(name), batch_key="batch")
            for name in DESIGNS
        },
    }
    for name, make in makers.items():
        profiles = make()
        spb.tl.probes(profiles, metrics=list(metrics))
        yield name, spb.get.probes(profiles)


def markdown(table: pd.DataFrame) -> str:
    """Return the scaled values as a table of Markdown."""
    wide = table.pivot(index="probe", columns="metric", values="scaled")
    wide = wide.loc[table["probe"].unique(), table["metric"].unique()]
    lines = ["| probe | " + " | ".join(wide.columns) + " |", "|---|" + "---|" * wide.shape[1]]
    for probe, row in wide.iterrows():
        cells = ["–" if pd.isna(v) else f"{v:.2f}".replace("-", "−").replace("−0.00", "0.00") for v in row]
        lines.append(f"| {probe} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table of each screen."""
    for name, table in tables():
        n = table.groupby("metric", sort=False)["n"].max()
        print(f"\n{name}; perturbations: {', '.join(f'{metric} {k}' for metric, k in n.items())}\n")
        print(markdown(table))


if __name__ == "__main__":
    main()
