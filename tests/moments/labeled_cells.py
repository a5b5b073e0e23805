"""Cells of a few perturbations, in random order."""

import anndata as ad
import numpy as np
import pandas as pd


def make(sizes=(("ctrl", 60), ("A", 30), ("B", 25), ("C", 5)), seed=0, n_genes=4, **columns):
    rng = np.random.default_rng(seed)
    labels = np.repeat([name for name, _ in sizes], [n for _, n in sizes])
    obs = pd.DataFrame({"perturbation": labels, **columns}, index=[f"cell{i}" for i in range(len(labels))])
    adata = ad.AnnData(rng.gamma(1.0, size=(len(labels), n_genes)), obs=obs)
    adata.var_names = [f"G{i}" for i in range(n_genes)]
    return adata[rng.permutation(len(labels))].copy()
