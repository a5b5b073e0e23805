"""What values, genes and columns look like."""

import numpy as np
import pandas as pd
import pytest

from scpertbias._inspect.guess import columns, gene_names, is_split, levels_of, scale
from scpertbias._inspect.source import Matrix
from scpertbias._scale import LOGGED, NORMALIZED, Scale

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(2.0, (200, 50)) * 1.0
SHARES = COUNTS / COUNTS.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("values", "guess", "detail"),
    [
        (COUNTS, "raw counts", "0 to"),
        (np.log1p(1e4 * SHARES), "log-normalized", "natural logarithms of counts; every cell sums to 10000"),
        (np.log2(1 + 1e4 * SHARES), "log-normalized", "logarithms to base 2 of counts; every cell sums to 10000"),
        (np.log1p(COUNTS * RNG.uniform(1, 2, (200, 1))), "log-normalized", "0 to"),
        (1e4 * SHARES, "normalized counts without a logarithm", "every cell sums to 10000"),
        (SHARES, "proportions", "every cell sums to 1"),
        (COUNTS * RNG.uniform(1, 20, (200, 1)), "normalized counts without a logarithm", "0 to"),
        (COUNTS * RNG.uniform(5, 20, COUNTS.shape), "too large for logarithms", "0 to"),
        (np.log1p(np.log1p(1e4 * SHARES)), "values logged twice", "0 to"),
        (np.vstack([COUNTS[:80], np.log1p(1e4 * SHARES)]), "cells on different scales", "29% raw counts"),
        (COUNTS - 2.5, "scaled values or residuals", "-2.5 to"),
        (np.full((3, 3), np.nan), "NaN or infinite values", "nan"),
        (np.zeros((0, 5)), "empty", "no value"),
        (COUNTS[:, :1], "raw counts", "0 to"),
    ],
)
def test_scale(values, guess, detail):
    found_guess, found_detail = scale(Matrix("dense", "float64", values))
    assert found_guess == guess
    assert detail in found_detail


@pytest.mark.parametrize("values", [COUNTS, SHARES, np.log1p(1e4 * SHARES), COUNTS - 2.5, 3.7 * COUNTS])
def test_an_audit_judges_the_scale_alike(values):
    guess, _ = scale(Matrix("dense", "float64", values))
    readable = []
    for normalize in (True, False):
        check = Scale(layer=None, normalize=normalize)
        try:
            check.add(values)
            check.finish()
        except ValueError:
            continue
        readable.append(normalize)
    assert readable == ([True] if guess in NORMALIZED else [False] if guess == LOGGED else [])


def test_genes():
    symbols = gene_names(pd.Index(["MT-CO1", "mt-Nd1", "RPL3", "STAT1", "RPS6KA1"]), {})
    assert (symbols.key, symbols.detail) == (None, "symbols; 2 mitochondrial and 2 ribosomal by name")
    ids = pd.Index([f"ENSG{i:011d}.2" for i in range(3)])
    named = gene_names(ids, {"gene_name": lambda: pd.Series(["MT-CO1", None, "STAT1"])})
    assert named.key == "gene_name"
    assert named.symbols.tolist() == ["MT-CO1", ids[1], "STAT1"]
    assert gene_names(ids, {}).detail.startswith("Ensembl ids without symbols")


def obs(**more):
    rng = np.random.default_rng(1)
    gene = rng.choice(["NT", "STAT1", "JAK2", "MYC"], 400)
    guide = [f"{g}_sg{k}" for g, k in zip(gene, rng.integers(1, 4, 400), strict=True)]
    frame = pd.DataFrame(
        {
            "barcode": [f"c{i}" for i in range(400)],
            "sg": guide,
            "tgt": gene,
            "lane": rng.choice(["a", "b"], 400),
            **more,
        }
    )
    return {name: (lambda name=name: frame[name]) for name in frame}


def test_the_column_of_perturbations_and_that_of_guides():
    genes = gene_names(pd.Index(["STAT1", "JAK2", "MYC"]), {})
    guess = columns(obs(), genes, 400, None)
    assert (guess.groupby, guess.guide) == ("tgt", "sg")
    assert guess.candidates[0] == "tgt"
    assert columns(obs(), genes, 400, "sg").guide is None
    assert columns({}, genes, 400, None).groupby is None
    without = {name: read for name, read in obs().items() if name in ("barcode", "lane")}
    assert columns(without, genes, 400, None).groupby is None


def test_levels_are_counted():
    assert levels_of(pd.Series(["a", "b", "a", None])).to_dict() == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("levels", "expected"),
    [(["train", "test"], True), (["train", "val", "test"], True), (["train", "x", "test"], False), (["test"], False)],
)
def test_a_column_of_train_and_test_is_a_split(levels, expected):
    assert is_split(pd.Series(levels * 3)) == expected
    assert is_split(pd.Series(levels * 3, dtype="category")) == expected
    assert not is_split(pd.Series([0, 1]))
