import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias.tl._audit.error_by_n_genes import error_by_n_genes_table, gene_numbers
from scpertbias.tl._reference import reference
from scpertbias.tl._score import score_table


@pytest.fixture(scope="module")
def screen():
    return _moments.of(spb.ds.simulate(1500, 60, 9, rng=0))


@pytest.fixture(scope="module")
def folds(screen):
    return {name: i % 3 for i, name in enumerate(screen.names[1:])}


def predictions(screen):
    rng = np.random.default_rng(0)
    tables = {m: screen.moments.control + rng.normal(0, 0.2, (10, 60)) for m in ("a", "b")}
    tables["b"][[1, 2]] = np.nan
    return tables


def test_every_size_is_a_score_over_so_many_genes(screen, folds):
    tables = predictions(screen)
    found = error_by_n_genes_table(screen, tables, folds=folds).set_index(["model", "subset", "n_genes"])
    for n in gene_numbers(60):
        truth = reference(screen, n_top_genes=int(n), folds=folds)
        scores = score_table(screen, truth, [(name, "full", t) for name, t in tables.items()]).table
        for model in tables:
            mine = scores[(scores["model"] == model) & scores["l2"].notna()]
            common = mine[~mine["perturbation"].isin(screen.names[1:3])]
            for subset, rows in (("all", mine), ("common", common)):
                row = found.loc[(model, subset, n)]
                assert row["n"] == len(rows)
                for column in ("l2", "l2_ratio", "l2_baseline", "l2_ceiling", "l2_ratio_ceiling"):
                    assert row[column] == pytest.approx(rows[column].median()), column


def test_numbers_of_genes():
    sizes = gene_numbers(1187)
    assert (sizes[0], sizes[-1], len(sizes)) == (20, 1187, 15)
    assert (np.diff(sizes) > 0).all()
    assert gene_numbers(5).tolist() == [5]


def test_a_model_that_predicts_nothing_does_not_empty_the_others(screen, folds):
    tables = {**predictions(screen), "none": np.full((10, 60), np.nan)}
    found = error_by_n_genes_table(screen, tables, folds=folds)
    assert set(found.loc[found["model"] == "none", "n"]) == {0}
    assert found.loc[found["model"] == "none", "l2"].isna().all()
    assert set(found.loc[(found["model"] == "a") & (found["subset"] == "common"), "n"]) == {7}


def test_no_model(screen, folds):
    empty = error_by_n_genes_table(screen, {}, folds=folds)
    assert isinstance(empty, pd.DataFrame)
    assert empty.empty
