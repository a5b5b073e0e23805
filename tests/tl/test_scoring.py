import numpy as np
import pandas as pd

import scpertbias as spb
from scpertbias import _moments
from scpertbias._core.metrics import METRICS
from scpertbias.tl._scoring import mark_held_out, score_table
from scpertbias.tl._truth import reference


def setting():
    adata = spb.ds.simulate(1500, 40, 10, rng=0)
    spb.pp.split(adata)
    screen = _moments.of(adata)
    return screen, reference(screen, n_top_genes=20, folds=None)


def test_columns_and_gaps():
    screen, truth = setting()
    table = np.tile(screen.moments.control, (len(screen.names), 1))
    gaps = table.copy()
    gaps[truth.perturbation[0]] = np.nan
    scores = score_table(screen, truth, [("a", "full", table), ("b", "no_mt", gaps)])
    assert list(scores.columns[:6]) == ["model", "perturbation", "split", "fold", "n_cells", "trained_on"]
    for name in METRICS:
        assert (f"{name}_ceiling" in scores) == (name != "discrimination")
        assert (f"{name}_baseline" in scores) == (name != "l2_ratio")
    a, b = (scores[scores["model"] == m].reset_index(drop=True) for m in "ab")
    assert set(a["trained_on"]) == {"full"}
    assert set(b["trained_on"]) == {"no_mt"}
    assert b.loc[0, list(METRICS)].isna().all()
    assert b["l2_baseline"].notna().all()
    pd.testing.assert_series_equal(a["l2"][1:], b["l2"][1:])


def test_what_a_model_has_seen():
    screen, _ = setting()
    names = list(screen.names[1:])
    test = {n for i, n in enumerate(screen.names) if set(screen.split[screen.perturbation == i]) == {"test"}}
    records = {"crossed": {"cross_fitted": True}, "plain": {}, "told": {"test": names[:2]}}

    def split_of(folds):
        frames = [pd.DataFrame({"model": m, "perturbation": names, "split": "test"}) for m in records]
        marked = mark_held_out(pd.concat(frames, ignore_index=True), records, screen, folds=folds)
        return {m: set(f.loc[f["split"] == "test", "perturbation"]) for m, f in marked.groupby("model")}

    assert split_of(True) == {"crossed": set(names), "plain": test, "told": set(names[:2])}
    assert split_of(False) == {"crossed": set(names), "plain": set(names), "told": set(names[:2])}
