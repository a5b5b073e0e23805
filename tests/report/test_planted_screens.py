"""Every verdict on simulated screens whose truth is planted: one where it must be said, one where it must not."""

import warnings

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _store
from scpertbias._models import _base
from scpertbias._models._base import Solution, model

from .story import Story

pytestmark = pytest.mark.slow


def predictions(adata):
    """Models that know the truth, only the shared axis, the truth of another perturbation, or three genes for all."""
    truth, rng = adata.uns["scpertbias_truth"], np.random.default_rng(0)
    control, delta = np.asarray(truth["expected_control"]), np.asarray(truth["expected_delta"])
    axis = delta.mean(axis=0) / np.linalg.norm(delta.mean(axis=0))
    stuck = delta.copy()
    stuck[:, np.argsort(-control)[5:8]] += 3 * np.abs(delta).max()
    effects = {
        "oracle": delta + rng.normal(0, 0.005, delta.shape),
        "axis": np.outer(delta @ axis, axis),
        "wrong": delta[rng.permutation(len(delta))],
        "stuck": stuck,
    }
    return {
        name: pd.DataFrame(control + d, index=list(truth["perturbations"]), columns=adata.var_names)
        for name, d in effects.items()
    }


def said(adata, *, brought=True, models=("mean", "ridge"), **asked):
    names = adata.uns["scpertbias_truth"]["perturbations"]
    held_out = adata.obs["perturbation"].isin(names[max(5, len(names) - 50) :])
    adata.obs["split"] = np.where(held_out, "test", "train")
    given = predictions(adata) if brought else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Story(
            spb.tl.audit(adata, models=models, regimes=("full", "no_mt_ribo"), predictions=given, n_random=0, **asked)
        )


@pytest.fixture(scope="module")
def confounded():
    """Mitochondrial and stress genes rise and ribosomal genes fall, more or less, whatever is perturbed."""
    return said(
        spb.ds.simulate(
            8_000, 250, 60, axis_strength=0.6, specific_strength=0.3, inert_fraction=0.0, control_fraction=0.3, rng=1
        )
    )


@pytest.fixture(scope="module")
def clean():
    """Every perturbation has a program of its own, and nothing is shared by all."""
    return said(
        spb.ds.simulate(
            5_000, 250, 60, axis_strength=0.0, specific_strength=0.8, inert_fraction=0.0, control_fraction=0.05, rng=1
        )
    )


@pytest.fixture(scope="module")
def null():
    """Nothing does anything."""
    return said(spb.ds.simulate(2_500, 250, 30, axis_strength=0.0, specific_strength=0.0, rng=1), brought=False)


def test_whether_the_perturbations_worked(confounded, clean, null):
    assert confounded.verdict["screen"] in ("yes", "partly")
    assert null.kind["screen"] == "none_detected"
    assert confounded.facts["screen"]["n_detected"] > 0.7 * 60
    assert confounded.said["screen"]["kinds_of_perturbations"]["n_shared"] > 0
    assert clean.said["screen"]["kinds_of_perturbations"]["n_shared"] == 0


def test_whether_the_response_is_shared_and_technical(confounded, clean, null):
    assert confounded.verdict["shared"] == "yes"
    assert "mt" in confounded.said["shared"]["axis_of_sets"]["axis"]
    assert confounded.kind["technical"] in ("technical_sets", "technical_sets_in_part")
    assert clean.verdict["shared"] == "no"
    assert clean.kind["technical"] not in ("technical_sets", "technical_sets_in_part", "batch", "depth")
    assert null.kind["shared"] == null.kind["technical"] == "no_response"


def test_which_model_is_to_be_trusted(confounded, clean, null):
    kinds = confounded.card.set_index("model")["kind"]
    assert confounded.kind["models"] == "perturbation_specific"
    assert confounded.facts["models"]["model"] == ["oracle"]
    assert kinds["oracle"] == "right"
    assert kinds["axis"] in ("shared", "better")
    assert kinds["wrong"] == "worse"
    assert kinds["stuck"] == "specific_alone", "right about each, but for three genes of all"
    assert kinds["ridge"] == "constant"
    assert clean.card.set_index("model")["kind"]["oracle"] == "right"
    assert clean.card.set_index("model")["kind"]["wrong"] == "worse"
    assert null.kind["models"] == "no_response"


def test_models_are_compared_with_the_mean_and_with_each_other(confounded):
    said = confounded.said["models"]
    assert "oracle" in said["better_than_mean"]["model"]
    assert "stuck" in said["worse_than_mean"]["model"]
    assert said["constant_predictions"]["model"] == ["ridge"]
    assert "oracle" in said["specific_effects"]["model"]
    assert "axis" in said["not_specific"]["model"]
    assert any(
        text.startswith("On the perturbations that both models predict, oracle has a lower")
        for text in confounded.texts
    )


