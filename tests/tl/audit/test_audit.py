import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import scpertbias as spb
from scpertbias._compat import read_h5mu, write_h5mu
from scpertbias.get._retraining import random_removals
from scpertbias.get._scores import error_by_n_genes
from scpertbias.get._screen import perturbations
from scpertbias.tl._audit import cross_fit
from scpertbias.tl._audit import prepare as preparation

MODELS = ("no_change", "mean", "ridge", "grn_linear", "bilinear")


@pytest.fixture(scope="module")
def cells():
    return spb.ds.simulate(3000, 90, 14, cell_axis_sd=0.3, rng=2)


@pytest.fixture(scope="module")
def net(cells):
    names = sorted(set(cells.obs["perturbation"]) - {"non-targeting"})
    edges = [(a, b) for a, b in zip(names, names[1:], strict=False)]
    genes = list(cells.var_names[:40])
    edges += list(zip(genes, genes[1:], strict=False))
    return pd.DataFrame(edges, columns=["source", "target"])


def run(cells, net=None, **kwargs):
    embedding = pd.DataFrame(
        np.random.default_rng(0).normal(size=(14, 3)), index=sorted(set(cells.obs["perturbation"]) - {"non-targeting"})
    )
    chosen = kwargs.get("models", MODELS)
    params = {"bilinear": {"perturbation_embedding": embedding}} if "bilinear" in chosen else {}
    defaults = {"models": MODELS, "model_params": params, "n_folds": 4, "n_random": 2}
    return spb.tl.audit(cells, net, **{**defaults, **kwargs})


@pytest.fixture(scope="module")
def mdata(cells, net):
    return run(cells, net)


def test_modalities_models_and_tables(mdata):
    assert list(mdata.mod) == ["full", "no_mt", "no_mt_ribo", "regressed"]
    names = {*MODELS, "grn_linear_perturbations"}
    for profiles in mdata.mod.values():
        assert names <= set(profiles.layers)
        assert {"ridge", "grn_linear", "bilinear"} <= set(profiles.varm)
    scores = spb.get.scores(mdata)
    assert set(scores["model"]) == names
    assert set(scores["split"]) == {"test"}
    pairs = scores[["regime", "trained_on"]].drop_duplicates().to_numpy().tolist()
    regimes = ["no_mt", "no_mt_ribo", "regressed"]
    assert sorted(pairs) == sorted([["full", "full"], *([r, t] for r in regimes for t in ("full", r))])
    assert mdata.uns["scpertbias"]["regimes_left_out"].empty
    assert mdata.uns["scpertbias"]["models_left_out"].empty
    assert mdata.uns["scpertbias"]["audit"]["n_folds"] == 4
    models = spb.get.models(mdata)
    assert len(models) == 4 * len(names)
    notes = models[models["regime"] == "full"].set_index("model")["note"]
    assert notes["ridge"] == "same prediction for every unseen perturbation"
    assert notes["grn_linear_perturbations"] == ""
    summary = spb.get.summary(mdata)
    assert set(summary["regime"]) == set(mdata.mod)
    assert (summary.loc[summary["metric"] == "l2", "n"] <= 14).all()


def test_predictions_are_of_fits_without_the_fold(mdata, cells, net):
    full = mdata["full"]
    folds = full.obs["fold"]
    assert sorted(folds.unique()) == [-1, 0, 1, 2, 3]
    assert folds[full.obs["is_reference"]].tolist() == [-1]
    alone = spb.pp.profiles(cells)
    alone.obs["split"] = np.where(folds.to_numpy() == 2, "test", "train")
    spb.tl.fit_grn_linear(alone, net, axis="perturbations")
    held_out = (folds == 2).to_numpy()
    np.testing.assert_allclose(
        full.layers["grn_linear_perturbations"][held_out], alone.layers["grn_linear"][held_out], atol=1e-12
    )
    assert not np.allclose(full.layers["grn_linear_perturbations"][~held_out], alone.layers["grn_linear"][~held_out])


