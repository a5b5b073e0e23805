from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import scpertbias as spb
from scpertbias import _moments
from scpertbias._core.matched_genes import Removals
from scpertbias.pp._regimes import removed
from scpertbias.tl._audit.cross_fit import Variant, cross_fit_all, make_folds, variants
from scpertbias.tl._audit.questions import AuditResults
from scpertbias.tl._audit.random_removal import NO_DIFFERENCE, TOO_FEW_GENES, RemovalResult, _row, random_table
from scpertbias.tl._audit.retraining import UNCHANGED, retraining_table, score_regimes
from scpertbias.tl._audit.settings import AuditSettings

N_TOP = 40
SETTINGS = AuditSettings(n_top_genes=N_TOP, keep_predictions=False)


@pytest.fixture(scope="module")
def setting():
    profiles = spb.pp.profiles(spb.ds.simulate(1500, 90, 12, cell_axis_sd=0.3, rng=2))
    mdata = spb.pp.regimes(profiles, ["no_mt", "no_mt_ribo"])
    screens = {r: _moments.of(a) for r, a in mdata.mod.items()}
    full = screens["full"]
    rng = np.random.default_rng(0)
    net = pd.DataFrame({"source": rng.choice(full.symbols, 300), "target": rng.choice(full.symbols, 300)})
    own = pd.DataFrame(rng.normal(size=(12, 3)), index=full.names[1:])
    models = variants(["ridge", "grn_linear", "bilinear"], {"bilinear": {"perturbation_embedding": own}})
    folds = make_folds(full, 3, 0)
    fits = cross_fit_all(screens, models, folds, net, SETTINGS)
    return screens, models, fits, folds, net, removed(mdata["full"], "no_mt_ribo"), profiles


def table(setting, n_random=5, *, rng=0, screens=None, confounders=None):
    models, fits, folds, net, marked, profiles = setting[1:]
    screens = screens or setting[0]
    results = AuditResults(profiles, screens, models, net, folds, fits, records={}, predictions={}, unseen={})
    settings = replace(SETTINGS, n_random=n_random, rng=rng)
    return random_table(results, settings, confounders=marked if confounders is None else confounders)


def test_the_regime_and_its_gain_are_those_of_the_regimes_table(setting):
    screens, _, fits, folds, *_ = setting
    rows = table(setting).set_index("model")
    assert set(rows["regime"]) == {"no_mt_ribo"}
    predictions = {r: {n: s.predictions for n, s in f.solutions.items()} for r, f in fits.items()}
    scores = score_regimes(screens, predictions, folds, n_top_genes=N_TOP).table
    expected = retraining_table(scores).query("regime == 'no_mt_ribo'").set_index("model")
    np.testing.assert_allclose(rows["gain"], expected["gain"].loc[rows.index], atol=1e-12)
    assert (rows["n"] == expected["n"].loc[rows.index]).all()
    assert (rows["n_genes"] == 90 - len(screens["no_mt_ribo"].genes)).all()


def test_a_removal_is_a_regime_without_those_genes(setting):
    """Brute force: drop the genes from the profiles, cross-fit anew, score with the package's own scores."""
    screens, models, fits, folds, net, confounders, profiles = setting
    full = screens["full"]
    kept = full.genes.isin(screens["no_mt_ribo"].genes)
    seed = int(np.random.default_rng(0).integers(2**32))
    out = Removals("", ~kept, kept & ~confounders, full.moments.control).draw(np.random.default_rng([seed, 0]))
    assert out.sum() == (~kept).sum()
    assert not (out & confounders).any()
    without = profiles[:, ~out].copy()
    both = _moments.of(profiles[:, ~out & kept].copy())
    less = _moments.of(without)
    again = cross_fit_all({"full": full, "r": less}, models, folds, net, SETTINGS)["r"]
    here = {n: s.predictions[:, less.genes.isin(both.genes)] for n, s in again.solutions.items()}
    before = {n: s.predictions for n, s in fits["full"].solutions.items()}
    scores = score_regimes({"full": full, "r": both}, {"full": before, "r": here}, folds, n_top_genes=N_TOP).table
    expected = retraining_table(scores).set_index("model")["gain"]
    rows = table(setting, n_random=1).set_index("model")
    for model in ("grn_linear", "bilinear"):
        assert rows.loc[model, "random_mean"] == pytest.approx(expected[model], rel=1e-6, abs=1e-12)
    assert abs(rows.loc["bilinear", "random_mean"]) > 1e-6


