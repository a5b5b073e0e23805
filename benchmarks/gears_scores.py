"""GEARS beside baselines and linear models: doubles of Norman et al. 2019, and unseen singles of a simulated screen.

``python -m benchmarks.gears_scores``; trained as upstream trains it and, where genes correlate, with ``fix_batching``.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData

import scpertbias as spb

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
METRICS = ["l2", "l2_ratio", "pearson_delta", "mse_de20"]


def norman() -> tuple[AnnData, pd.DataFrame]:
    """Held out: the five doubles whose singles are there, and three others. Graph: gene ontology."""
    adata = ad.read_h5ad(DATA / "norman2019_subset.h5ad")
    net = spb.pp.jaccard_net(pd.read_csv(DATA / "norman2019_go.csv"))
    names = sorted(set(adata.obs["perturbation"]) - {"control"})
    both = [name for name in names if "+" in name and set(name.split("+")) <= set(names)]
    others = [name for name in names if "+" in name and name not in both]
    spb.pp.split(adata, test=[*both, *others[3:6]], val=others[6:9])
    return adata, net


def simulate_screen() -> tuple[AnnData, pd.DataFrame]:
    """A fifth of thirty targets held out, all of them measured; graph: their modules, with wrong edges."""
    adata = spb.ds.simulate(3000, 300, 30, keep_counts=False)
    net = spb.ds.simulate_net(adata)
    targets = sorted(set(adata.obs["perturbation"]) - {"non-targeting"} - set(adata.var_names))
    free = [gene for gene in adata.var_names if not gene.startswith(("MT-", "RP")) and gene not in set(net["source"])]
    renamed = dict(zip(free[-len(targets) :], targets, strict=True))
    adata.var_names = [renamed.get(gene, gene) for gene in adata.var_names]
    spb.pp.split(adata, fractions=(0.7, 0.1, 0.2))
    return adata, net


def fit(adata: AnnData, net: pd.DataFrame, *, epochs: int) -> list[str]:
    """Fit everything that can say something about what is held out; return the names of GEARS.

    Where no two genes correlate, the gene graph is empty, and curing the batching cures nothing.
    """
    names = ["gears"]
    spb.tl.fit_gears(adata, net, epochs=epochs, device="cpu")
    if len(spb.pp.coexpression_net(adata, cells="train")):
        names.append("gears_fixed")
        spb.tl.fit_gears(adata, net, epochs=epochs, fix_batching=True, device="cpu", key_added=names[1])
    spb.tl.fit_no_change(adata)
    spb.tl.fit_mean(adata)
    spb.tl.fit_additive(adata)
    spb.tl.fit_ridge(adata)
    spb.tl.fit_two_stage(adata, net, axis="perturbations")
    spb.tl.fit_bilinear(adata)
    spb.tl.score(adata)
    return names


def report(adata: AnnData, names: list[str]) -> None:
    """Print the history, how far apart the two trainings are, and the scores of what is held out."""
    for key in names:
        history = spb.get.history(adata, key)
        print(f"\n{key}\n{history[['epoch', 'train_loss', 'val_mse', 'val_mse_de20', 'seconds', 'best']]}")
    control = spb.get.predictions(adata, "no_change")
    shift = [spb.get.predictions(adata, key) - control for key in names]
    print(f"\nmedian L2 of the predicted changes: {[round(norm(s), 3) for s in shift]}")
    if len(shift) > 1:
        print(f"median L2 between the two: {norm(shift[0] - shift[1]):.3f}")
    scores = spb.get.scores(adata, split="test")
    wide = scores.pivot_table(index=["perturbation", "seen_targets"], columns="model", values="l2", dropna=False)
    print(f"\nL2 of what is held out\n{wide.dropna(how='all').round(2)}")
    comparable = scores[
        scores["perturbation"].isin(scores.loc[scores["model"] == "gears"].dropna(subset="l2")["perturbation"])
    ]
    print(f"\nmeans over those that GEARS predicts\n{comparable.groupby('model')[METRICS].mean().round(3)}")


def norm(table: pd.DataFrame) -> float:
    """Median over perturbations of the length of a row, the control and gaps left out."""
    rows = np.sqrt((table**2).sum(axis=1, min_count=1))
    return float(rows[rows > 0].median())


if __name__ == "__main__":
    sc.settings.verbosity = 0
    n_epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for name, make in (("Norman et al. 2019", norman), ("simulated", simulate_screen)):
        print(f"\n== {name} ==", flush=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* in the perturbation graph")
            screen, graph = make()
            fitted = fit(screen, graph, epochs=n_epochs)
        with pd.option_context("display.width", 160, "display.max_columns", 20):
            report(screen, fitted)