def test_retraining_ridge_without_genes_changes_nothing(mdata):
    table = spb.get.retraining(mdata).set_index(["model", "regime"])
    for model in ("no_change", "mean", "ridge"):
        for regime in ("no_mt", "no_mt_ribo"):
            assert table.loc[(model, regime), "gain"] == 0
            assert "does not change" in table.loc[(model, regime), "note"]
    assert table.loc[("ridge", "regressed"), "gain"] != 0
    assert table.loc[("bilinear", "no_mt"), "n"] == 14


def test_random_removals_beside_the_widest_regime(mdata, cells, net):
    table = random_removals(mdata).set_index("model")
    gains = spb.get.retraining(mdata).set_index(["model", "regime"])["gain"]
    assert set(table["regime"]) == {"no_mt_ribo"}
    assert table["n_random"].to_dict() == {
        **dict.fromkeys(("no_change", "mean", "ridge", "grn_linear_perturbations"), 0),
        **dict.fromkeys(("grn_linear", "bilinear"), 2),
    }
    for model in table.index:
        assert table.loc[model, "gain"] == pytest.approx(gains[(model, "no_mt_ribo")], abs=1e-12)
    with pytest.raises(KeyError, match="n_random above 0"):
        random_removals(run(cells, net, models=("ridge",), n_random=0))


def test_perturbations_and_numbers_of_genes(mdata):
    table = perturbations(mdata)
    check = spb.get.check(mdata).query("check == 'perturbation'")
    assert table["perturbation"].tolist() == check["perturbation"].tolist()
    errors = error_by_n_genes(mdata)
    assert set(errors["regime"]) == set(mdata.mod)
    scores = spb.get.scores(mdata).query("regime == 'no_mt' and trained_on == 'no_mt' and model == 'no_change'")
    mine = errors.query("regime == 'no_mt' and model == 'no_change' and subset == 'all'")
    assert mine["n_genes"].iloc[-1] == mdata["no_mt"].n_vars
    assert mine["l2"].iloc[-1] == pytest.approx(scores["l2"].median())


def test_score_on_a_modality_agrees(mdata):
    again = spb.tl.score(mdata["no_mt"], copy=True)
    scores = spb.get.scores(mdata)
    mine = scores[(scores["regime"] == "no_mt") & (scores["trained_on"] == "no_mt")].drop(columns="regime")
    other = spb.get.scores(again).assign(trained_on="no_mt")
    keys = ["model", "perturbation"]
    pd.testing.assert_frame_equal(
        mine.sort_values(keys, ignore_index=True), other.sort_values(keys, ignore_index=True)[mine.columns]
    )


def test_nothing_depends_on_the_order_of_cells(mdata, cells, net):
    order = np.random.default_rng(3).permutation(cells.n_obs)
    other = run(cells[order].copy(), net)
    for table in ("scores", "summary", "retraining", "models"):
        pd.testing.assert_frame_equal(
            getattr(spb.get, table)(mdata), getattr(spb.get, table)(other), rtol=1e-5, atol=1e-6
        )


