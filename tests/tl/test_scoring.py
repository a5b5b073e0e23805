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
        frames = [pd.DataFrame({"model": m, "perturbation": names, "split": "test", "fold": 0}) for m in records]
        marked = mark_held_out(pd.concat(frames, ignore_index=True), records, screen, folds=folds)
        return {m: set(f.loc[f["split"] == "test", "perturbation"]) for m, f in marked.groupby("model")}

    assert split_of(True) == {"crossed": set(names), "plain": test, "told": set(names[:2])}
    assert split_of(False) == {"crossed": set(names), "plain": set(names), "told": set(names[:2])}


def test_how_many_targets_of_a_combination_were_seen():
    adata = spb.ds.simulate(1500, 40, 6, rng=0)
    label = adata.obs["perturbation"].astype(str).to_numpy(object)
    a, b, c, d, e, f = sorted(set(label) - {"non-targeting"})
    pairs = [f"{a}+{b}", f"{a}+{c}", f"{c}+{d}", f"{e}+{f}"]
    for i, pair in enumerate(pairs):
        label[np.flatnonzero(np.isin(label, [a, b, c, d, e, f]))[i * 60 : i * 60 + 40]] = pair
    adata.obs["perturbation"] = label
    spb.pp.split(adata, test=[*pairs[:3], c, d], val=[f])
    profiles = spb.pp.pseudobulk(adata)
    spb.tl.fit_mean(profiles)
    spb.tl.add_predictions(profiles, spb.get.predictions(profiles, "mean"), key_added="told", test=[pairs[3], e])
    spb.tl.score(profiles)
    scores = spb.get.scores(profiles).set_index(["model", "perturbation"])["seen_targets"]
    assert str(scores.dtype) == "Int64"
    assert scores["mean"].dropna().to_dict() == {pairs[0]: 2, pairs[1]: 1, pairs[2]: 0}
    assert scores["told"].dropna().to_dict() == {pairs[3]: 0}  # f is of val, and e was held out
    crossed = spb.tl.audit(adata, models=("mean",), regimes=("full",), n_folds=5, n_random=0, n_boot=20)
    table = spb.get.scores(crossed).set_index("perturbation")
    fold = table["fold"]
    hit = {name: set(name.split("+")) for name in table.index}
    for pair in pairs:
        known = {gene for name in table.index if fold[name] != fold[pair] for gene in hit[name]}
        assert table.loc[pair, "seen_targets"] == len(hit[pair] & known)
    assert table["seen_targets"].notna().sum() == len(pairs)
