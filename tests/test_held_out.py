"""What a model has not seen, by every function that decides it: today's answers, side by side."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments, _results
from scpertbias.tl._audit.make_tables import only_unseen
from scpertbias.tl._coupling import _unseen
from scpertbias.tl._reference import reference
from scpertbias.tl._score import mark_held_out

LETTERS = "ABCDEFG"  # the perturbations, in the order of their names
FUNCTIONS = ("held_out", "unseen", "only_unseen", "mark_held_out", "coupling")


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


def answers(profiles, record, folds):
    """Return by function what it says of one model."""
    screen = _moments.of(profiles)
    predictions = spb.get.predictions(profiles, "mean").to_numpy()
    letter = dict(zip(screen.names[1:], LETTERS, strict=True))

    def letters(names):
        return "".join(sorted({letter[name] for name in names}))

    def of_table(table):
        return letters(np.array(screen.names)[np.isfinite(table).all(axis=1)])

    records = {} if record.get("cross_fitted") else {"mean": record}
    found = {
        "only_unseen": None,
        "held_out": letters(_results.held_out(record, screen)),
        "unseen": of_table(_results.unseen(profiles, "mean", record, screen, folds)),
    }
    if folds is not None:  # an audit always has folds
        made = only_unseen({"full": {"mean": predictions}}, {"full": screen}, {"full": records}, folds)
        found["only_unseen"] = of_table(made["full"]["mean"])
    truth = reference(screen, n_top_genes=5, folds=folds)
    rows = pd.DataFrame(
        {
            "model": "mean",
            "perturbation": np.array(screen.names)[truth.perturbation],
            "split": truth.split,
            "fold": truth.fold,
        }
    )
    marked = mark_held_out(rows, {"mean": record}, screen, folds=folds is not None)
    found["mark_held_out"] = letters(marked.loc[marked["split"] == "test", "perturbation"])
    side = type("Side", (), {"adata": profiles, "screen": screen})
    found["coupling"] = letters(np.array(screen.names)[_unseen(record, side)])
    return found


CASES = list(product((False, True), (False, True), (False, True), ("perturbations", "cells of B", "none")))
# cross-fitted, folds, told what is test, split: the answer of each function (only_unseen is asked where there are folds)
TODAY = {
    (False, False, False, "perturbations"): ("AB", "AB", None, "AB", "AB"),
    (False, False, False, "cells of B"): ("A", "AB", None, "AB", "A"),
    (False, False, False, "none"): ("", "", None, "", ""),
    (False, False, True, "perturbations"): ("AD", "AD", None, "AD", "AD"),
    (False, False, True, "cells of B"): ("AD", "AD", None, "AD", "AD"),
    (False, False, True, "none"): ("AD", "AD", None, "AD", "AD"),
    (False, True, False, "perturbations"): ("AB", "AB", "AB", "AB", "AB"),
    (False, True, False, "cells of B"): ("A", "A", "A", "A", "A"),
    (False, True, False, "none"): ("", "", "", "", ""),
    (False, True, True, "perturbations"): ("AD", "AD", "AD", "AD", "AD"),
    (False, True, True, "cells of B"): ("AD", "AD", "AD", "AD", "AD"),
    (False, True, True, "none"): ("AD", "AD", "AD", "AD", "AD"),
    (True, False, False, "perturbations"): ("AB", "", None, "AB", ""),
    (True, False, False, "cells of B"): ("A", "", None, "AB", ""),
    (True, False, False, "none"): ("", "", None, "", ""),
    (True, False, True, "perturbations"): ("AD", "", None, "AD", ""),
    (True, False, True, "cells of B"): ("AD", "", None, "AD", ""),
    (True, False, True, "none"): ("AD", "", None, "AD", ""),
    (True, True, False, "perturbations"): ("AB", "ABCDEF", "ABCDEF", "ABCDEF", "ABCDEF"),
    (True, True, False, "cells of B"): ("A", "ABCDEF", "ABCDEF", "ABCDEF", "ABCDEF"),
    (True, True, False, "none"): ("", "ABCDEF", "ABCDEF", "ABCDEF", "ABCDEF"),
    (True, True, True, "perturbations"): ("AD", "ABCDEF", "ABCDEF", "AD", "ABCDEF"),
    (True, True, True, "cells of B"): ("AD", "ABCDEF", "ABCDEF", "AD", "ABCDEF"),
    (True, True, True, "none"): ("AD", "ABCDEF", "ABCDEF", "AD", "ABCDEF"),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_today(screens, case):
    cross_fitted, with_folds, told, split = case
    profiles = screens[split].copy()
    names = list(_moments.of(profiles).names[1:])
    record = {"cross_fitted": cross_fitted, "test": [names[0], names[3]] if told else None}
    folds = {name: i % 3 for i, name in enumerate(names[:6])} if with_folds else None
    if folds is not None:
        profiles.obs["fold"] = [folds.get(name, -1) for name in profiles.obs["perturbation"]]
    assert answers(profiles, record, folds) == dict(zip(FUNCTIONS, TODAY[case], strict=True))