def test_the_seed_decides(cells):
    a, b, c = (run(cells, models=("mean",), regimes=["full"], rng=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(spb.get.summary(a), spb.get.summary(b))
    assert (a["full"].obs["fold"] != c["full"].obs["fold"]).any()


def test_the_input_is_left_alone(cells, net):
    before = cells.copy()
    run(cells, net, models=("ridge",))
    assert list(cells.layers) == list(before.layers)
    assert cells.uns.keys() == before.uns.keys()
    pd.testing.assert_frame_equal(cells.obs, before.obs)
    pd.testing.assert_frame_equal(cells.var, before.var)
    assert (cells.X != before.X).nnz == 0


def test_round_trip(mdata, tmp_path):
    write_h5mu(mdata, str(tmp_path / "a.h5mu"))
    back = read_h5mu(str(tmp_path / "a.h5mu"))
    assert list(back.mod) == list(mdata.mod)
    for table in ("scores", "summary", "retraining", "models", "check"):
        pd.testing.assert_frame_equal(getattr(spb.get, table)(mdata), getattr(spb.get, table)(back))
    for table in (perturbations, random_removals, error_by_n_genes):
        pd.testing.assert_frame_equal(table(mdata), table(back))
    pd.testing.assert_frame_equal(spb.get.predictions(mdata, "ridge"), spb.get.predictions(back, "ridge"))
    spb.tl.score(back["no_mt"])


def test_tables_only(mdata, cells, net):
    bare = run(cells, net, keep_predictions=False)
    assert "ridge" not in bare["full"].layers
    assert "ridge" not in bare["full"].varm
    for table in ("scores", "summary", "retraining", "models"):
        pd.testing.assert_frame_equal(getattr(spb.get, table)(mdata), getattr(spb.get, table)(bare))


def test_the_screen_alone(cells):
    mdata = spb.tl.audit(cells, models=())
    assert len(spb.get.check(mdata).query("check == 'perturbation'")) == 14
    assert spb.get.models(mdata).empty
    assert len(perturbations(mdata)) == 14
    with pytest.raises(KeyError, match="scores"):
        spb.get.scores(mdata)


def test_parameters_reach_the_models(cells):
    mdata = run(cells, models=("ridge",), regimes=["full"], model_params={"ridge": {"alpha": 50.0}})
    assert mdata["full"].uns["scpertbias"]["models"]["ridge"]["params"]["alpha"] == 50.0
    other = run(cells, models=("ridge",), regimes=["full"], model_params={})
    assert not np.allclose(mdata["full"].varm["ridge"], other["full"].varm["ridge"])


@pytest.mark.parametrize("sizes", [None, "total_counts"])
def test_raw_counts(cells, sizes):
    raw = cells.copy()
    raw.X = raw.layers["counts"].copy()
    by = np.asarray(raw.X.sum(axis=1)).ravel() if sizes is None else raw.obs[sizes].to_numpy(np.float64)
    if sizes is not None:
        raw.obs["size"], sizes = by * 1.3, "size"
        by = by * 1.3
    logged = raw.copy()
    logged.X = np.log1p(raw.X.toarray().astype(float) * (1e4 / by)[:, None])
    a = run(raw, normalize=True, size_factors=sizes, models=("ridge", "grn_linear"))
    b = run(logged, models=("ridge", "grn_linear"))
    for table in ("scores", "summary", "retraining"):
        pd.testing.assert_frame_equal(getattr(spb.get, table)(a), getattr(spb.get, table)(b), rtol=1e-6, atol=1e-6)
    assert "normalized automatically" in a.uns["scpertbias"]["audit"]["notes"][-1]


def test_many_genes(cells, monkeypatch):
    monkeypatch.setattr(preparation, "MAX_GENES", 30)
    mdata = run(cells, models=("mean",))
    assert 30 <= mdata["full"].n_vars < 90
    assert "genes were kept" in mdata.uns["scpertbias"]["audit"]["notes"][0]


def test_brought_predictions_are_scored_where_they_are_unseen(cells):
    adata = cells.copy()
    spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    profiles = spb.pp.profiles(adata)
    spb.tl.fit_ridge(profiles)
    table = spb.get.predictions(profiles, "ridge") + 0.01
    mdata = run(adata, models=("mean", "ridge"), predictions={"theirs": table}, regimes=["no_mt"])
    held_out = set(profiles.obs["perturbation"][profiles.obs["split"] == "test"])
    scores = spb.get.scores(mdata)
    mine = scores[scores["model"] == "theirs"]
    assert set(mine.loc[mine["split"] == "test", "perturbation"]) == held_out
    assert mine["regime"].unique().tolist() == ["full", "no_mt"]
    assert set(mine["trained_on"]) == {"full"}
    got = mine[(mine["regime"] == "full")].set_index("perturbation")
    name = sorted(held_out)[0]
    observed = mdata["full"].to_df().set_axis(mdata["full"].obs["perturbation"], axis=0).loc[name]
    assert got.loc[name, "l2"] == pytest.approx(np.linalg.norm(table.loc[name] - observed))
    assert "theirs" not in set(spb.get.retraining(mdata)["model"])
    summary = spb.get.summary(mdata)
    common = summary[(summary["subset"] == "common") & (summary["metric"] == "l2") & (summary["regime"] == "full")]
    assert set(common["n"]) == {len(held_out)}
    assert "theirs" in set(spb.get.models(mdata)["model"])


def test_the_baseline_of_brought_predictions_has_not_seen_more_than_they(cells):
    """The mean of the training split is the mean baseline of a model that was trained on that split."""
    adata = cells.copy()
    spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    profiles = spb.pp.profiles(adata)
    train = ((profiles.obs["split"] == "train") & ~profiles.obs["is_reference"]).to_numpy()
    names = profiles.obs["perturbation"].astype(str)
    table = pd.DataFrame(np.tile(profiles.X[train].mean(axis=0), (len(names), 1)), names, adata.var_names)
    mdata = run(adata, models=("mean",), predictions={"theirs": table}, regimes=["no_mt"])
    scores = spb.get.scores(mdata).query("split == 'test'")
    assert set(scores["regime"]) == {"full", "no_mt"}
    np.testing.assert_allclose(scores["l2_ratio"], 1.0, atol=1e-7)


def test_predictions_of_which_nothing_is_held_out_are_refused(cells):
    profiles = spb.pp.profiles(cells)
    spb.tl.fit_mean(profiles)
    table = spb.get.predictions(profiles, "mean")
    with pytest.raises(
        ValueError,
        match="held-out perturbations of 'theirs' are unknown, because no perturbation is 'test'.*spb.pp.split",
    ):
        run(cells, models=("mean",), predictions={"theirs": table})
    spb.tl.add_predictions(profiles, table, key_added="stored")
    with pytest.warns(UserWarning, match="held-out perturbations of 'stored' are unknown.*not scored"):
        run(profiles, models=("mean",))


def test_values_that_were_not_logged_are_refused(cells):
    adata = cells.copy()
    adata.X = adata.X.expm1() * 30
    with pytest.raises(ValueError, match="normalized counts without a logarithm"):
        run(adata, models=("mean",))
    assert len(run(adata, models=("mean",), normalize=True).mod)  # as the message proposes


def test_columns_that_are_made_on_the_way_are_nobodys_to_see(cells):
    counts = cells.copy()
    counts.X = counts.layers["counts"]
    for asked in ({"covariates": ["typo"]}, {"guide_key": "typo"}):
        with pytest.raises(KeyError, match="typo") as err:
            run(counts, normalize=True, **asked)
        assert "_scpertbias" not in str(err.value)


def test_profiles_without_a_net(cells):
    mdata = run(spb.pp.profiles(cells), models=("ridge", "grn_linear"))
    assert list(mdata.mod) == ["full", "no_mt", "no_mt_ribo"]
    left = mdata.uns["scpertbias"]["models_left_out"]
    assert set(left["model"].astype(str)) == {"grn_linear", "grn_linear_perturbations"}
    assert left["reason"].astype(str).str.contains("no net").all()


def test_regimes_that_cannot_be():
    adata = spb.ds.papalexi_2021()
    mdata = spb.tl.audit(adata, batch_key="bio_rep", models=("mean",))
    assert list(mdata.mod) == ["full", "no_mt"]
    left = mdata.uns["scpertbias"]["regimes_left_out"].astype(str).set_index("regime")["reason"]
    assert "ribosomal" in left["no_mt_ribo"]
    assert "covariate" in left["regressed"]
    with pytest.raises(ValueError, match="no_mt_ribo.*cannot be created"):
        spb.tl.audit(adata, batch_key="bio_rep", models=("mean",), regimes=["no_mt", "no_mt_ribo"])


def test_folds_of_one_leave_no_discrimination():
    mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", models=("mean",))
    row = spb.get.summary(mdata).query("metric == 'discrimination' and subset == 'all'").iloc[0]
    assert row["n"] == 0
    assert row["note"].startswith("folds of one")


def test_few_cells_are_left_out(cells):
    names = cells.obs["perturbation"].value_counts()
    least = int(names.iloc[-3]) + 1
    mdata = run(cells, models=("ridge",), min_cells=least)
    few = set(names.index[names < least])
    assert not few & set(spb.get.scores(mdata)["perturbation"])
    left = spb.get.check(mdata)
    assert set(left.loc[left["detail"].str.startswith("left out"), "perturbation"]) == few


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        ({"models": ("mean", "no_such")}, ValueError, "'no_such'.* are unknown"),
        ({"models": "mean"}, TypeError, "sequence of names"),
        ({"fit_on": "all"}, ValueError, "test cells"),
        ({"n_random": -1}, ValueError, "n_random"),
        ({"fit_on": "some"}, ValueError, "fit_on"),
        ({"regimes": ["no_mito"]}, ValueError, "no_mito"),
        ({"model_params": {"nobody": {}}}, ValueError, "nobody"),
        ({"n_folds": 99}, ValueError, "n_folds"),
        ({"models": ("mean",), "predictions": {"mean": None}}, ValueError, "other names"),
        ({"groupby": "nothing"}, KeyError, "nothing"),
        ({"size_factors": "total_counts"}, ValueError, "normalize=True"),
        ({"normalize": True}, ValueError, "raw counts"),
    ],
)
def test_wrong_arguments(cells, wrong, error, match):
    with pytest.raises(error, match=match):
        spb.tl.audit(cells, **{"models": ("mean",), **wrong})


