import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments, _results
from scpertbias._core.de import DE_METRICS
from scpertbias._core.metrics import METRICS
from scpertbias._core.resampling import benjamini_hochberg
from scpertbias.tl._reference import reference
from scpertbias.tl._score import score_table


@pytest.fixture(scope="module")
def cells():
    adata = spb.ds.simulate(4000, 60, 30, n_batches=2, rng=1)
    spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    adata.obs["batch"] = adata.obs.pop("gem_group")
    return adata


@pytest.fixture(scope="module")
def profiles(cells):
    made = spb.pp.profiles(cells, batch_key="batch")
    fit_some(made)
    spb.tl.score(made, n_top_genes=40)
    return made


def fit_some(adata, **kwargs):
    for fit in (spb.tl.fit_no_change, spb.tl.fit_mean, spb.tl.fit_ridge):
        fit(adata, **kwargs)
    names = sorted(set(adata.obs["perturbation"].astype(str)) - {"non-targeting"})
    known = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), index=names)
    test = sorted(set(adata.obs["perturbation"].astype(str)[adata.obs["split"] == "test"]))
    spb.tl.fit_bilinear(adata, perturbation_embedding=known.drop(test[:2]), **kwargs)


def row(profiles, name):
    return profiles.X[(profiles.obs["perturbation"] == name).to_numpy()][0]


def test_scores_equal_those_computed_by_hand(profiles):
    scores = spb.get.scores(profiles).set_index(["model", "perturbation"])
    control = row(profiles, "non-targeting")
    genes = np.sort(np.argsort(-control)[:40])
    train = profiles[(profiles.obs["split"] == "train") & ~profiles.obs["is_reference"]]
    mean = train.X.mean(axis=0)[genes]
    for model in ("no_change", "ridge", "bilinear"):
        table = spb.get.predictions(profiles, model)
        for name in profiles.obs["perturbation"][profiles.obs["split"] == "test"]:
            got, x, y = scores.loc[(model, name)], table.loc[name].to_numpy()[genes], row(profiles, name)[genes]
            var = profiles.layers["var"][(profiles.obs["perturbation"] == name).to_numpy()][0][genes]
            if np.isnan(x).any():
                assert np.isnan(got["l2"])
                continue
            assert got["l2"] == pytest.approx(np.linalg.norm(x - y))
            assert got["l2_ratio"] == pytest.approx(np.linalg.norm(x - y) / np.linalg.norm(mean - y))
            assert got["mae"] == pytest.approx(np.abs(x - y).mean())
            assert got["l2_baseline"] == pytest.approx(np.linalg.norm(mean - y))
            assert np.sqrt((var / got["n_cells"]).sum()) < got["l2_ceiling"] == got["l2_baseline_ceiling"]
            assert got["pearson_delta_perturbed"] == pytest.approx(np.corrcoef(x - mean, y - mean)[0, 1])
            assert got["split"] == "test"
            assert got["trained_on"] == "full"


def test_scores_of_differential_expression(profiles):
    scores = spb.get.scores(profiles)
    called = spb.get.de(profiles, q_below=None)
    genes = set(profiles.var_names[np.argsort(-row(profiles, "non-targeting"))[:40]])
    of_genes = called[called["gene"].isin(genes)]
    q = of_genes.groupby("perturbation")["p"].transform(lambda p: benjamini_hochberg(p.to_numpy()))
    n_de = ((q < 0.05) & ~of_genes["is_target"].astype(bool)).groupby(of_genes["perturbation"]).sum()
    assert scores[list(DE_METRICS)].isna().all(axis=1)[scores["split"] != "test"].all()  # seen: it shares their noise
    one = scores[(scores["model"] == "mean") & (scores["split"] == "test")].set_index("perturbation")
    assert one["n_de"].to_dict() == n_de[one.index].to_dict()
    assert one["de_auprc"].notna().sum() >= 5
    for name in DE_METRICS:
        np.testing.assert_allclose(one[name], one[f"{name}_baseline"])
        nothing = scores.loc[scores["model"] == "no_change", name].dropna()
        assert set(nothing) == {{"de_direction": 0.5, "de_nmae": 1.0}.get(name, 0.0)}
        # What is scored has calls against both halves, or one: about as many as against all
        assert (one.loc[one[name].notna(), "n_de"] >= 3).all()
    ceilings = one[[f"{name}_ceiling" for name in DE_METRICS]].dropna()
    assert (ceilings["de_direction_ceiling"] > 0.9).all()


