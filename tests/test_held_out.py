"""What a model has not seen: the one rule, case by case, and the same answer wherever it is used."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _held_out, _moments
from scpertbias.tl._audit.fits import Fits
from scpertbias.tl._audit.make_tables import only_unseen
from scpertbias.tl._coupling import _unseen
from scpertbias.tl._reference import reference
from scpertbias.tl._score import mark_held_out

LETTERS = "ABCDEFG"  # the perturbations, in the order of their names


@pytest.fixture(scope="module")
def screens():
    """One screen, split by perturbations (A and B are test, C is val); with training cells of B; not split."""
    cells = spb.ds.simulate(900, 30, 7, rng=0)
    names = sorted(set(cells.obs["perturbation"]) - {"non-targeting"})
    made = {}
    for split in ("perturbations", "cells of B", "none"):
        adata = cells.copy()
        if split != "none":
            spb.pp.split(adata, test=names[:2], val=names[2:3])
        if split == "cells of B":
            of_b = np.flatnonzero(adata.obs["perturbation"] == names[1])
            adata.obs.iloc[of_b[::2], adata.obs.columns.get_loc("split")] = "train"
        profiles = spb.pp.profiles(adata)
        spb.tl.fit_mean(profiles)
        made[split] = profiles
    return made


SPLITS = ("perturbations", "cells of B", "none")
CASES = {
    # cross-fitted, folds (of A to F), told that A and D are test: the answer for each of the splits
    (False, False, False): ("AB", "A", ""),
    (False, False, True): ("AD", "AD", "AD"),
    (False, True, False): ("AB", "A", ""),
    (False, True, True): ("AD", "AD", "AD"),
    (True, False, False): ("", "", ""),
    (True, False, True): ("", "", ""),
    (True, True, False): ("ABCDEF", "ABCDEF", "ABCDEF"),
    (True, True, True): ("ABCDEF", "ABCDEF", "ABCDEF"),
}


@pytest.fixture(params=product(CASES, range(3)), ids=str)
def case(request, screens):
    """Profiles, the record of a model, folds, and what it has not seen."""
    (cross_fitted, with_folds, told), split = request.param
    profiles = screens[SPLITS[split]].copy()
    names = list(_moments.of(profiles).names[1:])
    record = {"cross_fitted": cross_fitted, "test": np.array([names[3], names[0], "elsewhere"]) if told else None}
    folds = {name: i % 3 for i, name in enumerate(names[:6])} if with_folds else None
    if folds is not None:
        profiles.obs["fold"] = [folds.get(name, -1) for name in profiles.obs["perturbation"]]
    answer = CASES[cross_fitted, with_folds, told][split]
    return profiles, record, folds, [names[LETTERS.index(letter)] for letter in answer]


def test_unseen(case):
    profiles, record, folds, expected = case
    assert _held_out.unseen(record, _moments.of(profiles), folds) == expected


def test_predictions_of_what_was_seen_are_nan(case):
    profiles, record, folds, expected = case
    screen = _moments.of(profiles)
    stored = spb.get.predictions(profiles, "mean").to_numpy()
    table = _held_out.unseen_predictions(profiles, "mean", record, screen, folds)
    rows = np.isin(screen.names, expected)
    np.testing.assert_array_equal(table[rows], stored[rows])
    assert np.isnan(table[~rows]).all()


def test_an_audit_asks_the_same(case):
    profiles, record, folds, expected = case
    screen = _moments.of(profiles)
    records = {} if record["cross_fitted"] else {"mean": record}
    stored = {"full": {"mean": spb.get.predictions(profiles, "mean").to_numpy()}}
    table = only_unseen(stored, {"full": screen}, {"full": records}, folds or {}, {"full": Fits()})["full"]["mean"]
    assert [name for name, row in zip(screen.names, table, strict=True) if np.isfinite(row).all()] == expected


def test_scores_are_marked_the_same(case):
    profiles, record, folds, expected = case
    screen = _moments.of(profiles)
    truth = reference(screen, n_top_genes=5, folds=folds)
    names = np.array(screen.names)[truth.perturbation]
    rows = pd.DataFrame({"model": "mean", "perturbation": names, "split": truth.split, "fold": truth.fold})
    marked = mark_held_out(rows, {"mean": record}, screen, folds)
    assert sorted(set(marked.loc[marked["split"] == "test", "perturbation"])) == expected
    of_expected = marked.loc[marked["perturbation"].isin(expected), "split"]
    assert set(of_expected) <= {"test"}


def test_coupling_compares_the_same(case):
    profiles, record, _, expected = case
    fits = type("Fits", (), {"adata": profiles, "screen": _moments.of(profiles)})
    assert np.array(fits.screen.names)[_unseen(record, fits)].tolist() == expected


def test_of_a_split_by_cells_nothing_is_held_out():
    """Cells of every perturbation are in training: recall, which is no score of what a model has not seen."""
    adata = spb.ds.simulate(900, 30, 7, rng=0)
    spb.pp.split(adata, unit="cell")
    profiles = spb.pp.profiles(adata)
    spb.tl.fit_mean(profiles)
    assert _held_out.unseen({}, _moments.of(profiles), None) == []
    spb.tl.score(profiles)
    assert "test" not in set(spb.get.scores(profiles)["split"])
    assert spb.get.summary(profiles).empty
    with pytest.raises(ValueError, match="No perturbation is held out"):
        spb.tl.variance_ratio(profiles)
    with pytest.raises(ValueError, match="predicts only perturbations of its training data"):
        spb.get.cell_eval(profiles, "mean")