def test_raw_counts_that_are_not_said_to_be(cells):
    raw = cells.copy()
    raw.X = raw.layers["counts"]
    with pytest.raises(ValueError, match="normalize=True"):
        spb.tl.audit(raw)


def test_above_max_memory(cells):
    sc.settings.max_memory = 1e-5
    with pytest.raises(ValueError, match="keep_predictions=False"):
        run(cells, models=("ridge",))
    assert not spb.get.scores(run(cells, models=("ridge",), keep_predictions=False)).empty


def test_stored_models_are_compared_by_their_key(cells):
    cells = cells.copy()
    names = sorted(set(cells.obs["perturbation"].astype(str)) - {"non-targeting"})
    spb.pp.split(cells, test=names[:6])
    spb.tl.fit_mean(cells, key_added="theirs")
    mdata = spb.tl.audit(cells, models=("mean", "theirs"), n_random=0, n_folds=2)
    scores = spb.get.scores(mdata).query("model == 'theirs' and regime == 'full' and split == 'test'")
    assert sorted(scores["perturbation"]) == names[:6]
    table = spb.get.predictions(mdata["full"], "theirs")
    np.testing.assert_allclose(table, spb.get.predictions(cells, "theirs"), atol=1e-6)


def test_a_key_that_is_not_stored_lists_those_that_are(cells):
    cells = cells.copy()
    spb.tl.fit_mean(cells, key_added="theirs")
    with pytest.raises(ValueError, match=r"\['ours'\] are unknown.*stored in the data, \['theirs'\]"):
        spb.tl.audit(cells, models=("mean", "ours"))


