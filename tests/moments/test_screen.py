import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from scpertbias import _moments
from scpertbias._core.detection import detect
from scpertbias._moments.screen import Screen

NONE = np.empty(0, dtype=np.int64)


@pytest.fixture
def screen():
    rng = np.random.default_rng(0)
    labels = np.repeat(["ctrl", "B", "A"], [40, 50, 60])
    obs = pd.DataFrame({"perturbation": labels, "split": np.tile(["train", "test", "val"], 50)})
    adata = AnnData(rng.gamma(1.0, size=(150, 4)), obs=obs.set_axis([f"c{i}" for i in range(150)]))
    adata.var = pd.DataFrame({"name": ["X", "Y", "X", "Z"]}, index=["g1", "g2", "g3", "g4"])
    return _moments.of(adata, gene_symbols="name"), adata


def test_rows(screen):
    screen, adata = screen
    assert isinstance(screen, Screen)
    assert screen.reference == "ctrl"
    assert screen.names == ("ctrl", "A", "B")
    assert [(screen.names[p], s) for p, s in zip(screen.perturbation, screen.split, strict=True)] == [
        ("ctrl", "train"),
        *[(name, split) for name in "AB" for split in ("train", "val", "test")],
    ]
    assert screen.codes.tolist() == adata.obs["perturbation"].map({"ctrl": 0, "A": 1, "B": 2}).tolist()


def test_the_symbol_of_two_genes_is_that_of_higher_expression(screen):
    screen, adata = screen
    mean = adata.X[(adata.obs["perturbation"] == "ctrl").to_numpy()].mean(axis=0)
    strong, weak = (0, 2) if mean[0] > mean[2] else (2, 0)
    assert screen.column_of() == {"X": strong, "Y": 1, "Z": 3, adata.var_names[weak]: weak}


def test_merged(screen):
    screen, adata = screen
    merged = screen.merged
    assert merged.perturbation.tolist() == [0, 1, 2]
    assert merged.moments.n.tolist() == [40, 60, 50]
    for i, name in enumerate(merged.names):
        cells = adata.X[(adata.obs["perturbation"] == name).to_numpy()]
        np.testing.assert_allclose(merged.moments.mean[i], cells.mean(axis=0))
        np.testing.assert_allclose(merged.moments.var[i], cells.var(axis=0, ddof=1))
    assert merged.used.tolist() == [True, True, True]
    assert len(merged.reason) == len(merged.split) == 3
    assert merged.names == screen.names


def test_detection_takes_splits_together_and_knows_the_targets(screen):
    screen, adata = screen
    detection = screen.detection
    assert detection.counted.tolist() == [False, True, True]
    merged = screen.merged.moments
    np.testing.assert_allclose(detection.squared_effect, detect(merged, np.ones(3, bool), [NONE] * 3).squared_effect)
    assert (detection.own_gene == -1).all()
    adata.obs["perturbation"] = adata.obs["perturbation"].replace({"A": "X+Z"})
    own = _moments.of(adata, gene_symbols="name").detection.own_gene
    assert own[2] in (0, 3)
    assert own[1] == -1


def test_target_genes_are_marked_row_by_row(screen):
    screen, adata = screen
    adata.obs["perturbation"] = adata.obs["perturbation"].replace({"A": "X+Z"})
    screen = _moments.of(adata, gene_symbols="name")
    rows = np.arange(len(screen.perturbation))[::-1]
    combination = screen.perturbation[rows] == screen.names.index("X+Z")
    marked = screen.target_genes(rows)
    assert marked[combination].sum(axis=1).tolist() == [2, 2, 2]
    assert set(screen.symbols[marked.any(axis=0)]) == {"X", "Z"}
    assert not marked[~combination].any()
