"""The paper in one call: ridge, GRN-Linear, two-stage, GEARS and scGPT in every regime of one audit."""

import numpy as np
import pytest
import scanpy as sc

import scpertbias as spb

pytestmark = [pytest.mark.slow, pytest.mark.gears, pytest.mark.scgpt]

SCGPT = "scgpt (no pretraining)"
MODELS = ["ridge", "grn_linear", "two_stage", "gears", "scgpt"]
STORED = {*MODELS[:-1], SCGPT, "grn_linear_perturbations", "two_stage_perturbations"}
SMALL = {
    "gears": {"epochs": 1, "hidden_size": 16},
    "scgpt": {
        "epochs": 1,
        "max_genes": 48,
        "d_model": 16,
        "n_layers": 1,
        "n_heads": 2,
        "n_control_cells": 8,
        "n_attribution_cells": 1,
    },
}
REGIMES = ("full", "no_mt_ribo")


@pytest.fixture(scope="module", autouse=True)
def _quick():
    import torch

    before, verbosity = torch.get_num_threads(), sc.settings.verbosity
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    sc.settings.verbosity = verbosity


def audit(adata, **kwargs):
    sc.settings.verbosity = 0
    asked = {"models": MODELS, "model_params": SMALL, "n_random": 0}
    return spb.tl.audit(adata, **{**asked, **kwargs})


@pytest.fixture(scope="module")
def simulated():
    """Every target is measured, and a net joins them, so that every model can predict every perturbation."""
    adata = spb.ds.simulate(1100, 50, 24, measured_targets=True, cell_axis_sd=0.3, rng=1, keep_counts=False)
    spb.pp.split(adata, fractions=(0.4, 0.1, 0.5))
    return audit(adata, net=spb.ds.simulate_net(adata), regimes=REGIMES)


def test_every_table_and_figure_of_the_paper_has_all_five(simulated):
    for regime in REGIMES:
        recurrence = spb.get.recurrence(simulated).query("regime == @regime")  # tables 1 and 2
        assert set(recurrence["model"]) == STORED | {"observed"}, regime
        scores = spb.get.scores(simulated).query("regime == @regime and split == 'test'")  # figures 1 and 4
        assert set(scores["model"]) == STORED, regime
        assert np.isfinite(scores[["l2", "l2_ratio", "pearson_delta", "mse_de20"]]).all().all(), regime
    agreement = spb.get.attribution_agreement(simulated).query("perturbation == ''")  # table 3
    pairs = {frozenset(pair) for pair in agreement[["model_a", "model_b"]].to_numpy().tolist()}
    assert {frozenset(p) for p in (("ridge", "gears"), ("gears", SCGPT), ("ridge", SCGPT))} <= pairs
    assert set(spb.get.attribution_check(simulated)["model"]) >= {"ridge", "gears", SCGPT}
    gene_level = spb.get.variance_ratio(simulated).query("level == 'gene'")  # figure 1, ED 7
    assert set(gene_level["model"]) == STORED
    shown = next(iter(simulated["full"].uns["scpertbias"]["models"]["gears"]["test"]))
    for figure in (
        spb.pl.l2(simulated, return_fig=True),
        spb.pl.top_genes(simulated, shown, return_fig=True),  # figure 2
        spb.pl.recurrence(simulated, return_fig=True),
    ):
        assert figure.axes


def test_the_trained_ones_are_judged_on_one_split_that_all_regimes_share(simulated):
    tests = [
        sorted(simulated[regime].uns["scpertbias"]["models"][name]["test"])
        for regime in REGIMES
        for name in ("gears", SCGPT)
    ]
    assert all(test == tests[0] for test in tests)
    scores = spb.get.scores(simulated).query("regime == 'full' and split == 'test' and model == 'gears'")
    assert sorted(scores["perturbation"]) == tests[0]


def test_retraining_is_told_from_the_seed(simulated):
    coupling = spb.get.coupling(simulated).set_index(["model", "rows"])
    for name in ("gears", SCGPT):
        assert (coupling.loc[name, ["shift", "shift_seed"]] > 0).all().all()
    assert coupling.loc[("ridge", "unseen"), "shift"] < 1e-9


def test_the_history_of_a_training_is_kept_in_every_regime(simulated, tmp_path):
    for regime in REGIMES:
        for name in ("gears", SCGPT):
            history = simulated[regime].uns["scpertbias"]["models"][name]["history"]
            assert {"epoch", "train_loss", "learning_rate", "seconds"} <= set(history.columns)
            assert len(history) == 1
    spb.report(simulated, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert SCGPT in text


@pytest.fixture(scope="module")
def papalexi():
    """A real screen, of which most targets are not measured; some cells of each perturbation, to be quick."""
    adata = spb.ds.papalexi_2021()
    keep = adata.obs.groupby("perturbation", observed=True).cumcount() < 40
    adata = adata[keep.to_numpy() | (adata.obs["perturbation"] == "non-targeting").to_numpy()].copy()
    sc.pp.subsample(adata, n_obs=800, random_state=0)
    return audit(adata, batch_key="bio_rep", min_cells=5, covariates=["p_mito"], regimes=REGIMES[:1])


@pytest.mark.filterwarnings("ignore:.*in the perturbation graph")
@pytest.mark.filterwarnings("ignore:.*neither measured nor perturbed in training")
def test_on_a_real_screen_what_cannot_be_predicted_is_named(papalexi):
    profiles = papalexi["full"]
    assert set(spb.get.models(papalexi)["model"]) == STORED
    for name in ("gears", SCGPT):
        record = profiles.uns["scpertbias"]["models"][name]
        predicted = np.isfinite(spb.get.predictions(profiles, name)).all(axis=1)
        assert sorted(record["unpredicted"]) == sorted(predicted.index[~predicted]), name
        assert record["unpredicted"].size  # held-out targets that are not measured: nothing has trained them
    assert predicted.any()