def same_tables(a, b):
    ours, theirs = a.uns["scpertbias"], b.uns["scpertbias"]
    assert set(ours) == set(theirs)
    for name, table in ours.items():
        if isinstance(table, pd.DataFrame):
            pd.testing.assert_frame_equal(table, theirs[name], check_exact=True, obj=name)


def test_neither_jobs_nor_the_cache_change_a_number(mdata, cells, net, tmp_path, monkeypatch):
    before = run(cells, net, n_jobs=3, cache=tmp_path)
    same_tables(mdata, before)
    n_fits = (
        4 * 6 * (4 + 1) - 2 * 4
    )  # regimes × models × (folds and all), without what is sliced from that of all genes
    assert len(list(tmp_path.iterdir())) == n_fits + 2  # and the random removals
    monkeypatch.setattr(cross_fit, "closed_form", lambda kind: pytest.fail(f"{kind} is fitted again"))
    again = run(cells, net, cache=tmp_path)
    same_tables(mdata, again)
    for regime, profiles in mdata.mod.items():
        for key in MODELS:
            np.testing.assert_array_equal(profiles.layers[key], again[regime].layers[key])
            assert (key in profiles.varm) == (key in again[regime].varm)
    assert again["full"].uns["scpertbias"]["models"].keys() == mdata["full"].uns["scpertbias"]["models"].keys()