def test_what_retraining_changes_of_models_that_solve_genes_apart(confounded):
    assert confounded.kind["retraining"] == "only_constants_retrained"
    changes = confounded.said["retraining"]["changes_by_retraining"]
    assert dict(zip(changes["model"], changes["change"], strict=True))["ridge"] == "same"


@pytest.fixture
def planted_models():
    """Two models, both the mean with an error in every gene: ``leaner`` errs as long as it sees mitochondrial genes, ``steady`` errs half as much, always."""

    def erring(size, *, until_without):
        def solve(problem):
            mean = problem.means[problem.perturbed].mean(axis=0)
            sees = any(symbol.startswith("MT-") for symbol in problem.symbols)
            error = size * (sees or not until_without)
            signs = np.where(np.arange(len(problem.names))[:, None] % 2, 1.0, -1.0)
            predictions = mean + error * signs * np.ones_like(mean)
            predictions[0] = problem.control
            return Solution(predictions[problem.rows])

        return solve

    def fit():
        """Stand in for a public function."""

    made = {"leaner": erring(0.06, until_without=True), "steady": erring(0.03, until_without=False)}
    for name, solve in made.items():
        model(name, unseen="the mean, with an error", citation="", solve=solve)(fit)
    yield tuple(made)
    for name in made:
        del _base._REGISTRY[name]


def test_a_model_that_leans_on_the_confounders_is_found_out(planted_models, confounded):
    adata = spb.ds.simulate(4_000, 250, 40, axis_strength=0.6, inert_fraction=0.0, rng=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = Story(spb.tl.audit(adata, models=("mean", *planted_models), regimes=("full", "no_mt_ribo"), n_random=5))
    assert (found.kind["retraining"], found.facts["retraining"]["model"]) == ("better_than_random", ["leaner"])
    changes = found.said["retraining"]["changes_by_retraining"]
    assert dict(zip(changes["model"], changes["change"], strict=True)) == {"leaner": "better", "steady": "same"}
    assert found.said["retraining"]["more_than_random"]["model"] == ["leaner"]
    ranking = found.said["retraining"]["ranking_reversed"]
    assert ("steady", "leaner") in set(zip(ranking["before"], ranking["behind"], strict=True))
    assert "ranking_reversed" not in confounded.said["retraining"]


def test_which_genes_recur(confounded, clean, null):
    assert null.kind["recurrence"] == "no_response"
    assert "oracle" not in clean.facts["recurrence"].get("model", []), "the truth does not recur beyond the data"
    assert set(confounded.facts["recurrence"].get("model", [])) <= {"axis", "oracle", "stuck", "wrong"}


def test_noise_of_the_same_cells_is_a_caution(confounded, clean):
    shared = "correlations “without shared noise”"
    for story in (confounded, clean):
        assert ("shared_noise" in story.cautions) == any(shared in text for text in story.texts)
    assert "shared_noise" in clean.cautions


def test_few_perturbations_make_rough_intervals(confounded):
    few = said(spb.ds.simulate(2_500, 250, 25, axis_strength=0.6, specific_strength=0.3, inert_fraction=0.0, rng=1))
    assert "few_perturbations" not in confounded.cautions
    assert "few_perturbations" in few.cautions
    assert any("approximate" in text for text in few.texts)


@pytest.fixture(scope="module")
def panel():
    """A screen of two batches with many measured targets."""
    return spb.ds.simulate(4_000, 1187, 100, n_batches=2, batch_strength=0.3, keep_counts=False, rng=1)


def test_shifted_gene_labels_are_seen(panel):
    shifted = panel.copy()
    shifted.X = panel.X[:, np.roll(np.arange(panel.n_vars), 1)]
    moved = said(shifted, brought=False, models=(), batch_key="gem_group")
    assert "labels_shifted" in moved.severe
    assert "alignment_in_place" not in moved.said["screen"]
    right = said(panel.copy(), brought=False, models=(), batch_key="gem_group")
    assert "labels_shifted" not in right.severe
    assert "alignment_in_place" in right.said["screen"]
    assert right.kind["models"] == "no_models"


def test_genes_that_are_not_there(panel):
    few = panel[:, ~panel.var_names.str.match("RP[SL]|MT-")].copy()
    few.uns = dict(panel.uns)
    found = Story(_audited_alone(few, batch_key="gem_group"))
    assert any("mitochondrial" in text for text in found.texts)
    assert "set_not_measured" in found.said["technical"]
    assert "set_not_measured" not in Story(_audited_alone(panel, batch_key="gem_group")).said["technical"]


def _audited_alone(adata, **asked):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return spb.tl.audit(adata, models=(), **asked)


def test_attributions_that_say_nothing(small_audit):
    table = _store.table(small_audit, "attribution_check", made_by="spb.tl.audit")
    assert set(table["flag"]) == {"ok"}
    assert "degenerate_attributions" not in Story(small_audit).cautions