def test_p_is_one_sided_and_ranges_are_of_all_removals(setting):
    rows = {n: table(setting, n_random=n).set_index("model").loc["bilinear"] for n in (1, 2, 3)}
    sums = np.array([rows[n]["random_mean"] * n for n in rows])
    gains = np.diff(sums, prepend=0.0)  # the first removals are the same, however many follow
    assert rows[3]["random_min"] == pytest.approx(gains.min())
    assert rows[3]["random_max"] == pytest.approx(gains.max())
    assert rows[3]["p"] == (1 + (gains >= rows[3]["gain"]).sum()) / 4
    assert np.isnan(rows[3]["q"])


@pytest.mark.parametrize(
    ("gain", "random_gains", "tested"), [(7e-8, (-2e-8, 2e-8), False), (4e-4, (6e-4, 0), True), (6e-4, (0, 0), True)]
)
def test_gains_that_differ_by_rounding_alone_are_not_tested(gain, random_gains, tested):
    few = np.arange(40) < 5
    results = [RemovalResult({"a": value}, 0.0) for value in random_gains]
    row = _row("a", Removals("no_mt", few, ~few, np.arange(40.0)), np.full(12, gain), results)
    assert np.isfinite(row["p"]) == tested
    assert (NO_DIFFERENCE in row["note"]) != tested


def test_models_that_solve_every_gene_apart_are_not_tested(setting):
    rows = table(setting).set_index("model")
    for model in ("ridge", "grn_linear_perturbations"):
        row = rows.loc[model]
        assert (row["gain"], row["n_random"], row["note"]) == (0.0, 0, UNCHANGED)
        assert np.isnan(row["p"])
        assert np.isnan(row["random_mean"])
    assert rows.loc["bilinear", "n_random"] == 5
    # what is left untested really does not differ
    screens, models, fits, *_ = setting
    columns = screens["full"].genes.get_indexer(screens["no_mt_ribo"].genes)
    for v in models:
        before, after = (fits[r].solutions[v.name].predictions for r in ("full", "no_mt_ribo"))
        same = np.allclose(before[:, columns], after, rtol=0, atol=1e-10)
        assert same if v.fits_genes_separately else (not same or v.kind == "grn_linear")


@pytest.mark.parametrize(
    ("kind", "params", "separately"),
    [
        ("grn_linear", {"axis": "genes", "gamma": 0}, True),
        ("grn_linear", {"axis": "both", "gamma": 1.0}, False),
        ("two_stage", {"axis": "perturbations"}, False),
        ("mean", {}, True),
    ],
)
def test_whether_genes_are_fitted_separately_follows_the_parameters(kind, params, separately):
    assert Variant("x", kind, params).fits_genes_separately == separately


def test_nothing_depends_on_the_number_of_jobs(setting):
    one = table(setting, n_random=3)
    before = sc.settings.n_jobs
    try:
        sc.settings.n_jobs = 2
        pd.testing.assert_frame_equal(one, table(setting, n_random=3))
    finally:
        sc.settings.n_jobs = before
    assert not one.equals(table(setting, n_random=3, rng=1))


def test_where_there_is_nothing_to_compare(setting):
    screens = setting[0]
    assert table(setting, n_random=0) is None
    assert table(setting, screens={"full": screens["full"]}) is None
    rows = table(setting, confounders=np.ones(90, bool)).set_index("model")
    assert rows.loc["bilinear", "note"] == TOO_FEW_GENES
    assert np.isnan(rows.loc["bilinear", "p"])
    assert rows.loc["ridge", "note"] == UNCHANGED
    only = {r: screens[r] for r in ("full", "no_mt")}
    assert set(table(setting, n_random=1, screens=only)["regime"]) == {"no_mt"}