def test_an_interrupted_audit_goes_on_where_it_stopped(cells, tmp_path, monkeypatch):
    asked = {"models": ("mean", "ridge"), "regimes": ["full"], "n_random": 0, "cache": tmp_path, "n_jobs": 1}
    real, fitted = cross_fit.closed_form, []

    def interrupted(kind):
        fitted.append(kind)
        if len(fitted) == 5:
            raise KeyboardInterrupt
        return real(kind)

    monkeypatch.setattr(cross_fit, "closed_form", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(cells, **asked)
    done = len(list(tmp_path.iterdir()))
    assert 0 < done <= 4
    run(cells, **asked)
    assert len(fitted) == 5 + (2 * 5 - done)


def test_tables_alone_are_the_same_tables(mdata, cells, net):
    """Without predictions regimes are made when asked for, and predictions lie in a folder."""
    lean = run(cells, net, keep_predictions=False, n_jobs=2)
    of_models = ("coupling", "attribution_check", "attribution_agreement")  # these need more than predictions
    kept = {k: v for k, v in mdata.uns["scpertbias"].items() if k not in of_models}
    assert set(lean.uns["scpertbias"]) == set(kept)
    for name, table in kept.items():
        if isinstance(table, pd.DataFrame):
            pd.testing.assert_frame_equal(lean.uns["scpertbias"][name], table, rtol=1e-12, atol=1e-12, obj=name)
    assert list(lean.mod) == ["full"]
    assert lean["full"].obs["fold"].equals(mdata["full"].obs["fold"])
    assert not set(MODELS) & set(lean["full"].layers)
    again = spb.pp.regimes(lean["full"])
    for regime in mdata.mod:
        np.testing.assert_array_equal(again[regime].X, mdata[regime].X)
    with pytest.raises(
        KeyError, match=r"contains only tables. To make their profiles, call spb.pp.regimes\(mdata\['full'\]\)"
    ):
        spb.get.predictions(lean, "ridge", regime="no_mt")


@pytest.mark.parametrize("counts", [False, True])
def test_cells_that_are_not_in_memory(mdata, cells, net, tmp_path, counts):
    x = cells.layers["counts"] if counts else cells.X
    obs = cells.obs.drop(columns=["total_counts", "pct_counts_mt", "pct_counts_ribo"]) if counts else cells.obs
    ad.AnnData(x, obs=obs, var=cells.var).write_h5ad(tmp_path / "cells.h5ad")
    asked = {"models": ("ridge", "grn_linear"), "n_random": 0, "normalize": counts}
    here = run(ad.read_h5ad(tmp_path / "cells.h5ad"), **asked)
    there = run(ad.read_h5ad(tmp_path / "cells.h5ad", backed="r"), **asked, chunk_memory=2e-5)
    for name, table in here.uns["scpertbias"].items():
        if isinstance(table, pd.DataFrame):
            pd.testing.assert_frame_equal(there.uns["scpertbias"][name], table, rtol=1e-6, atol=1e-9, obj=name)


def test_changes_that_lie_in_cells_stay_changes():
    cells = spb.ds.simulate(1500, 60, 6, rng=1, keep_counts=False)
    names = sorted(set(cells.obs["perturbation"].astype(str)) - {"non-targeting"})
    effects = pd.DataFrame(np.random.default_rng(0).normal(0, 0.1, (6, 60)), names, cells.var_names)
    spb.tl.add_predictions(cells, effects, key_added="theirs", kind="delta", test=names[:3])
    mdata = spb.tl.audit(cells, models=("mean", "theirs"), n_random=0, n_folds=2, regimes=("full",))
    predicted = spb.get.predictions(mdata["full"], "theirs")
    np.testing.assert_allclose(predicted.loc[names] - predicted.loc["non-targeting"], effects, atol=1e-5)
    scores = spb.get.scores(mdata).query("split == 'test'").set_index(["model", "perturbation"])
    for name in names[:3]:
        assert scores.loc[("theirs", name), "l2_ceiling"] > scores.loc[("mean", name), "l2_ceiling"]
