"""Small screens for models that are trained on cells."""

import numpy as np
import pytest

import scpertbias as spb


@pytest.fixture(scope="session")
def screen():
    """Cells of two batches with a split: 24 genes, eight perturbations, and some that do not count."""
    adata = spb.ds.simulate(600, 24, 8, n_strata=2, strata_strength=0.3, rng=3)
    names = sorted(set(adata.obs["perturbation"]) - {"non-targeting"})
    spb.pp.split(adata, test=names[:1], val=names[1:2])
    label = adata.obs["perturbation"].astype(str).to_numpy(object)
    label[np.flatnonzero(label == names[2])[:5]] = "unassigned"
    label[np.flatnonzero(label == names[3])[:4]] = "FEW"
    adata.obs["perturbation"] = label
    return adata


@pytest.fixture
def data():
    """The parameters of reading cells, as a fit passes them on."""
    return {
        "groupby": "perturbation",
        "reference": None,
        "strata": "gem_group",
        "min_cells": 20,
        "layer": None,
        "split_key": "split",
        "gene_symbols": None,
    }