def test_changes_of_a_model_hold_the_control_that_it_was_fitted_on(profiles):
    screen = _moments.of(profiles)
    scored = reference(screen, n_top_genes=40, folds=None)
    table = spb.get.predictions(profiles, "ridge").to_numpy()[np.ix_(scored.perturbation, scored.genes)]
    held = _results.noise_weights(_results.model_records(profiles, "ridge"), screen)["ridge"]
    expected = scored.changes.scores(table, held[scored.perturbation, :-1])
    got = spb.get.scores(profiles, models="ridge")
    test = (got["split"] == "test").to_numpy()
    for name in DE_METRICS:
        np.testing.assert_allclose(got[name][test], expected[name][test])


def test_summary_is_that_of_the_held_out_scores(profiles):
    scores, summary = spb.get.scores(profiles), spb.get.summary(profiles)
    held_out = scores[scores["split"] == "test"]
    assert held_out["perturbation"].nunique() == 12
    for model, frame in held_out.groupby("model"):
        got = summary[(summary["model"] == model) & (summary["subset"] == "all")].set_index("metric")
        l2 = frame["l2"].dropna()
        assert got.loc["l2", "n"] == len(l2)
        assert got.loc["l2", "estimate"] == pytest.approx(l2.mean())
        known = frame[frame["l2"].notna()]
        assert got.loc["l2", "difference_to_mean"] == pytest.approx(
            (known["l2_baseline"] - known["l2"]).mean(), abs=1e-12
        )
        above = (known["l2_baseline"] ** 2 - known["l2"] ** 2).sum()
        skill = above / (known["l2_baseline"] ** 2 - known["l2_ceiling"] ** 2).sum()
        assert got.loc["l2_skill", "estimate"] == pytest.approx(skill, abs=1e-9)
    assert (summary.loc[summary["metric"] == "l2_skill", "ceiling"] == 1).all()


def test_the_mean_is_its_own_baseline(profiles):
    summary = spb.get.summary(profiles).set_index(["model", "subset", "metric"])
    for metric in ("l2", "pearson_delta", "l2_ratio"):
        assert summary.loc[("mean", "all", metric), "difference_to_mean"] == 0
        assert np.isnan(summary.loc[("mean", "all", metric), "p"])
    assert summary.loc[("mean", "all", "l2_skill"), "estimate"] == 0


def test_the_mean_is_its_own_baseline_also_in_float32(cells):
    adata = cells.copy()
    spb.tl.fit_mean(adata, batch_key="batch")
    spb.tl.score(adata)
    summary = spb.get.summary(adata)
    assert summary["p"].isna().all()
    assert (summary.loc[summary["metric"] == "l2", "difference_to_mean"] == 0).all()


def test_one_prediction_for_all_is_noted(profiles):
    summary = spb.get.summary(profiles).set_index(["model", "subset", "metric"])["note"]
    for metric in ("pearson_delta_perturbed", "pearson_delta_perturbed_skill"):
        assert "constant prediction" in summary[("ridge", "all", metric)]
        assert "constant prediction" not in summary[("bilinear", "all", metric)]
    assert "constant prediction" not in summary[("ridge", "all", "l2")]


