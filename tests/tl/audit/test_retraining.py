import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._tables import columns
from scpertbias.tl._audit.retraining import UNCHANGED, ranking_table, retraining_table, score_regimes


def scores(n=12, noise=0.0):
    rng = np.random.default_rng(0)
    names = [f"p{i:02d}" for i in range(n)]
    parts = []
    for model, gain in (("moved", 0.1), ("still", 0.0)):
        full = rng.uniform(0.8, 1.2, n)
        for trained_on, values in (("full", full), ("no_mt", full - gain - noise * rng.normal(size=n))):
            columns = {
                "model": model,
                "regime": "no_mt",
                "perturbation": names,
                "split": "test",
                "trained_on": trained_on,
            }
            parts.append(pd.DataFrame({**columns, "l2_ratio": values}))
    return pd.concat(parts, ignore_index=True)


def test_gain_is_full_less_retrained():
    table = retraining_table(scores()).set_index("model")
    assert table.loc["moved", "gain"] == pytest.approx(0.1)
    assert table.loc["moved", "full"] - table.loc["moved", "retrained"] == pytest.approx(0.1)
    assert table.loc["moved", "p"] < 0.05
    assert table.loc["moved", "q"] == table.loc["moved", "p"]
    assert table.loc["moved", "note"] == ""


@pytest.mark.parametrize("noise", [0.0, 1e-13])
def test_rounding_is_no_gain(noise):
    row = retraining_table(scores(noise=noise)).set_index("model").loc["still"]
    assert (row[["gain", "ci_low", "ci_high"]] == 0).all()
    assert np.isnan(row["p"])
    assert row["note"] == UNCHANGED


def test_pairs_are_what_both_predict():
    frame = scores()
    moved = frame["model"] == "moved"
    frame.loc[moved & (frame["trained_on"] == "full") & (frame["perturbation"] == "p00"), "l2_ratio"] = np.nan
    frame.loc[moved & (frame["trained_on"] == "no_mt") & (frame["perturbation"] == "p01"), "l2_ratio"] = np.nan
    row = retraining_table(frame).set_index("model").loc["moved"]
    kept = frame[moved & ~frame["perturbation"].isin(["p00", "p01"])]
    assert row["n"] == 10
    assert row["full"] == pytest.approx(kept.loc[kept["trained_on"] == "full", "l2_ratio"].mean())
    assert row["gain"] == pytest.approx(0.1)


def test_few_perturbations_get_no_interval():
    row = retraining_table(scores(n=9)).set_index("model").loc["moved"]
    assert row["gain"] == pytest.approx(0.1)
    assert np.isnan(row[["ci_low", "ci_high", "p", "q"]].to_numpy(float)).all()


def test_what_was_never_retrained_is_not_compared():
    frame = scores()
    frame = frame[(frame["trained_on"] == "full") | (frame["model"] == "moved")]
    assert list(retraining_table(frame)["model"]) == ["moved"]
    assert retraining_table(frame.iloc[:0]).empty


def test_full_models_are_scored_on_the_genes_of_the_regime():
    adata = spb.ds.simulate(1500, 60, 8, rng=0)
    mdata = spb.pp.regimes(spb.pp.profiles(adata, covariates=["pct_counts_mt"]), ["no_mt", "regressed"])
    screens = {r: _moments.of(a) for r, a in mdata.mod.items()}
    names = screens["full"].names[1:]
    folds = {n: i % 2 for i, n in enumerate(names)}
    rng = np.random.default_rng(0)
    shape = (len(names) + 1, 60)
    full = screens["full"].moments.control + rng.normal(0, 0.1, shape)
    predictions = {"full": {"m": full}, "no_mt": {}, "regressed": {"m": full}}
    table = score_regimes(screens, predictions, folds, n_top_genes=15).table.set_index(
        ["regime", "trained_on", "perturbation"]
    )
    genes = [g for g in adata.var_names if not g.startswith("MT-")]
    control = mdata["full"].to_df().loc["non-targeting"]
    top = control[genes].sort_values(ascending=False).index[:15]
    for i, name in enumerate(names, start=1):
        predicted = pd.Series(full[i], index=adata.var_names)
        observed = mdata["full"].to_df().loc[name]
        got = table.loc[("no_mt", "full", name)]
        assert got["l2"] == pytest.approx(np.linalg.norm(predicted[top] - observed[top]))
        # the full model keeps its own truth where values were regressed, on the genes chosen there
        regressed = mdata["regressed"].to_df()
        chosen = regressed.loc["non-targeting"].sort_values(ascending=False).index[:15]
        got = table.loc[("regressed", "full", name)]
        assert got["l2"] == pytest.approx(np.linalg.norm(predicted[chosen] - observed[chosen]))
        got = table.loc[("regressed", "regressed", name)]
        assert got["l2"] == pytest.approx(np.linalg.norm(predicted[chosen] - regressed.loc[name, chosen]))
    assert ("no_mt", "no_mt") not in {i[:2] for i in table.index}


N = 40


def scores_ranking(**errors):
    """Scores of models: (full, retrained) by name, each a number or one value a perturbation."""
    rows = []
    for model, pair in errors.items():
        for trained_on, values in zip(("full", "no_mt"), pair, strict=True):
            for p, value in enumerate(np.broadcast_to(values, N)):
                rows.append((model, "no_mt", f"P{p:02d}", "test", trained_on, value))
    return pd.DataFrame(rows, columns=["model", "regime", "perturbation", "split", "trained_on", "l2_ratio"])


def table(**errors):
    return ranking_table(scores_ranking(**errors))


NOISE = np.random.default_rng(0).normal(0, 0.05, N)
WIDE = np.random.default_rng(1).normal(0, 2.0, N)


@pytest.mark.parametrize(
    ("b", "order"),
    [
        ((0.9 + NOISE, 0.9 + NOISE), "kept"),
        ((0.9 + NOISE, 1.1 + NOISE), "reversed"),
        ((0.9 + NOISE, 1.0 + WIDE), "undetermined"),
        ((1.0, 1.0002), "same"),
        ((1.0, 0.9 + NOISE), "undetermined"),
    ],
)
def test_order_is_of_both_intervals(b, order):
    (row,) = table(a=(1.0, 1.0), b=b).to_dict("records")
    assert row["order"] == order
    for when, values in zip(("full", "retrained"), b, strict=True):
        assert row[when] == pytest.approx(float(np.mean(1.0 - np.asarray(values))))
        assert row[f"{when}_ci_low"] <= row[when] <= row[f"{when}_ci_high"]


def test_each_pair_is_compared_on_what_both_predict_before_and_after():
    few = np.where(np.arange(N) < 15, 0.5, np.nan)
    found = table(a=(1.0, 1.0), b=(0.9, 0.9), c=(0.5, few)).set_index(["model_a", "model_b"])
    assert found["n"].to_dict() == {("a", "b"): N, ("a", "c"): 15, ("b", "c"): 15}
    (row,) = table(a=(1.0, 1.0), b=(0.5, np.where(np.arange(N) < 9, 0.5, np.nan))).to_dict("records")
    assert (row["n"], row["order"]) == (9, "undetermined")
    assert np.isnan(row["full_ci_low"])


def test_models_that_were_not_retrained_are_not_ranked():
    brought = scores_ranking(a=(1.0, 1.0), b=(0.5, 0.5))
    brought = brought[(brought["model"] == "a") | (brought["trained_on"] == "full")]
    found = ranking_table(brought)
    assert found.empty
    assert list(found.columns) == columns("ranking")
