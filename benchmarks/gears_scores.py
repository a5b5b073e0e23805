"""GEARS beside baselines and linear models: doubles of Norman et al. 2019, and unseen singles of a simulated screen.

``python -m benchmarks.gears_scores``; each is trained as upstream trains it and with ``fix_batching``.
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


def simulated() -> tuple[AnnData, pd.DataFrame]:
    """A fifth of thirty targets held out, all of them measured; graph: their modules, with wrong edges."""
    adata = spb.ds.simulate(3000, 300, 30, cell_axis_sd=0.4, keep_counts=False)  # so that genes correlate
    net = spb.ds.simulate_net(adata)
    targets = sorted(set(adata.obs["perturbation"]) - {"non-targeting"} - set(adata.var_names))
    free = [gene for gene in adata.var_names if not gene.startswith(("MT-", "RP")) and gene not in set(net["source"])]
    renamed = dict(zip(free[-len(targets) :], targets, strict=True))
    adata.var_names = [renamed.get(gene, gene) for gene in adata.var_names]
    spb.pp.split(adata, fractions=(0.7, 0.1, 0.2))
    return adata, net


def fit(adata: AnnData, net: pd.DataFrame, *, epochs: int) -> None:
    """Fit everything that can say something about what is held out."""
    for fix in (False, True):
        key = "gears, fix_batching" if fix else "gears"
        spb.tl.fit_gears(adata, net, epochs=epochs, fix_batching=fix, device="cpu", key_added=key)
    spb.tl.fit_control(adata)
    spb.tl.fit_mean(adata)
    spb.tl.fit_additive(adata)
    spb.tl.fit_ridge(adata)
    spb.tl.fit_two_stage(adata, net, axis="perturbations")
    spb.tl.fit_bilinear(adata)
    spb.tl.score(adata)


def report(adata: AnnData) -> None:
    """Print the history, how far apart the two trainings are, and the scores of what is held out."""
    for key in ("gears", "gears, fix_batching"):
        history = spb.get.history(adata, key)
        print(f"\n{key}\n{history[['epoch', 'train_loss', 'val_mse', 'val_mse_de20', 'seconds', 'best']]}")
    control = spb.get.predictions(adata, "control")
    shift = {key: spb.get.predictions(adata, key) - control for key in ("gears", "gears, fix_batching")}
    apart = np.sqrt(((shift["gears"] - shift["gears, fix_batching"]) ** 2).sum(axis=1, min_count=1))
    size = np.sqrt((shift["gears"] ** 2).sum(axis=1, min_count=1))
    print(
        f"\nL2 between the two predictions: {apart.median():.3f}; of the predicted change: {size.median():.3f} (medians)"
    )
    scores = spb.get.scores(adata).query("split == 'test'")
    wide = scores.pivot_table(index=["perturbation", "seen_targets"], columns="model", values="l2", dropna=False)
    print(f"\nL2 of what is held out\n{wide.dropna(how='all').round(2)}")
    told = scores[
        scores["perturbation"].isin(scores.loc[scores["model"] == "gears"].dropna(subset="l2")["perturbation"])
    ]
    print(f"\nmeans over those that GEARS predicts\n{told.groupby('model')[METRICS].mean().round(3)}")


if __name__ == "__main__":
    sc.settings.verbosity = 0
    n_epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for name, make in (("Norman et al. 2019", norman), ("simulated", simulated)):
        print(f"\n== {name} ==", flush=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No edge of the perturbation graph")
            screen, graph = make()
            fit(screen, graph, epochs=n_epochs)
        with pd.option_context("display.width", 160, "display.max_columns", 20):
            report(screen)