def test_cells_and_profiles_score_the_same(cells, profiles):
    adata = cells.copy()
    fit_some(adata, batch_key="batch")
    assert spb.tl.score(adata, n_top_genes=40) is None
    a, b = spb.get.scores(adata), spb.get.scores(profiles)
    pd.testing.assert_frame_equal(a, b, rtol=1e-4, atol=1e-5)
    a, b = spb.get.summary(adata), spb.get.summary(profiles)
    pd.testing.assert_frame_equal(
        a[["model", "subset", "metric", "n", "note"]], b[["model", "subset", "metric", "n", "note"]]
    )
    np.testing.assert_allclose(a["estimate"], b["estimate"], rtol=1e-3, atol=1e-4)


def test_copy_and_chosen_models(profiles):
    made = spb.tl.score(profiles, ["ridge", "mean"], n_top_genes=10, copy=True)
    assert set(spb.get.scores(made)["model"]) == {"ridge", "mean"}
    assert set(spb.get.scores(profiles)["model"]) == {"no_change", "mean", "ridge", "bilinear"}
    one = spb.tl.score(profiles, "ridge", copy=True)
    assert set(spb.get.scores(one)["model"]) == {"ridge"}


def test_missing_models_are_listed(profiles, cells):
    with pytest.raises(KeyError, match="'nobody'.*are not stored; choose from .*'bilinear'"):
        spb.tl.score(profiles, "nobody")
    with pytest.raises(KeyError, match="No model is stored"):
        spb.tl.score(cells)
    with pytest.raises(ValueError, match="`models` is empty"):
        spb.tl.score(profiles, [])


def test_models_that_disagree(cells):
    adata = cells.copy()
    spb.tl.fit_mean(adata, batch_key="batch")
    spb.tl.fit_ridge(adata, batch_key="batch", min_cells=30)
    with pytest.raises(ValueError, match=r"min_cells: 20 and 30"):
        spb.tl.score(adata)
    spb.tl.score(adata, "ridge")


def test_a_brought_model_is_scored_where_it_was_not_trained(profiles):
    adata = profiles.copy()
    names = adata.obs["perturbation"][adata.obs["split"] == "train"].astype(str).iloc[1:4].tolist()
    spb.tl.add_predictions(adata, spb.get.predictions(adata, "ridge"), key_added="mine", test=names)
    spb.tl.score(adata)
    scores = spb.get.scores(adata)
    mine = scores[scores["model"] == "mine"].set_index("perturbation")["split"]
    assert set(mine.index[mine == "test"]) == set(names)
    assert set(scores.loc[scores["model"] == "ridge", "split"]) == {"train", "val", "test"}
    summary = spb.get.summary(adata).set_index(["model", "subset", "metric"])
    assert summary.loc[("mine", "all", "l2"), "n"] == 3
    assert np.isnan(summary.loc[("mine", "all", "l2"), "ci_low"])
    assert summary.loc[("mine", "all", "l2"), "note"].startswith("only 3 perturbations: no interval")


def test_nothing_held_out(cells):
    adata = cells.copy()
    del adata.obs["split"]
    spb.tl.fit_mean(adata, batch_key="batch")
    spb.tl.score(adata)
    assert len(spb.get.scores(adata)) == 30
    assert spb.get.summary(adata).empty


def test_what_was_fitted_beside_an_audit_is_no_held_out_score():
    adata = spb.ds.simulate(1500, 40, 8, rng=0)
    profiles = spb.tl.audit(adata, models=["mean"], regimes=["full"])["full"].copy()
    spb.tl.fit_ridge(profiles)
    spb.tl.score(profiles)
    scores = spb.get.scores(profiles)
    assert set(scores.loc[scores["model"] == "mean", "split"]) == {"test"}
    assert set(scores.loc[scores["model"] == "ridge", "split"]) == {"train"}


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
    scores = score_table(screen, truth, [("a", "full", table), ("b", "no_mt", gaps)]).table
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


def test_how_many_targets_of_a_combination_were_seen():
    adata = spb.ds.simulate(1500, 40, 6, rng=0)
    label = adata.obs["perturbation"].astype(str).to_numpy(object)
    a, b, c, d, e, f = sorted(set(label) - {"non-targeting"})
    pairs = [f"{a}+{b}", f"{a}+{c}", f"{c}+{d}", f"{e}+{f}"]
    for i, pair in enumerate(pairs):
        label[np.flatnonzero(np.isin(label, [a, b, c, d, e, f]))[i * 60 : i * 60 + 40]] = pair
    adata.obs["perturbation"] = label
    spb.pp.split(adata, test=[*pairs[:3], c, d], val=[f])
    profiles = spb.pp.profiles(adata)
    spb.tl.fit_mean(profiles)
    spb.tl.add_predictions(profiles, spb.get.predictions(profiles, "mean"), key_added="told", test=[pairs[3], e])
    spb.tl.score(profiles)
    scores = spb.get.scores(profiles).set_index(["model", "perturbation"])["seen_targets"]
    assert str(scores.dtype) == "Int64"
    assert scores["mean"].dropna().to_dict() == {pairs[0]: 2, pairs[1]: 1, pairs[2]: 0}
    assert scores["told"].dropna().to_dict() == {pairs[3]: 0}  # f is of val, and e was held out
    crossed = spb.tl.audit(adata, models=("mean",), regimes=("full",), n_folds=5, n_random=0)
    table = spb.get.scores(crossed).set_index("perturbation")
    fold = table["fold"]
    hit = {name: set(name.split("+")) for name in table.index}
    for pair in pairs:
        known = {gene for name in table.index if fold[name] != fold[pair] for gene in hit[name]}
        assert table.loc[pair, "seen_targets"] == len(hit[pair] & known)
    assert table["seen_targets"].notna().sum() == len(pairs)


def planted_screen(n_control, where, seed, n_genes=800):
    """Cells of 40 perturbations whose means are known, in batches that differ: the means by batch, and the effects."""
    rng, n_batches = np.random.default_rng(seed), len(n_control)
    names = [f"p{p:02d}" for p in range(40)]
    base = rng.gamma(2, 0.5, n_genes) + 0.2 * rng.normal(size=(n_batches, n_genes))
    effects = rng.normal(0, 0.15, n_genes) + 0.15 * rng.gamma(2, 0.5, (40, 1)) * rng.normal(size=(40, n_genes))
    labels, batch = ["control"] * sum(n_control), np.repeat(np.arange(n_batches), n_control)
    means = [base[batch]]
    for p, name in enumerate(names):
        n = int(rng.integers(30, 90))
        shares = np.eye(n_batches)[p % n_batches] if where == "nested" else rng.dirichlet(np.ones(n_batches))
        own = rng.choice(n_batches, n, p=shares)
        labels, batch, means = labels + [name] * n, np.append(batch, own), [*means, base[own] + effects[p]]
    x = np.concatenate(means)
    x = x + rng.normal(0, 0.4, x.shape)
    obs = pd.DataFrame({"perturbation": labels, "batch": batch.astype(str)}, index=[f"c{i}" for i in range(len(batch))])
    obs["split"] = np.where(np.isin(labels, names[::2]), "test", "train")
    genes = [f"g{i:03d}" for i in range(n_genes)]
    control = np.array(n_control) @ base / sum(n_control)
    data = ad.AnnData(np.maximum(x - x.min(), 0), obs=obs, var=pd.DataFrame(index=genes))
    return data, pd.Series(control - x.min(), genes), pd.DataFrame(effects, names, genes).iloc[::2]


@pytest.mark.parametrize(
    ("n_control", "where"), [([30, 40], "nested"), ([120, 25, 40], "uneven"), ([12, 16, 14], "uneven")]
)
def test_truth_reaches_its_ceiling_however_it_is_given(n_control, where):
    """On average over screens, as the noise of the control is one for all perturbations of a screen."""
    summaries = []
    for seed in range(4):
        data, control, effects = planted_screen(n_control, where, seed)
        profiles = spb.pp.profiles(data, batch_key="batch")
        for name, (table, kind) in {"means": (effects + control, "expression"), "changes": (effects, "delta")}.items():
            spb.tl.add_predictions(profiles, table, key_added=name, kind=kind, test=list(effects.index))
        spb.tl.score(profiles)
        summaries.append(spb.get.summary(profiles).query("subset == 'all'"))
    mean = pd.concat(summaries).groupby(["model", "metric"])[["estimate", "ci_low", "ci_high", "ceiling"]].mean()
    for name in ("means", "changes"):
        for metric in ("l2", "rmse", "mae", "pearson_delta", "pearson_delta_perturbed"):
            assert mean.loc[(name, metric), "estimate"] == pytest.approx(mean.loc[(name, metric), "ceiling"], rel=0.02)
        for metric in ("l2_skill", "pearson_delta_skill", "pearson_delta_perturbed_skill"):
            assert mean.loc[(name, metric), "ci_low"] < 1 < mean.loc[(name, metric), "ci_high"]
    assert mean.loc[("changes", "l2"), "ceiling"] > 1.05 * mean.loc[("means", "l2"), "ceiling"]


# -- without shared noise --------------------------------------------------------------------------------------------


def null_profiles(seed):
    """A screen on which nothing responds, with few controls in three batches."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(["control", *(f"p{i:02d}" for i in range(24))], [60, *[25] * 24])
    batch = rng.integers(3, size=len(labels))
    x = (
        rng.gamma(2, 0.5, (len(labels), 60))
        + rng.gamma(1, 0.3, (3, 60))[batch]
        + 0.1 * rng.gamma(1, 1, (len(labels), 1))
    )
    obs = pd.DataFrame(
        {"perturbation": labels, "batch": batch.astype(str)}, index=[f"c{i}" for i in range(len(labels))]
    )
    obs["split"] = np.where((obs["perturbation"] > "p11") & (labels != "control"), "test", "train")
    adata = ad.AnnData(x, obs=obs, var=pd.DataFrame(index=[f"g{i:02d}" for i in range(60)]))
    return spb.pp.profiles(adata, batch_key="batch")


def test_what_was_fitted_on_the_same_cells_scores_nothing_without_shared_noise():
    parts = []
    for seed in range(6):
        profiles = null_profiles(seed)
        spb.tl.fit_mean(profiles)
        spb.tl.fit_ridge(profiles)
        spb.tl.fit_no_change(profiles)
        table = spb.get.predictions(profiles, "mean")
        changes = (table - table.loc["control"]).drop(index="control")
        spb.tl.add_predictions(profiles, changes, key_added="same", kind="delta")
        spb.tl.add_predictions(profiles, changes, key_added="elsewhere", kind="delta", fitted_on="other")
        spb.tl.score(profiles)
        parts.append(spb.get.scores(profiles).assign(seed=seed))
    scores = pd.concat(parts)
    of = (
        scores[scores["split"] == "test"]
        .groupby("model")[["pearson_delta", "pearson_delta_unshared", "inflation"]]
        .mean()
    )
    assert (of.loc[["mean", "ridge", "same"], "pearson_delta"] > 0.25).all()
    assert (of.loc[["mean", "ridge", "same"], "pearson_delta_unshared"].abs() < 0.1).all()
    np.testing.assert_allclose(of["inflation"], of["pearson_delta"] - of["pearson_delta_unshared"], atol=1e-12)
    assert of.loc["same"].to_numpy() == pytest.approx(of.loc["mean"].to_numpy(), abs=1e-6)
    # Changes that were predicted elsewhere hold no noise of this screen
    np.testing.assert_allclose(of.loc["elsewhere", "inflation"], 0, atol=1e-12)
    perturbed = scores[scores["split"] == "test"].groupby("model")["pearson_delta_perturbed_unshared"].mean()
    assert abs(perturbed["no_change"]) < 0.05
    summary = spb.get.summary(profiles, subset="all").set_index(["model", "metric"])
    assert summary.loc[("ridge", "pearson_delta_unshared_skill"), "note"] == "no reproducible response"
    seen = scores[scores["split"] != "test"]
    assert seen[["pearson_delta_unshared", "cosine_delta_unshared", "inflation"]].isna().all().all()
    assert seen["pearson_delta"].notna().all()
